"""The outbox to a sink: the documents of alerts and incidents by id and revision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..plugin import Document, Outcome, Sink
from ..store import Store
from .lane import Batch, Cursor, Lane

DOCUMENTS = 500


class AlertLane(Lane):
    """Delivers the outbox from the cursor on; the sink's own mark (a file's length) is kept with the cursor."""

    def __init__(self, store: Store, sink: Sink, key: str, **options: Any) -> None:
        super().__init__(store, sink, key, **options)
        sink.resume(self.cursor.detail)
        self._of_kinds = f"seq > ? AND kind IN ({', '.join('?' * len(sink.kinds))})"

    def batch(self) -> Batch | None:
        rows = self.store.query(
            f"SELECT seq, kind, id, revision, body FROM outbox WHERE {self._of_kinds} ORDER BY seq LIMIT ?",
            [self.cursor.position, *self.sink.kinds, DOCUMENTS],
        )
        if not rows:
            return None
        documents = [Document(kind, id_, revision, json.loads(body)) for _, kind, id_, revision, body in rows]
        return Batch(documents, [Cursor(int(row[0])) for row in rows])

    def backlog(self) -> int:
        rows = self.store.query(
            f"SELECT count(*) FROM outbox WHERE {self._of_kinds}", [self.cursor.position, *self.sink.kinds]
        )
        return int(rows[0][0])

    def send(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        return self.sink.deliver(documents)

    def mark(self, cursor: Cursor) -> Cursor:
        return replace(cursor, detail=self.sink.mark())
