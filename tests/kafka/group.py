"""A consumer group on one broker, as far as the source meets it: generations, static members, commits that are fenced.

Time stands still but for the steps of a test; what a broker may do to a member is called by name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from aegis_enrich.kafka.client import Down, Fetched, Part, Refused


class Group:
    """Partitions `n` of a topic, their messages, the group's offsets, and who is a member."""

    def __init__(self, partitions: int, topic: str = "zeek") -> None:
        self.parts = [Part(topic, n) for n in range(partitions)]
        self.topic, self.identity = topic, "id-1"
        self.messages: dict[Part, list[tuple[bytes | None, bytes]]] = {p: [] for p in self.parts}
        self.low: defaultdict[Part, int] = defaultdict(int)
        self.offsets: dict[Part, Any] = {}
        self.members: dict[str, str] = {}  # instance -> member id
        self.given: dict[str, list[Part]] = {}
        self.generation = 0
        self._ids = 0
        self.fails: Callable[[str], str] = lambda call: ""  # "before" or "after": an answer that does not come

    def send(self, part: Part, value: bytes, key: bytes | None = b"s") -> int:
        self.messages[part].append((key, value))
        return len(self.messages[part]) - 1

    def join(self, instance: str) -> str:
        """A static member that comes back gets what it had, and the generation stays."""
        self._ids += 1
        known = instance in self.members
        self.members[instance] = f"{instance}-{self._ids}"
        if not known:
            self.rebalance()
        return self.members[instance]

    def kick(self, instance: str) -> None:
        """Its session is over."""
        if self.members.pop(instance, None):
            self.rebalance()

    def rebalance(self, order: list[str] | None = None) -> None:
        self.generation += 1
        names = order or sorted(self.members)
        self.given = {name: self.parts[n :: len(names)] for n, name in enumerate(names)}


class Client:
    """What `Client` is, over a `Group`."""

    def __init__(self, group: Group, settings: Any) -> None:
        self.group, self.instance = group, settings.get("group.instance.id", "")
        self.down = self.fatal = ""
        self.at: dict[Part, int] = {}
        self.paused: set[Part] = set()
        self._id = ""
        self._generation = -1
        self._given: Callable[[list[Part]], None] | None = None
        self.closed = False

    def topics(self, names: Any) -> dict[str, tuple[str, int]]:
        return {self.group.topic: (self.group.identity, len(self.group.parts))}

    def join(self, topics: Any, given: Any, taken: Any) -> None:
        self._given, self._taken = given, taken
        self._id = self.group.join(self.instance)

    def member(self) -> str:
        return self._id

    def read_from(self, offsets: dict[Part, int]) -> None:
        self.at = dict(offsets)

    def pause(self, parts: list[Part]) -> None:
        self.paused |= set(parts)

    def resume(self, parts: list[Part]) -> None:
        self.paused -= set(parts)

    def fetch(self, most: int, timeout_s: float) -> dict[Part, Fetched]:
        self._rebalanced()
        found = {}
        for part, at in self.at.items():
            if part in self.paused:
                continue
            there = self.group.messages[part]
            if at < self.group.low[part] or at > len(there):
                found[part] = Fetched(gone=True)
                continue
            new = there[at : at + 5]
            numbers = list(range(at, at + len(new)))
            end = len(there) if at + len(new) == len(there) else None
            found[part] = Fetched(numbers, [k for k, _ in new], [v for _, v in new], end)
            self.at[part] = at + len(new)
        return found

    def _rebalanced(self) -> None:
        """Learns what the group did meanwhile."""
        if self._given is None or self._generation == self.group.generation:
            return
        if self._generation >= 0:
            self.at = {}
            self._taken()
        if self.group.members.get(self.instance) != self._id:
            self._id = self.group.join(self.instance)
        self._generation = self.group.generation
        self.at = {}
        self._given(list(self.group.given[self.instance]))

    def bounds(self, part: Part, *, cached: bool = False) -> tuple[int, int]:
        return self.group.low[part], len(self.group.messages[part])

    def frontiers(self, parts: list[Part]) -> dict[Part, Any]:
        from aegis_enrich.kafka.claims import read_frontier

        self._answer("frontiers", lambda: None)
        return {p: read_frontier(*self.group.offsets.get(p, (None, None))) for p in parts}

    def claim(self, part: Part, frontier: Any) -> None:
        current = self.group.members.get(self.instance) == self._id and self._generation == self.group.generation
        if not current:
            raise Refused("illegal generation")
        self._answer("claim", lambda: self.group.offsets.update({part: (frontier.offset, frontier.metadata())}))

    def _answer(self, call: str, do: Callable[[], None]) -> None:
        how = self.group.fails(call)
        if how == "before":
            raise Down("timed out")
        do()
        if how == "after":
            raise Down("timed out")

    def close(self) -> None:
        self.closed = True
