"""Logs that come through Kafka: one member of a consumer group, which claims messages before it hands them on."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import AegisError, ConfigError
from ..follow import KAFKA, Chunk, LogFile, LogState, Lost
from .address import Address
from .claims import Claim, Frontier
from .client import Client, Down, Part, Refused
from .envelope import open_messages
from .partition import CARRIER, Batch, Partition, Reading
from .sensors import Sensors

log = logging.getLogger(__name__)

RIPE_S, RIPE_BYTES = 0.5, 2**20  # so long messages wait for others, so much is not waited for
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


class KafkaSource:
    """A `Source` over the topics of an address. `known`: the logs of the state. `state`: the state's id.

    `once`: only what is there when its partitions come.
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
        self.left_out: Counter[str] = Counter()  # messages of logs that are not read
        self._settings, self._new_client, self._clock = dict(settings), client, clock
        self._known = [s for s in known if s.path.startswith(KAFKA)]
        self._sensors = Sensors(address.sensor)
        self._client = client(settings)
        self._side: Client | None = None  # reads what is owed
        self._ids: dict[str, tuple[str, int]] = {}
        self._parts: dict[Part, Partition] = {}
        self._of: dict[LogFile, Partition] = {}
        self._given: list[Part] | None = None  # partitions that have come and are not taken up
        self._member = ""
        self._joined = self._taken_up = False
        self._paused: set[Part] = set()
        self._due_s: dict[str, float] = {}
        self._unsure = False
        self._begun_s = self._taken_up_s = self._heard_s = clock()

    # What the engine asks

    @property
    def held_back(self) -> Collection[tuple[str, str, str]]:
        return ()

    @property
    def skipped(self) -> Collection[str]:
        return self.left_out.keys()

    @property
    def unreadable(self) -> Mapping[str, str]:
        return {str(self.address): self._client.down} if self._client.down else {}

    @property
    def lag_bytes(self) -> int:
        return sum(self.lag_by_log().values())

    def lag_by_log(self) -> dict[tuple[str, str], int]:
        """What lies unread in the partitions, in messages of their average size, at the log that has most of it."""
        found: dict[tuple[str, str], int] = {}
        for p in self._parts.values():
            if p.main is not None and p.faces:
                high = self._client.bounds(p.part, cached=True)[1]
                face = max(p.faces.values(), key=lambda f: f.state.position)
                left = int(max(0, high - p.main.at) * p.average)
                found[face.sensor, face.name] = found.get((face.sensor, face.name), 0) + left
        return found

    def pending(self) -> list[LogFile]:
        """A log of each partition and sensor with messages that are unread, or that may have some."""
        self._go_on(0.0)
        if self.once and not self._taken_up:
            self._await_partitions()
        return [log for p in self._parts.values() if self._behind(p) for log in self._faces(p)]

    def read(self, log: LogFile, limit: int) -> Chunk | None:
        """Claims the next messages of a log's partition and hands on what is in them, of all its logs."""
        p = self._of[log]
        reading = p.reading
        if reading is None or not self._ripe(p, reading):
            self._go_on(READ_S)
            return None
        batch = reading.batch(limit)
        if batch is None or (p.debt is None and not self._claim(p, batch.end)):
            self._go_on(READ_S)
            return None
        reading.drop(batch, now_s=self._clock())
        p.handed = batch.end
        return self._chunk(p, log, batch)

    def committed(self, logs: Mapping[LogFile, LogState]) -> None:
        for log, state in logs.items():
            self._of[log].committed(state.position)
        for p in self._parts.values():
            if p.debt is not None and p.debt.done and (p.durable or 0) >= p.debt.at:
                p.debt = None

    def wait(self, timeout_s: float) -> None:
        self._go_on(timeout_s)

    def finish(self) -> None:
        """It has ended where it was to end."""

    def finished(self) -> list[LogFile]:
        return []

    def scan(self) -> None:
        self._go_on(0.0)

    def close(self) -> None:
        for client in filter(None, (self._side, self._client)):
            client.close()

    def __enter__(self) -> KafkaSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Fetching

    def _go_on(self, timeout_s: float) -> None:
        """Joins, takes up partitions that have come, and fetches; brokers that are away are waited for."""
        if self._client.fatal:
            raise AegisError(f"{self._client.fatal}; has the state been copied, and both are in use?", where=str(self))
        try:
            if not self._joined:
                self._join()
            elif self._given is not None and self._every("take up", RETRY_S if self._client.down else 0.0):
                self._take_up()
            if self._taken_up and self._every("look", LOOK_S):
                self._look()
            self._make_sure()
            self._fetch(timeout_s)
        except Down as error:
            self._client.down = str(error)
            if self._every("told", TOLD_S):
                log.warning("%s: %s; it is tried again", self, error)
            self._fetch(timeout_s)

    def _make_sure(self) -> None:
        """Asks what is unread, where that may have changed unheard: no broker answered, or this machine stood still."""
        now_s = self._clock()
        stood_still, self._heard_s = now_s - self._heard_s >= STILL_S, now_s
        if stood_still:
            self._unsure = True
        if (self._unsure or self._client.down) and self._every("make sure", RETRY_S):
            for p in self._parts.values():
                if p.main is not None:
                    p.main.caught_up = self._client.bounds(p.part)[1] <= p.main.next and not p.main.numbers
            self._unsure = False

    def _join(self) -> None:
        if not self._every("join", RETRY_S):
            return
        self._ids = self._client.topics(self.address.topics)
        missing = [t for t in self.address.topics if t not in self._ids]
        if missing and (self.once or not self._ids):
            what = f"no topic {', '.join(missing)}; name one that is there, or let the sensor make it"
            if self.once:
                raise ConfigError(what, where=str(self))
            raise Down(what)
        self._client.join(list(self.address.topics), self._come, self._gone)
        self._joined = True

    def _come(self, parts: list[Part]) -> None:
        """The group gives partitions; they are taken up after this call."""
        self._given = parts
        self._member = self._client.member()
        self._due_s.pop("take up", None)

    def _gone(self) -> None:
        """The group takes all partitions: what is fetched and not claimed is not ours; all else is."""
        self._given = None
        self._paused.clear()
        for p in self._parts.values():
            p.main = None

    def _fetch(self, timeout_s: float) -> None:
        now_s = self._clock()
        for part, new in self._client.fetch(FETCH, timeout_s).items():
            p = self._parts.get(part)
            if p is not None and p.main is not None:
                p.main.add(new, now_s=now_s)
                if new.gone:
                    self._restart(p)
        if self._side is not None:
            for part, new in self._side.fetch(FETCH, 0.0).items():
                p = self._parts[part]
                if p.debt is not None:
                    p.debt.add(new, now_s=now_s)
        self._keep_small()

    def _keep_small(self) -> None:
        full = {p.part for p in self._parts.values() if p.main and p.main.size > BUFFER_BYTES}
        if new := full - self._paused:
            self._client.pause(sorted(new))
        if old := self._paused - full:
            self._client.resume(sorted(old))
        self._paused = full

    # Partitions that come

    def _take_up(self) -> None:
        """Begins to read the partitions that have come where they are claimed to, and what is owed of all others."""
        given = self._given or []
        everything = [Part(topic, n) for topic, (_, count) in self._ids.items() for n in range(count)]
        frontiers = self._client.frontiers(sorted({*everything, *given}))
        begins: dict[Part, int] = {}
        for part in given:
            begins[part] = self._begin(self._partition(part), frontiers[part])
        self._client.read_from(begins)
        self._given, self._taken_up, self._taken_up_s = None, True, self._clock()
        self._look_for_debts(frontiers)
        log.info("%s: %d partitions: %s", self, len(given), ", ".join(f"{p.topic}/{p.number}" for p in sorted(given)))

    def _begin(self, p: Partition, frontier: Frontier) -> int:
        """Where to read on: behind what is claimed; of what this state has claimed last, behind what it has of it."""
        low, high = self._client.bounds(p.part)
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
        low, high = self._client.bounds(p.part)
        at = self._still_there(p, p.main.next, low, high)
        if not p.main.numbers:
            p.main.at = at
        self._client.read_from({q.part: q.main.next for q in self._parts.values() if q.main is not None} | {p.part: at})

    def _look(self) -> None:
        """Takes topics that were made anew for what they are, and new partitions into account."""
        found = self._client.topics(self.address.topics)
        renewed = {t for t, (id_, _) in self._ids.items() if t in found and found[t][0] != id_}
        self._ids = {**self._ids, **found}
        if renewed:
            log.warning("%s: %s were made anew; they are read from their beginning", self, ", ".join(sorted(renewed)))
            mine = [p.part for p in self._parts.values() if p.main is not None]
            self._parts = {part: p for part, p in self._parts.items() if part.topic not in renewed}
            self._given = mine
            self._take_up()

    def _partition(self, part: Part) -> Partition:
        if part not in self._parts:
            if part.topic not in self._ids or part.number >= self._ids[part.topic][1]:
                self._ids = {**self._ids, **self._client.topics([part.topic])}
            p = self._parts[part] = Partition(part, self._ids[part.topic][0])
            p.know(self._known)
            self._of |= dict.fromkeys(p.together, p)
        return self._parts[part]

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
        debts = {p.part: p.debt.next for p in self._parts.values() if p.debt is not None and not p.debt.done}
        if debts:
            if self._side is None:
                own = {k: v for k, v in self._settings.items() if k != "group.instance.id"}
                self._side = self._new_client(own)
            self._side.read_from(debts)

    def _owe(self, p: Partition, claim: Claim) -> None:
        at = max(claim.start, p.handed or 0)
        low, high = self._client.bounds(p.part)
        there = min(self._still_there(p, at, min(low, claim.end), high), claim.end)
        log.warning("%s: messages %d to %d were claimed and not committed; they are read now", p.path, at, claim.end)
        # where none is left, that is committed, too
        p.debt = Reading(min(there, claim.end - 1), end=claim.end, over=there >= claim.end)
        p.owed = max(p.owed, claim.end)

    # Handing on

    def _claim(self, p: Partition, end: int) -> bool:
        """Whether the messages up to there are this state's by now: claimed before, or with this call."""
        if (p.durable or 0) < p.owed:
            return False
        if p.frontier.last(self.state) is not None and end <= (p.frontier.offset or 0):
            return True
        wanted = p.frontier.claimed(self.state, Claim(p.start, end))
        begun_s = self._clock()
        try:
            there = self._client.frontiers([p.part])[p.part]
            if there not in (p.frontier, p.attempt):
                raise Refused("another watch has claimed it", where=p.path)
            if there == p.attempt:
                p.frontier, p.attempt = there, None
                return self._claim(p, end)
            p.attempt = wanted
            self._client.claim(p.part, wanted)
        except Refused as error:
            log.info("%s: not ours any more: %s", p.path, error)
            p.main = None
            return False
        except Down as error:
            self._client.down = str(error)
            return False
        if self._client.member() != self._member and self._clock() - begun_s > UNFENCED_S:
            raise AegisError(
                f"messages up to {end} were claimed while this watch had been put out of its group, so another may have"
                " claimed some of them; docs/kafka.md says what to do",
                where=p.path,
            )
        p.frontier, p.attempt = wanted, None
        return True

    def _chunk(self, p: Partition, face: LogFile, batch: Batch) -> Chunk:
        """What is in messages, as a chunk of `face` with those of the other logs beside it."""
        opened = open_messages(
            p.part.topic,
            batch.numbers,
            self._sensors.of(p.path, batch.keys),
            batch.values,
            sensor_field=self.address.sensor_field,
        )
        self.left_out.update(opened.skipped)
        if batch.values:
            p.average = sum(map(len, batch.values)) / len(batch.values)
        chunks: dict[LogFile, Chunk] = {face: self._part_of(face, batch, b"", (), ())}
        for group in sorted(opened.groups, key=lambda g: len(g.numbers)):
            one = p.log(self._sensors.checked(p.path, group.sensor), group.log)
            self._of[one] = p
            chunks[one] = self._part_of(one, batch, group.data, group.numbers, ())
            p.faces[one.sensor] = one
        refused = [r[1:] for r in opened.refused]
        first = replace(chunks.pop(face), refused=refused)
        return replace(first, beside=list(chunks.items()))

    @staticmethod
    def _part_of(
        log: LogFile, batch: Batch, data: bytes, numbers: Sequence[int], refused: Sequence[tuple[int, bytes, str]]
    ) -> Chunk:
        before = log.state
        log.state = replace(before, position=batch.end)
        return Chunk(before, data, log.state, numbers=numbers, refused=refused)

    # What is unread

    def _behind(self, p: Partition) -> bool:
        """Whether messages of it are unread, or may be, since no broker answers."""
        if p.debt is not None and not p.debt.done:
            return True
        unsure = self._unsure or bool(self._client.down)
        return p.main is not None and not p.main.done and (p.main.behind or unsure)

    def _faces(self, p: Partition) -> list[LogFile]:
        """A log of each sensor of a partition; while none is known, what its first message says."""
        reading = p.reading
        if not p.faces and reading is not None and (reading.keys or reading.over):
            carrier = p.log(self._sensors.of(p.path, reading.keys[:1] or [None])[0], CARRIER)
            self._of[carrier] = p
        return list(p.faces.values())

    def _ripe(self, p: Partition, reading: Reading) -> bool:
        """Whether it is time to hand messages on: with one claim many, and not before others have been heard."""
        if p.debt is None and not self._settled():
            return False
        if not reading.numbers:
            return reading.over
        waited = self._clock() - reading.since_s >= RIPE_S
        return waited or reading.size >= RIPE_BYTES or reading.over

    def _settled(self) -> bool:
        if self._clock() - self._taken_up_s >= SETTLE_S:
            return True
        return self._taken_up and all(p.main.ready for p in self._parts.values() if p.main is not None)

    def _await_partitions(self) -> None:
        while not self._taken_up:
            self._go_on(READ_S)
            if self._clock() - self._begun_s > JOIN_S:
                why = self._client.down or "its group waits for a watch that is away (kafka.away_s)"
                raise AegisError(f"no partitions came in {JOIN_S:.0f} s: {why}", where=str(self))
        while not self._settled():
            self._go_on(READ_S)

    def _every(self, what: str, seconds: float) -> bool:
        now_s = self._clock()
        if now_s < self._due_s.get(what, 0.0):
            return False
        self._due_s[what] = now_s + seconds
        return True

    def __str__(self) -> str:
        return str(self.address)
