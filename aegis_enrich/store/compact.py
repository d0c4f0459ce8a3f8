"""Compaction: the small segments of an hour, later those of a date, become one; no query sees a difference."""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import StateError
from ..plugin import DAY_US, HOUR_US
from . import holds
from .lake import ROW_GROUP, TEMPORARY, Lake, Segment, disk_error, parquet_options, sync_file, sync_folder
from .state import Store

log = logging.getLogger(__name__)

SMALL_BYTES = 16 * 2**20  # a segment from this size on is left as it is
MERGED_BYTES = 128 * 2**20  # of what is merged at once
LEAST, MOST = 8, 1_000  # fewer small segments than these stay as they are; no more become one at once
BATCH_ROWS = 16_384
BUFFER_BYTES = 64 * 2**20  # of rows that wait for their row group

# A span's segments are merged once rows of the sensor reach this far beyond it. Nothing but the saving depends on it:
# rows that come later are segments of their own, until there are enough of those.
TIERS = ((HOUR_US, HOUR_US), (DAY_US, 6 * HOUR_US))


def due(store: Store, newest: Mapping[str, int], passed_over: Collection[str] = ()) -> list[Segment]:
    """The segments to be merged next, in the order of their rows; none where nothing is to be saved.

    `newest`: sensor -> how far its rows reach, in µs of event time. `passed_over`: ids of segments to leave alone.
    """
    rows = store.query(
        "SELECT tbl, sensor, source, derived, min_us, segment_id, bytes FROM segments"
        " WHERE tombstone_us IS NULL AND bytes < ? ORDER BY min_us, segment_id",
        [SMALL_BYTES],
    )
    small = [row for row in rows if row[1] in newest and row[5] not in passed_over]
    for span_us, settled_us in TIERS:
        groups: dict[tuple[int, tuple[object, ...]], list[tuple[str, int]]] = defaultdict(list)
        for *kind, least_us, id_, size in small:
            start = least_us // span_us * span_us
            if start + span_us + settled_us <= newest[kind[1]]:
                groups[start, tuple(kind)].append((id_, size))
        for _, group in sorted(groups.items()):
            if len(group) >= LEAST and len(chosen := _fitting(group)) >= LEAST:
                return store.living(f"segment_id IN ({', '.join('?' * len(chosen))})", chosen)
    return []


def _fitting(group: Iterable[tuple[str, int]]) -> list[str]:
    """As many of them (id, bytes), in their order, as may become one."""
    chosen: list[str] = []
    whole = 0
    for id_, size in group:
        if whole + size <= MERGED_BYTES and len(chosen) < MOST:
            chosen.append(id_)
            whole += size
    return chosen


def merge(lake: Lake, parts: Sequence[Segment]) -> Segment:
    """A durable segment of all their rows, one part after the other; raises DiskFull and leaves nothing behind."""
    name = uuid.uuid4().hex
    path = parts[0].path.with_name(f"{name}.parquet")
    temporary = path.with_suffix(TEMPORARY)
    try:
        rows = _write(parts, temporary)
        if rows != sum(p.rows for p in parts):
            raise StateError(f"{rows} rows in segments of {sum(p.rows for p in parts)}", where=str(path.parent))
        sync_file(temporary)
        lake.crash("merged written")
        size = temporary.stat().st_size
        temporary.rename(path)
        lake.crash("merged renamed")
        sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise disk_error(error, path.parent) from error
        raise
    return replace(
        parts[0],
        id=name,
        path=path,
        rows=rows,
        bytes=size,
        min_us=min(p.min_us for p in parts),
        max_us=max(p.max_us for p in parts),
        hours=tuple(sorted({hour for p in parts for hour in p.hours})),
        number=max(p.number for p in parts),
    )


def _write(parts: Sequence[Segment], temporary: Path) -> int:
    """Streams the rows of all parts into one file; how many they were."""
    schema = _schema(parts)
    told = schema.with_metadata(holds.metadata(parts))
    rows = 0
    with pq.ParquetWriter(temporary, told, **parquet_options(schema, derived=parts[0].derived, merged=True)) as writer:
        for table in _row_groups(batch for part in parts for batch in _batches(part.path, schema)):
            writer.write_table(table, row_group_size=ROW_GROUP)
            rows += table.num_rows
    return rows


def _schema(parts: Sequence[Segment]) -> pa.Schema:
    """All columns of all parts; text is text, dictionary-encoded or not."""
    schemas = []
    for part in parts:
        fields = [pa.field(f.name, _plain(f.type)) for f in pq.read_schema(part.path)]
        schemas.append(pa.schema(fields))
    return pa.unify_schemas(schemas)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            held = set(batch.schema.names)
            columns = [
                batch.column(f.name).cast(f.type) if f.name in held else pa.nulls(batch.num_rows, f.type)
                for f in schema
            ]
            yield pa.record_batch(columns, schema=schema)


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= ROW_GROUP or size >= BUFFER_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def put_in_place(store: Store, parts: Sequence[Segment], merged: Segment, *, now_us: int, passed: int | None) -> None:
    """Names the merged segment in the place of its parts, whose files stay for those who read them.

    `passed`: the number up to which every cursor of log rows has delivered the table, None where there is none. While
    one has not passed the parts, the state remembers where their rows are, so that their ids stay what they are.
    """
    with store.naming([merged]) as tx:
        ids = [p.id for p in parts]
        marks = ", ".join("?" * len(ids))
        found = tx.execute(
            f"UPDATE segments SET tombstone_us = ? WHERE tombstone_us IS NULL AND segment_id IN ({marks})",
            [now_us, *ids],
        ).rowcount
        if found != len(parts):
            raise StateError("segments went while they were merged; they are tried again", where=str(store.lake.folder))
        if passed is not None and passed < merged.number:
            first = 0
            for part in parts:
                moved = tx.execute(
                    "UPDATE parts SET holder = ?, first_row = first_row + ? WHERE holder = ?",
                    [merged.id, first, part.id],
                ).rowcount
                if not moved:
                    tx.execute(
                        "INSERT INTO parts (segment_id, tbl, committed, rows, holder, first_row)"
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        [part.id, part.table, part.number, part.rows, merged.id, first],
                    )
                first += part.rows
        else:
            tx.execute(f"DELETE FROM parts WHERE holder IN ({marks})", ids)


def forget_parts(store: Store, passed: Mapping[str, int]) -> None:
    """Drops what is remembered of parts once every cursor has passed the segment that holds them."""
    for table, number in passed.items():
        held = "SELECT segment_id FROM segments WHERE tbl = ? AND committed <= ?"
        if store.query(f"SELECT 1 FROM parts WHERE holder IN ({held}) LIMIT 1", [table, number]):
            with store.transaction() as tx:
                tx.execute(f"DELETE FROM parts WHERE holder IN ({held})", [table, number])
