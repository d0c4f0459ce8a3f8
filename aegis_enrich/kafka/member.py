"""One member of a consumer group: the partitions that it has, where it reads on in each, and what it claims of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import AegisError, ConfigError
from ..follow import KAFKA, LogFile, LogState, Lost
from .address import Address
from .claims import Claim, Frontier
from .client import Client, Down, Part, Refused
from .partition import CARRIER, Partition, Reading

log = logging.getLogger(__name__)

FETCH = 10_000  # messages at once
READ_S = 0.1  # how long a read waits for messages
BUFFER_BYTES = 16 * 2**20  # fetched of a partition from which no more is fetched
SETTLE_S = 10.0  # how long the partitions that have come wait for one another's first messages
RETRY_S = 5.0
TOLD_S = 60.0
STILL_S = 30.0  # without a look at what has come, from which what was known is old
JOIN_S = 25.0  # how long a run that ends with the input waits for its partitions
LOOK_S = 60.0  # between two looks at the topics
UNFENCED_S = 2.0  # between what was read before a claim and the claim's answer, if the group put it out meanwhile

Factory = Callable[[Mapping[str, Any]], Client]


class Member:
    """Reads for the state `state`, whose logs are `known`. `once`: only what is there when its partitions come.

    `of`: the partition of each log. `unsure`: what is unread may have changed unheard.
    """

    def __init__(
        self,
        address: Address,
        settings: Mapping[str, Any],
        known: Iterable[LogState],
        *,
        state: str,
        once: bool = False,
        client: Factory = Client,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address, self.state, self.once = address, state, once
        self.lost: list[Lost] = []
        self.parts: dict[Part, Partition] = {}
        self.of: dict[LogFile, Partition] = {}
        self.taken_up = self.unsure = False
        self.clock = clock
        self.client = client(settings)
        self._settings, self._new = dict(settings), client
        self._known = [s for s in known if s.path.startswith(KAFKA)]
        self._side: Client | None = None  # reads what is owed
        self._ids: dict[str, tuple[str, int]] = {}
        self._given: list[Part] | None = None  # partitions that have come and are not taken up
        self._id = ""
        self._joined = False
        self._paused: set[Part] = set()
        self._due_s: dict[str, float] = {}
        self._begun_s = self._taken_up_s = self._heard_s = clock()

    def close(self) -> None:
        for client in filter(None, (self._side, self.client)):
            client.close()

    def log(self, p: Partition, sensor: str, name: str) -> LogFile:
        """A log of a partition; a new one where there is none yet."""
        found = p.log(sensor, name)
        self.of[found] = p
        return found

    # Fetching

    def go_on(self, timeout_s: float) -> None:
        """Joins, takes up partitions that have come, and fetches; brokers that are away are waited for."""
        if self.client.fatal:
            raise AegisError(
                f"{self.client.fatal}; has the state been copied, and both are in use?", where=str(self.address)
            )
        try:
            if not self._joined:
                self._join()
            elif self._given is not None and self._every("take up", RETRY_S if self.client.down else 0.0):
                self._take_up()
            if self.taken_up and self._every("look", LOOK_S):
                self._look()
            self._make_sure()
            self._fetch(timeout_s)
        except Down as error:
            self.client.down = str(error)
            if self._every("told", TOLD_S):
                log.warning("%s: %s; it is tried again", self.address, error)
            self._fetch(timeout_s)

    def _make_sure(self) -> None:
        """Asks what is unread, where that may have changed unheard: no broker answered, or this machine stood still."""
        now_s = self.clock()
        stood_still, self._heard_s = now_s - self._heard_s >= STILL_S, now_s
        if stood_still:
            self.unsure = True
        if (self.unsure or self.client.down) and self._every("make sure", RETRY_S):
            for p in self.parts.values():
                if p.main is not None:
                    p.main.caught_up = self.client.bounds(p.part)[1] <= p.main.next and not p.main.numbers
            self.unsure = False

    def _join(self) -> None:
        if not self._every("join", RETRY_S):
            return
        self._ids = self.client.topics(self.address.topics)
        missing = [t for t in self.address.topics if t not in self._ids]
        if missing and (self.once or not self._ids):
            what = f"no topic {', '.join(missing)}; name one that is there, or let the sensor make it"
            if self.once:
                raise ConfigError(what, where=str(self.address))
            raise Down(what)
        self.client.join(list(self.address.topics), self._come, self._gone)
        self._joined = True

    def _come(self, parts: list[Part]) -> None:
        """The group gives partitions; they are taken up after this call."""
        self._given = parts
        self._id = self.client.member()
        self._due_s.pop("take up", None)

    def _gone(self) -> None:
        """The group takes all partitions: what is fetched and not claimed is not ours; all else is."""
        self._given = None
        self._paused.clear()
        for p in self.parts.values():
            p.main = None

    def _fetch(self, timeout_s: float) -> None:
        now_s = self.clock()
        for part, new in self.client.fetch(FETCH, timeout_s).items():
            p = self.parts.get(part)
            if p is not None and p.main is not None:
                p.main.add(new, now_s=now_s)
                if new.gone:
                    self._restart(p)
        if self._side is not None:
            for part, new in self._side.fetch(FETCH, 0.0).items():
                p = self.parts[part]
                if p.debt is not None:
                    p.debt.add(new, now_s=now_s)
        self._keep_small()

    def _keep_small(self) -> None:
        full = {p.part for p in self.parts.values() if p.main and p.main.size > BUFFER_BYTES}
        if new := full - self._paused:
            self.client.pause(sorted(new))
        if old := self._paused - full:
            self.client.resume(sorted(old))
        self._paused = full

    # Partitions that come

    def await_partitions(self) -> None:
        """Waits until partitions have come and settled; raises AegisError where none come."""
        while not self.taken_up:
            self.go_on(READ_S)
            if self.clock() - self._begun_s > JOIN_S:
                why = self.client.down or "its group waits for a watch that is away (kafka.away_s)"
                raise AegisError(f"no partitions came in {JOIN_S:.0f} s: {why}", where=str(self.address))
        while not self.settled():
            self.go_on(READ_S)

    def settled(self) -> bool:
        """Whether the partitions that have come have been heard, or were waited for long enough."""
        if self.clock() - self._taken_up_s >= SETTLE_S:
            return True
        return self.taken_up and all(p.main.ready for p in self.parts.values() if p.main is not None)

    def _take_up(self) -> None:
        """Begins to read the partitions that have come where they are claimed to, and what is owed of all others."""
        given = self._given or []
        everything = [Part(topic, n) for topic, (_, count) in self._ids.items() for n in range(count)]
        frontiers = self.client.frontiers(sorted({*everything, *given}))
        begins: dict[Part, int] = {}
        for part in given:
            begins[part] = self._begin(self._partition(part), frontiers[part])
        self.client.read_from(begins)
        self._given, self.taken_up, self._taken_up_s = None, True, self.clock()
        self._look_for_debts(frontiers)
        log.info(
            "%s: %d partitions: %s", self.address, len(given), ", ".join(f"{p.topic}/{p.number}" for p in sorted(given))
        )

    def _begin(self, p: Partition, frontier: Frontier) -> int:
        """Where to read on: behind what is claimed; of what this state has claimed last, behind what it has of it."""
        low, high = self.client.bounds(p.part)
        mine = frontier.last(self.state)
        p.frontier, p.attempt = frontier, None
        if mine is not None:
            at = max(mine.start, p.handed or 0)
            p.start = max(mine.start, p.durable or 0)
            p.debt, p.owed = None, 0  # what is owed is read as what is given
        else:
            known = p.handed if frontier.offset is None else max(frontier.offset, p.handed or 0)
            at = p.start = low if known is None else known
            p.owed = max(p.owed, p.handed or 0)
        at = self._still_there(p, at, low, high)
        p.main = Reading(at, end=high if self.once else None)
        return at

    def _still_there(self, p: Partition, at: int, low: int, high: int) -> int:
        """The offset, or the next one that there is; what is missed is said as lost."""
        if at < low:
            self._lose(p, low - at)
            return low
        if at > high:
            log.error("%s: its brokers have lost messages up to offset %d; it ends at %d", p.path, at, high)
            self._lose(p, 0)
            return high
        return at

    def _lose(self, p: Partition, messages: int) -> None:
        sensor = p.sensors[0] if len(p.sensors) == 1 else ""
        self.lost.append(Lost(sensor, CARRIER, p.path, None, messages=messages))

    def _restart(self, p: Partition) -> None:
        """Goes on where there are messages, after those at its place were deleted."""
        assert p.main is not None
        low, high = self.client.bounds(p.part)
        at = self._still_there(p, p.main.next, low, high)
        if not p.main.numbers:
            p.main.at = at
        self.client.read_from({q.part: q.main.next for q in self.parts.values() if q.main is not None} | {p.part: at})

    def _look(self) -> None:
        """Takes topics that were made anew for what they are, and new partitions into account."""
        found = self.client.topics(self.address.topics)
        renewed = {t for t, (id_, _) in self._ids.items() if t in found and found[t][0] != id_}
        self._ids = {**self._ids, **found}
        if renewed:
            log.warning(
                "%s: %s were made anew; they are read from their beginning", self.address, ", ".join(sorted(renewed))
            )
            mine = [p.part for p in self.parts.values() if p.main is not None]
            self.parts = {part: p for part, p in self.parts.items() if part.topic not in renewed}
            self._given = mine
            self._take_up()

    def _partition(self, part: Part) -> Partition:
        if part not in self.parts:
            if part.topic not in self._ids or part.number >= self._ids[part.topic][1]:
                self._ids = {**self._ids, **self.client.topics([part.topic])}
            p = self.parts[part] = Partition(part, self._ids[part.topic][0])
            p.know(self._known)
            self.of |= dict.fromkeys(p.together, p)
        return self.parts[part]

    # What is owed: claimed by this state, not committed, and not at the end of what is claimed

    def _look_for_debts(self, frontiers: Mapping[Part, Frontier]) -> None:
        """Reads anew what this state had claimed and did not commit before another one went on behind it."""
        for part, frontier in frontiers.items():
            claim = frontier.of(self.state)
            p = self._partition(part)
            reads_on = p.main is not None and frontier.last(self.state) is not None
            if claim is None or reads_on or claim.end <= (p.handed or 0):
                continue
            self._owe(p, claim)
        debts = {p.part: p.debt.next for p in self.parts.values() if p.debt is not None and not p.debt.done}
        if debts:
            if self._side is None:
                own = {k: v for k, v in self._settings.items() if k != "group.instance.id"}
                self._side = self._new(own)
            self._side.read_from(debts)

    def _owe(self, p: Partition, claim: Claim) -> None:
        at = max(claim.start, p.handed or 0)
        low, high = self.client.bounds(p.part)
        there = min(self._still_there(p, at, min(low, claim.end), high), claim.end)
        log.warning("%s: messages %d to %d were claimed and not committed; they are read now", p.path, at, claim.end)
        # where none is left, that is committed, too
        p.debt = Reading(min(there, claim.end - 1), end=claim.end, over=there >= claim.end)
        p.owed = max(p.owed, claim.end)

    # Claiming

    def claim(self, p: Partition, end: int) -> bool:
        """Whether the messages up to there are this state's by now: claimed before, or with this call."""
        if (p.durable or 0) < p.owed:
            return False
        if p.frontier.last(self.state) is not None and end <= (p.frontier.offset or 0):
            return True
        wanted = p.frontier.claimed(self.state, Claim(p.start, end))
        begun_s = self.clock()
        try:
            there = self.client.frontiers([p.part])[p.part]
            if there not in (p.frontier, p.attempt):
                raise Refused("another watch has claimed it", where=p.path)
            if there == p.attempt:
                p.frontier, p.attempt = there, None
                return self.claim(p, end)
            p.attempt = wanted
            self.client.claim(p.part, wanted)
        except Refused as error:
            log.info("%s: not ours any more: %s", p.path, error)
            p.main = None
            return False
        except Down as error:
            self.client.down = str(error)
            return False
        if self.client.member() != self._id and self.clock() - begun_s > UNFENCED_S:
            raise AegisError(
                f"messages up to {end} were claimed while this watch had been put out of its group, so another may have"
                " claimed some of them; docs/kafka.md says what to do",
                where=p.path,
            )
        p.frontier, p.attempt = wanted, None
        return True

    def _every(self, what: str, seconds: float) -> bool:
        now_s = self.clock()
        if now_s < self._due_s.get(what, 0.0):
            return False
        self._due_s[what] = now_s + seconds
        return True
