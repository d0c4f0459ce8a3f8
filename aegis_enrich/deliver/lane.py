"""One ordered way to one sink: a batch, its outcomes, and the cursor that moves on with them."""

from __future__ import annotations

import json
import logging
import random
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import SinkError
from ..plugin import Document, Outcome, Sink
from ..store import Store
from ..store.state import BODY_BYTES, add

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
MOST_WAIT_S = 60.0
TOLD_EVERY_S = 600.0


@dataclass(frozen=True)
class Cursor:
    """How far a lane has come; `detail` is the lane's or the sink's own."""

    position: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Batch:
    """Documents in order, with the cursor that holds once each of them is delivered (and those before it)."""

    documents: Sequence[Document]
    cursors: Sequence[Cursor]


class Lane(ABC):
    """Delivers one stream of documents to one sink; what the sink cannot take now waits, with rising pauses."""

    def __init__(
        self,
        store: Store,
        sink: Sink,
        key: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.store, self.sink, self.key = store, sink, key
        self.clock, self.jitter = clock, jitter
        self.failures = 0  # in a row
        self.reason = ""  # of the last failure
        self._not_before_s = 0.0
        self._told_s = float("-inf")
        self.cursor = self._load()

    @abstractmethod
    def batch(self) -> Batch | None:
        """What is to be delivered next; None where nothing is."""

    @abstractmethod
    def backlog(self) -> int:
        """How many documents wait."""

    @abstractmethod
    def send(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """Hands them to the sink."""

    def mark(self, cursor: Cursor) -> Cursor:
        """The cursor as it is kept, after its documents were taken."""
        return cursor

    def waiting(self) -> bool:
        """Whether a pause after a failure is not over."""
        return self.clock() < self._not_before_s

    def run_once(self) -> bool:
        """Delivers the next batch; True where something was delivered or refused, so that it is worth going on."""
        if self.waiting():
            return False
        batch = self.batch()
        if batch is None:
            return False
        try:
            outcomes = self.send(batch.documents)
        except SinkError as error:
            self.failed(str(error))
            return False
        taken = next((n for n, (outcome, _) in enumerate(outcomes) if outcome == "retry"), len(outcomes))
        if taken:
            self._advance(batch, outcomes[:taken])
        if taken < len(outcomes):
            self.failed(outcomes[taken][1])
        else:
            self._succeeded()
        return taken > 0

    def _advance(self, batch: Batch, outcomes: Sequence[tuple[Outcome, str]]) -> None:
        cursor = self.mark(batch.cursors[len(outcomes) - 1])
        refused = [
            (d, c, why)
            for d, c, (o, why) in zip(batch.documents, batch.cursors, outcomes, strict=False)
            if o == "refused"
        ]
        with self.store.transaction() as tx:
            _save(tx, self.key, cursor)
            tx.executemany(
                "INSERT INTO dead_letters (origin, offset, reason, body) VALUES (?, ?, ?, ?)",
                [(f"sink:{self.key}", at.position, why, _shown(document)) for document, at, why in refused],
            )
            add(tx, "refused", "", len(refused))
        self.cursor = cursor
        if refused:
            log.error(
                "%s refused %d documents (%s); they are kept as dead letters: aegis-enrich doctor",
                self.key,
                len(refused),
                refused[0][2],
            )

    def failed(self, reason: str) -> None:
        """Notes a failure: the lane pauses, twice as long each time, and says so now and then."""
        wait_s = min(FIRST_WAIT_S * 2**self.failures, MOST_WAIT_S)
        self.failures, self.reason = self.failures + 1, reason
        now_s = self.clock()
        self._not_before_s = now_s + wait_s * (0.5 + self.jitter() / 2)
        if now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            log.warning("%s; %d documents wait, nothing is lost", reason, self.backlog())

    def _succeeded(self) -> None:
        if self.failures and self._told_s > float("-inf"):
            log.warning("%s takes documents again", self.key)
            self._told_s = float("-inf")
        self.failures, self.reason = 0, ""

    def _load(self) -> Cursor:
        rows = self.store.query("SELECT position, detail FROM cursors WHERE sink = ?", [self.key])
        return Cursor(int(rows[0][0]), str(rows[0][1])) if rows else Cursor()


def _save(tx: sqlite3.Connection, key: str, cursor: Cursor) -> None:
    tx.execute(
        "INSERT INTO cursors (sink, position, detail) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET position = excluded.position, detail = excluded.detail",
        [key, cursor.position, cursor.detail],
    )


def _shown(document: Document) -> bytes:
    return json.dumps(document.body, ensure_ascii=False, default=str).encode()[:BODY_BYTES]
