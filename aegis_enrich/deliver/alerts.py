"""The outbox to a sink: the documents of alerts and incidents by id and revision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..plugin import Document, Outcome, Sink
from ..store import Store
from .lane import Batch, Cursor, Lane, save

AHEAD = 5_000  # documents that may be delivered while one before them is still to be tried again


class AlertLane(Lane):
    """Delivers the outbox from the cursor on; the sink's own mark (a file's length) is kept with the cursor."""

    def __init__(self, store: Store, sink: Sink, key: str, **options: Any) -> None:
        super().__init__(store, sink, key, **options)
        if not sink.earlier and not self.known():
            self.cursor = Cursor(int(store.query("SELECT coalesce(max(seq), 0) FROM outbox")[0][0]))
            with store.transaction() as tx:
                save(tx, key, self.cursor)
        sink.resume(self.cursor.detail)
        self.kinds = tuple(sink.takes())
        self._of_kinds = f"seq > ? AND +kind IN ({', '.join('?' * len(self.kinds))})"  # + for: by seq, not by kind
        self._nothing_upto = 0  # of these kinds lies between the cursor and this position

    def batch(self) -> Batch | None:
        newest = int(self.store.query("SELECT coalesce(max(seq), 0) FROM outbox")[0][0])
        ahead = sorted(cursor.position for cursor in self._settled)
        upto = ahead[-1] if len(ahead) >= AHEAD else 2**62
        rows = self.store.query(
            f"SELECT seq, kind, id, revision, body FROM outbox WHERE {self._of_kinds}"
            " AND seq <= ? AND seq NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?",
            [self._start, *self.kinds, upto, json.dumps(ahead), self.sink.at_once],
        )
        if not rows and not ahead:
            self._nothing_upto = newest
            return None
        found: dict[int, Document | None] = {
            seq: Document(kind, id_, revision, json.loads(body)) for seq, kind, id_, revision, body in rows
        }
        last = (
            int(rows[-1][0]) if len(rows) == self.sink.at_once else 2**62
        )  # behind it there may be more, not sent yet
        found |= {seq: None for seq in ahead if seq < last}
        order = sorted(found)
        return Batch([found[seq] for seq in order], [Cursor(seq) for seq in order])

    @property
    def _start(self) -> int:
        return max(self.cursor.position, self._nothing_upto)

    def backlog(self) -> int:
        rows = self.store.query(f"SELECT count(*) FROM outbox WHERE {self._of_kinds}", [self._start, *self.kinds])
        return max(0, int(rows[0][0]) - len(self._settled))

    def send(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        return self.sink.deliver(documents)

    def mark(self, cursor: Cursor) -> Cursor:
        return replace(cursor, detail=self.sink.mark())
