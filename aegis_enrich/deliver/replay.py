"""Refused documents to their sink again, once somebody has asked for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import groupby

from ..errors import SinkError
from ..plugin import Document, Outcome, Sink
from ..store import Store
from ..store.letters import Letter, number_to_replay, take_orders, to_replay
from ..store.state import add

log = logging.getLogger(__name__)

LETTERS = 100


class Replay:
    """The dead letters of one sink that are marked to go again: a letter that is taken goes, one that is refused stays.

    A sink that cannot be used keeps them marked; the lane beside it says so and has the pauses.
    """

    def __init__(self, store: Store, sink: Sink, key: str) -> None:
        self.store, self.sink, self.key = store, sink, key

    def waits(self) -> int:
        """How many are marked."""
        return number_to_replay(self.store, self.key)

    def run_once(self, abandoned: Callable[[], bool] = lambda: False) -> bool:
        """Sends some of them; whether any was taken or refused. Raises SinkError."""
        take_orders(self.store)
        done = []
        some = to_replay(self.store, self.key, min(LETTERS, self.sink.at_once))
        for table, group in groupby(some, key=lambda letter: letter.table):
            found = list(group)
            outcomes = self._send(table, [letter.as_document() for letter in found])
            if abandoned():
                return False
            done += [(letter, *outcome) for letter, outcome in zip(found, outcomes, strict=True)]
        settled = [(letter, outcome, why) for letter, outcome, why in done if outcome != "retry"]
        if settled:
            self._settle(settled)
        elif done:
            raise SinkError(done[0][2])
        return bool(settled)

    def _send(self, table: str, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        return self.sink.deliver_rows(table, documents) if table else self.sink.deliver(documents)

    def _settle(self, settled: Sequence[tuple[Letter, Outcome, str]]) -> None:
        taken = [letter.id for letter, outcome, _ in settled if outcome != "refused"]
        refused = [(why, letter.id) for letter, outcome, why in settled if outcome == "refused"]
        with self.store.transaction() as tx:
            tx.executemany("DELETE FROM dead_letters WHERE letter_id = ?", [(id_,) for id_ in taken])
            tx.executemany(
                "UPDATE dead_letters SET replay = 0, attempts = attempts + 1, reason = ? WHERE letter_id = ?", refused
            )
            add(tx, "replayed", "", len(taken))
        log.warning("%s: %d dead letters were taken, %d refused again", self.key, len(taken), len(refused))


def replayed(replay: Replay) -> str:
    """Sends all that are marked; why some still are, "" where none is."""
    try:
        while replay.run_once():
            pass
    except SinkError as error:
        return str(error)
    return ""
