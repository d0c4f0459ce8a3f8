"""Log rows to a sink: those of committed segments, each under the id of its segment and row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..plugin import Document, Outcome, Sink
from ..store import Store
from .lane import Batch, Cursor, Lane

ROWS = 2_000


@dataclass(frozen=True)
class Place:
    """Where in a table's segments a lane is: this many rows of this segment of this commit are delivered."""

    commit: int = 0
    segment: str = ""
    rows: int = 0

    def cursor(self, *, whole: bool) -> Cursor:
        """The cursor's position is the last commit of which all rows are delivered."""
        position = self.commit if whole else self.commit - 1
        return Cursor(position, json.dumps([self.commit, self.segment, self.rows]))


class RowLane(Lane):
    """Delivers one table's segments in the order of their commits."""

    def __init__(self, store: Store, sink: Sink, key: str, table: str, **options: Any) -> None:
        self.table = table
        self._reading: tuple[str, int, Iterator[pa.RecordBatch]] = ("", 0, iter(()))
        super().__init__(store, sink, key, **options)

    @property
    def place(self) -> Place:
        return Place(*json.loads(self.cursor.detail)) if self.cursor.detail else Place()

    def batch(self) -> Batch | None:
        place = self.place
        segments = self.store.query(
            "SELECT committed, segment_id, path, rows FROM segments WHERE tbl = ? AND"
            " (committed > ? OR (committed = ? AND segment_id >= ?)) ORDER BY committed, segment_id LIMIT 3",
            [self.table, place.commit, place.commit, place.segment],
        )
        if segments and segments[0][1] == place.segment and segments[0][3] <= place.rows:
            del segments[0]
        if not segments:
            return None
        commit, segment, path, total = segments[0]
        done = place.rows if segment == place.segment else 0
        rows = self._read(segment, self.store.root / path, done).to_pylist()
        last = len(segments) == 1 or segments[1][0] != commit
        documents = [
            Document("row", f"{segment}-{done + n}", 0, self.sink.row_document(self.table, row))
            for n, row in enumerate(rows)
        ]
        ends = range(done + 1, done + len(rows) + 1)
        return Batch(documents, [Place(commit, segment, n).cursor(whole=last and n == total) for n in ends])

    def backlog(self) -> int:
        place = self.place
        rows = self.store.query(
            "SELECT coalesce(sum(rows), 0) FROM segments WHERE tbl = ? AND"
            " (committed > ? OR (committed = ? AND segment_id >= ?))",
            [self.table, place.commit, place.commit, place.segment],
        )
        return max(0, int(rows[0][0]) - place.rows)

    def send(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        return self.sink.deliver_rows(self.table, documents)

    def _read(self, segment: str, path: Path, done: int) -> pa.RecordBatch:
        """The next rows of a segment, from row `done` on; reads on where it was, or from the start after a failure."""
        held, at, batches = self._reading
        if (held, at) != (segment, done):
            at, batches = 0, pq.ParquetFile(path).iter_batches(batch_size=ROWS)
        for batch in batches:
            if at + batch.num_rows > done:
                self._reading = (segment, at + batch.num_rows, batches)
                return batch.slice(done - at)
            at += batch.num_rows
        raise EOFError(f"{path} has fewer than {done + 1} rows")
