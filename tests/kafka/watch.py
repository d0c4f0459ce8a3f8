"""A `watch` as the source meets it: what is read waits, is committed by partitions, or lost with the process."""

from __future__ import annotations

import itertools
from typing import Any

from group import Client, Group

from aegis_enrich.follow import Chunk, LogFile, LogState
from aegis_enrich.kafka.address import Address
from aegis_enrich.kafka.member import Member
from aegis_enrich.kafka.source import KafkaSource

ADDRESS = Address("broker:9092", ("zeek",))


class Watch:
    """One state; `start` begins a process on it, `kill` ends it. `rows`: (path, message) of what is committed."""

    def __init__(self, group: Group, name: str) -> None:
        self.group, self.name = group, name
        self.states: dict[str, LogState] = {}
        self.rows: list[tuple[str, int]] = []
        self.letters: list[tuple[str, int]] = []
        self.source: KafkaSource | None = None
        self.waiting: list[tuple[LogFile, Chunk]] = []
        self.ticks = itertools.count()

    def start(self, **options: Any) -> KafkaSource:
        self.waiting = []
        member = Member(
            options.pop("address", ADDRESS),
            {"group.instance.id": self.name},
            list(self.states.values()),
            state=self.name,
            client=lambda settings: Client(self.group, settings),
            clock=lambda: float(next(self.ticks)),
            **options,
        )
        self.source = KafkaSource(member)
        return self.source

    def kill(self) -> None:
        self.source, self.waiting = None, []

    def read(self, limit: int = 100) -> bool:
        assert self.source is not None
        pending = self.source.pending()
        for log in pending:
            chunk = self.source.read(log, limit)
            if chunk is not None:
                self.waiting += [(log, chunk), *chunk.beside]
        return bool(pending)

    def flush(self, only: int | None = None) -> None:
        """Commits what waits, of all partitions or the one of this number."""
        assert self.source is not None
        chosen = [(f, c) for f, c in self.waiting if only is None or f.state.path.endswith(f"/{only}")]
        self.waiting = [w for w in self.waiting if w not in chosen]
        for log, chunk in chosen:
            assert chunk.numbers is not None
            self.rows += [(log.state.path, int(n)) for n in chunk.numbers]
            self.letters += [(log.state.path, n) for n, _, _ in chunk.refused]
            self.states[log.state.id] = chunk.end
        self.source.committed({log: chunk.end for log, chunk in chosen})
