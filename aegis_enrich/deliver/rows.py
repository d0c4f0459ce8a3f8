"""Log rows to a sink: those of committed segments, each under the id of its segment and row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from ..plugin import Document, Outcome, Sink
from ..store import Part, Store, rows_from
from .lane import Batch, Cursor, Lane

ROWS = 2_000


class RowLane(Lane):
    """Delivers what was committed of one table, in that order.

    The cursor's position is the number of the last segment of which all rows are delivered; its detail says how many
    rows of the next one are. Compaction changes neither numbers nor ids (see `Store.parts`).
    """

    def __init__(self, store: Store, sink: Sink, key: str, table: str, **options: Any) -> None:
        self._reading: tuple[str, int, Iterator[pa.RecordBatch]] = ("", 0, iter(()))
        super().__init__(store, sink, key, **options)
        self.table = table

    def batch(self) -> Batch | None:
        parts = self.store.parts(self.table, after=self.cursor.position, limit=1)
        if not parts:
            return None
        part, done = parts[0], self._done(parts[0])
        rows = self._read(part, done).to_pylist()
        documents = [
            Document("row", f"{part.segment}-{done + n}", 0, self.sink.row_document(self.table, row))
            for n, row in enumerate(rows)
        ]
        inside = [Cursor(self.cursor.position, json.dumps([part.segment, done + n])) for n in range(1, len(rows) + 1)]
        if done + len(rows) == part.rows:
            inside[-1] = Cursor(part.number)
        for passed_over in self._settled.keys() - set(inside):  # of a segment that is gone
            del self._settled[passed_over]
        return Batch(documents, inside)

    def backlog(self) -> int:
        parts = self.store.parts(self.table, after=self.cursor.position, limit=1)
        rows = self.store.rows_after(self.table, self.cursor.position)
        return max(0, rows - (self._done(parts[0]) if parts else 0))

    def send(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        return self.sink.deliver_rows(self.table, documents)

    def _done(self, part: Part) -> int:
        segment, rows = json.loads(self.cursor.detail) if self.cursor.detail else ("", 0)
        return int(rows) if segment == part.segment else 0

    def _read(self, part: Part, done: int) -> pa.RecordBatch:
        """The next rows of a part, from its row `done` on; reads on where it was, or anew after a failure."""
        segment, at, batches = self._reading
        if (segment, at) != (part.segment, done):
            batches = rows_from(part.path, part.first_row + done, ROWS)
        batch = next(batches).slice(0, part.rows - done)
        self._reading = (part.segment, done + batch.num_rows, batches)
        return batch
