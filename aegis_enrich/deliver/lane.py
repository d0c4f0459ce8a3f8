"""One ordered way to one sink: a batch, its outcomes, and the cursor that moves on with them."""

from __future__ import annotations

import logging
import random
import sqlite3
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..errors import SinkError, StateError
from ..plugin import Document, Outcome, Sink
from ..store import Store
from ..store.letters import refuse
from ..store.state import add

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
MOST_WAIT_S = 60.0
MOST_ASKED_S = 3600.0  # of a pause that the other side asks for
TOLD_EVERY_S = 600.0


@dataclass(frozen=True)
class Cursor:
    """How far a lane has come; `detail` is the lane's or the sink's own."""

    position: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Batch:
    """Documents in order, with the cursor that holds once each of them is delivered (and those before it).

    A document that is settled already may be None.
    """

    documents: Sequence[Document | None]
    cursors: Sequence[Cursor]


@dataclass(frozen=True)
class Refusal:
    """A document that the sink refused, and why."""

    document: Document
    reason: str


class Lane(ABC):
    """Delivers one stream of documents to one sink; what the sink cannot take now waits, with rising pauses.

    A document that was taken is not sent again because one before it was not: what is settled ahead of the cursor is
    remembered as long as the process lives. After a crash it comes again, under the same id and revision.
    """

    table = ""  # of log rows

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
        self.outcomes: Counter[str] = Counter()  # of documents, since the start of the process
        self.failures = 0  # in a row
        self.reason = ""  # of the last failure
        self.abandoned = False  # nobody waits for it any more: what it still hears changes nothing
        self._not_before_s = 0.0
        self._told_s = float("-inf")
        self._settled: dict[Cursor, Refusal | None] = {}  # from the cursor on: taken (None) or refused
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

    def known(self) -> bool:
        """Whether the state has a cursor of it."""
        return bool(self.store.query("SELECT 1 FROM cursors WHERE sink = ?", [self.key]))

    def waiting(self) -> bool:
        """Whether a pause after a failure is not over."""
        return self.clock() < self._not_before_s

    def run_once(self) -> bool:
        """Delivers the next batch; True where something was delivered or refused, so that it is worth going on."""
        if self.waiting() or self.abandoned:
            return False
        batch = self.batch()
        if batch is None:
            return False
        due = [
            (document, cursor)
            for document, cursor in zip(batch.documents, batch.cursors, strict=True)
            if document is not None and cursor not in self._settled
        ]
        outcomes = self._sent([document for document, _ in due])
        if outcomes is None or self.abandoned:
            return False
        for (document, cursor), (outcome, why) in zip(due, outcomes, strict=True):
            if outcome != "retry":
                self._settled[cursor] = Refusal(document, why) if outcome == "refused" else None
        self._advance(batch.cursors)
        return self._note(outcomes)

    def _sent(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]] | None:
        """What became of each; None where the sink cannot be used at all."""
        if not documents:
            return ()
        try:
            outcomes = self.send(documents)
        except SinkError as error:
            self.outcomes["retry"] += len(documents)
            self.failed(str(error), someone_must_act=True)
            return None
        self.outcomes.update(outcome for outcome, _ in outcomes)
        return outcomes

    def _note(self, outcomes: Sequence[tuple[Outcome, str]]) -> bool:
        """Pauses where something is to be tried again; whether anything was taken or refused."""
        again = [why for outcome, why in outcomes if outcome == "retry"]
        moved = len(again) < len(outcomes)
        if not again:
            self._succeeded()
            return True
        if moved:
            self.failures = 0  # it goes on, so the next try is soon
        self.failed(again[0])
        return moved

    def _advance(self, cursors: Sequence[Cursor]) -> None:
        """Moves the cursor on over what is settled without a gap, with the dead letters of it."""
        passed = list(takewhile(lambda c: c in self._settled, cursors))
        if not passed:
            return
        cursor = self.mark(passed[-1])
        refused = [(r.document, c.position, r.reason) for c in passed if (r := self._settled[c])]
        with self.store.transaction() as tx:
            save(tx, self.key, cursor)
            refuse(tx, self.key, refused, self.table)
            add(tx, "refused", "", len(refused))
        for each in passed:
            del self._settled[each]
        self.cursor = cursor
        if refused:
            log.error(
                "%s refused %d documents (%s); they are kept as dead letters: aegis-enrich deadletter list",
                self.key,
                len(refused),
                refused[0][2],
            )

    def failed(self, reason: str, *, someone_must_act: bool = False) -> None:
        """Notes a failure: the lane pauses, twice as long each time, and says so now and then.

        The pause is no shorter than the other side asks for.
        """
        wait_s = min(FIRST_WAIT_S * 2 ** min(self.failures, 10), MOST_WAIT_S) * (0.5 + self.jitter() / 2)
        self.failures, self.reason = self.failures + 1, reason
        now_s = self.clock()
        self._not_before_s = now_s + max(wait_s, min(self.sink.pause_s, MOST_ASKED_S))
        if now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            level = logging.ERROR if someone_must_act else logging.WARNING
            log.log(level, "%s; %s wait, nothing is lost", reason, self._waiting())

    def _waiting(self) -> str:
        try:
            return f"{self.backlog()} documents"
        except (StateError, sqlite3.Error):  # it may be the state that failed
            return "documents"

    def _succeeded(self) -> None:
        if self.failures and self._told_s > float("-inf"):
            log.warning("%s takes documents again", self.key)
            self._told_s = float("-inf")
        self.failures, self.reason = 0, ""

    def _load(self) -> Cursor:
        rows = self.store.query("SELECT position, detail FROM cursors WHERE sink = ?", [self.key])
        return Cursor(int(rows[0][0]), str(rows[0][1])) if rows else Cursor()


def save(tx: sqlite3.Connection, key: str, cursor: Cursor) -> None:
    """Notes how far a lane has come."""
    tx.execute(
        "INSERT INTO cursors (sink, position, detail) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET position = excluded.position, detail = excluded.detail",
        [key, cursor.position, cursor.detail],
    )
