"""Who has claimed which messages of a partition: kept as metadata of the group's offset, so that all members see it.

The group's offset is how far the partition is claimed: what lies before it was claimed by some state, for good. A state
claims before it hands messages on, and what it has claimed and not committed it reads again, however often it is killed
and whoever has the partition by then. docs/decisions/kafka.md says why that loses and doubles nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MARK = "aegis1"
MOST = 60  # states that are remembered of a partition: a broker takes 4,096 bytes of metadata


class Claim(NamedTuple):
    """The messages `[start, end)` that a state claimed last, one run without gaps."""

    start: int
    end: int


@dataclass(frozen=True)
class Frontier:
    """How far a partition is claimed, None where nothing is, and the last claim of each state, the newest last."""

    offset: int | None = None
    claims: Mapping[str, Claim] = field(default_factory=dict)

    def of(self, state: str) -> Claim | None:
        return self.claims.get(state)

    def last(self, state: str) -> Claim | None:
        """The state's claim where it is the one that ends at the frontier."""
        claim = self.claims.get(state)
        return claim if claim is not None and claim.end == self.offset else None

    def claimed(self, state: str, claim: Claim) -> Frontier:
        """As it is once the state has claimed so far."""
        others = {s: c for s, c in self.claims.items() if s != state}
        kept = dict(list(others.items())[-(MOST - 1) :])
        return Frontier(claim.end, {**kept, state: claim})

    def metadata(self) -> str:
        return " ".join([MARK, *(f"{state}:{c.start}-{c.end}" for state, c in self.claims.items())])


def read_frontier(offset: int | None, metadata: str | None) -> Frontier:
    """A group's offset and its metadata, as a broker gives them; metadata of others' making says nothing."""
    if offset is None or offset < 0:
        return Frontier()
    mark, *entries = (metadata or "").split(" ")
    claims = {}
    for entry in entries if mark == MARK else ():
        state, _, span = entry.partition(":")
        start, _, end = span.partition("-")
        if state and start.isdecimal() and end.isdecimal():
            claims[state] = Claim(int(start), int(end))
    return Frontier(offset, claims)
