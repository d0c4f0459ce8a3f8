"""A state with an outbox, and a sink that does what a test tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from aegis_enrich.errors import SinkError
from aegis_enrich.plugin import Document, Outcome, Sink
from aegis_enrich.store import Store


class Told(Sink):
    """Keeps what it took; `answers` says what it answers to the next calls, after those it takes all."""

    name = "told"
    takes_rows = True

    def __init__(self, target: str = "here") -> None:
        self.target = target
        self.took: list[Document] = []
        self.answers: list[str | Exception] = []
        self.resumed: list[str] = []

    def deliver(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        answer = self.answers.pop(0) if self.answers else ""
        if isinstance(answer, Exception):
            raise answer
        words: dict[str, Outcome] = {"x": "refused", "r": "retry", "t": "there"}
        outcomes = [words.get(answer[n : n + 1], "stored") for n in range(len(documents))]
        self.took += [d for d, o in zip(documents, outcomes, strict=True) if o == "stored"]
        return [(o, "" if o == "stored" else f"said {o}") for o in outcomes]

    def deliver_rows(self, table: str, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        return self.deliver(documents)

    def resume(self, mark: str) -> None:
        self.resumed.append(mark)

    def mark(self) -> str:
        return str(len(self.took))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def put(store: Store) -> Callable[..., None]:
    """Puts alerts into the outbox: (id, revision) each."""

    def put(*alerts: tuple[str, int]) -> None:
        with store.transaction() as tx:
            for alert, revision in alerts:
                body = {"event": {"id": alert}, "aegis": {"revision": revision}}
                tx.execute(
                    "INSERT INTO outbox (kind, id, revision, body) VALUES ('alert', ?, ?, ?)",
                    [alert, revision, json.dumps(body)],
                )

    return put


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def down() -> SinkError:
    return SinkError("does not answer; is it running?", where="told")
