"""The lake: rows as immutable Parquet segments, written under a temporary name and renamed once they are on disk."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import StateError
from ..plugin import DAY_US, HOUR_US
from .clustered import CLUSTERED, clustered

TEMPORARY = ".tmp"
ROW_GROUP = 131_072
_IDS = frozenset({"uid", "fuid"})  # each row has its own

Crash = Callable[[str], None]  # called at named points, so that tests can end the process there


def no_crash(point: str) -> None:
    """What is called where nobody tests crashes."""


class DiskFull(StateError):
    """There is no room for a segment or a commit; nothing was changed and all of it can be tried again."""


@dataclass(frozen=True)
class Rows:
    """Rows of one table, sensor and source, about to become segments."""

    table: str
    sensor: str
    rows: pa.Table
    hour_us: int | None = None  # the hour of a derived table


@dataclass(frozen=True)
class Segment:
    """One file of the lake. `min_us`, `max_us`: least and greatest `end_ts`; of a derived table its hour.

    `number`: its place in the order of commits, 0 before the commit.
    """

    id: str
    table: str
    sensor: str
    source: str
    path: Path
    rows: int
    bytes: int
    min_us: int
    max_us: int
    hours: tuple[int, ...]
    derived: bool = False
    number: int = 0


class Lake:
    """Writes segments below `root/lake/<table>/<date>/`; what the manifest does not name does not exist."""

    def __init__(self, root: Path, *, crash: Crash = no_crash) -> None:
        self.root = root
        self.folder = root / "lake"
        self.crash = crash
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="segment")

    def close(self) -> None:
        self._pool.shutdown()

    def write(self, groups: Iterable[Rows]) -> list[Segment]:
        """Durable segments of these rows, cut by UTC date; raises DiskFull and leaves nothing behind."""
        parts = [part for group in groups for part in _by_date(group)]
        folders: set[Path] = set()
        jobs = [self._pool.submit(self._write_temporary, *part, folders) for part in parts]
        try:
            written = [job.result() for job in jobs]
            self.crash("segments written")
            segments = []
            for segment, temporary in written:
                temporary.rename(segment.path)
                segments.append(segment)
                self.crash("segment renamed")
            for folder in sorted(folders):
                sync_folder(folder)
        except BaseException as error:
            for job in jobs:
                job.cancel()
            self._discard(jobs)
            if isinstance(error, OSError):
                raise disk_error(error, self.folder) from error
            raise
        return segments

    def _write_temporary(self, group: Rows, day_us: int, folders: set[Path]) -> tuple[Segment, Path]:
        date = datetime.fromtimestamp(day_us // 1_000_000, UTC).strftime("%Y-%m-%d")
        name = uuid.uuid4().hex
        path = self.folder / group.table / date / f"{name}.parquet"
        for folder in _make(path.parent, self.root):
            folders.add(folder)
        folders.add(path.parent)
        temporary = path.with_suffix(TEMPORARY)
        try:
            options = parquet_options(group.rows.schema, derived=group.hour_us is not None)
            rows = group.rows if group.hour_us is not None else clustered(group.rows)
            pq.write_table(rows, temporary, row_group_size=ROW_GROUP, **options)
            sync_file(temporary)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if group.hour_us is None:
            ends = _ends(group.rows)
            hours = tuple(int(h) for h in np.unique(ends // HOUR_US) * HOUR_US)
            least, most = int(ends.min()), int(ends.max())
            source = group.rows["source"][0].as_py() or ""
        else:
            hours, least, most, source = (group.hour_us,), group.hour_us, group.hour_us, ""
        size = temporary.stat().st_size
        segment = Segment(
            name,
            group.table,
            group.sensor,
            source,
            path,
            group.rows.num_rows,
            size,
            least,
            most,
            hours,
            group.hour_us is not None,
        )
        return segment, temporary

    def _discard(self, jobs: Sequence[object]) -> None:
        for job in jobs:
            try:
                segment, temporary = job.result()  # type: ignore[attr-defined]
            except BaseException:  # noqa: BLE001  that one wrote nothing to keep; the sweep takes what is left
                continue
            for path in (temporary, segment.path):
                path.unlink(missing_ok=True)

    def sweep(self, known: set[str]) -> int:
        """Removes files that the manifest does not name (those of a process that died); how many they were.

        Empty folders go too. Only before the first write, which may be making them.
        """
        swept = 0
        for path in self.folder.glob("*/*/*"):
            if path.suffix == TEMPORARY or (path.suffix == ".parquet" and path.stem not in known):
                path.unlink(missing_ok=True)
                swept += 1
        for folder in self.folder.glob("*/*"):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return swept


def rows_from(path: Path, first_row: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of a segment from this one on, without reading the row groups before it."""
    with pq.ParquetFile(path) as file:
        groups = range(file.num_row_groups)
        skip = first_row
        while groups and skip >= file.metadata.row_group(groups[0]).num_rows:
            skip -= file.metadata.row_group(groups[0]).num_rows
            groups = groups[1:]
        for batch in file.iter_batches(batch_rows, row_groups=list(groups)):
            if skip < batch.num_rows:
                yield batch.slice(skip)
            skip = max(0, skip - batch.num_rows)


def disk_error(error: OSError, where: Path) -> StateError:
    """What an operating system's error means for the operator."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("no space left on the disk; make room or lower retention.max_size", where=str(where))
    return StateError(f"cannot be written: {error.strerror or error}", where=str(error.filename or where))


def _ends(rows: pa.Table) -> npt.NDArray[np.int64]:
    ends: npt.NDArray[np.int64] = rows["end_ts"].cast(pa.int64()).to_numpy()
    return ends


def _by_date(group: Rows) -> list[tuple[Rows, int]]:
    """The rows by UTC date of `end_ts`; a derived table's go to the date of its hour."""
    if not group.rows.num_rows:
        return []
    if group.hour_us is not None:
        return [(group, group.hour_us // DAY_US * DAY_US)]
    days = _ends(group.rows) // DAY_US
    distinct = np.unique(days)
    if len(distinct) == 1:
        return [(group, int(distinct[0]) * DAY_US)]
    return [
        (Rows(group.table, group.sensor, group.rows.filter(pa.array(days == day))), int(day) * DAY_US)
        for day in distinct
    ]


def _make(folder: Path, root: Path) -> list[Path]:
    """Makes a folder and its parents; those whose entries changed."""
    changed = []
    for parent in [*reversed(folder.relative_to(root).parents), folder.relative_to(root)]:
        path = root / parent
        if not path.is_dir():
            path.mkdir(exist_ok=True)
            changed.append(path.parent)
    return changed


def parquet_options(schema: pa.Schema, *, derived: bool, merged: bool = False) -> dict[str, Any]:
    """How a segment is written; of a log's columns few decide what is read, so only these have statistics.

    Rows that are new are read by twenty queries within the hour, so they are packed by what unpacks fastest; what is
    merged, and hours, are kept long and read seldom. (Of a conn.log zstd takes a fifth less room than Snappy does, and
    all detectors together an eighth more time.)

    Times are stored by their differences, ids one after the other behind all their lengths: no dictionary is worth it
    where hardly two values are equal. (Over a conn.log that is 14 % smaller, written in three quarters of the
    time and read in five sixths; ids are read in two thirds of the time of each behind its own length.)
    """
    times = [f.name for f in schema if pa.types.is_timestamp(f.type)]
    ids = [f.name for f in schema if f.name in _IDS]
    repeated = [f for f in schema if f.name not in (*times, *ids)]
    return {
        **({"compression": "zstd", "compression_level": 1} if derived or merged else {"compression": "snappy"}),
        "use_dictionary": [f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name for f in repeated],
        "column_encoding": dict.fromkeys(times, "DELTA_BINARY_PACKED") | dict.fromkeys(ids, "DELTA_LENGTH_BYTE_ARRAY"),
        "write_statistics": True if derived else ["end_ts", *(c for c in CLUSTERED if c in schema.names)],
        "store_schema": True,
    }


def sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hours_json(hours: Sequence[int]) -> str:
    return json.dumps(list(hours))
