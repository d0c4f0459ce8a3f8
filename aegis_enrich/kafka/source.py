"""Logs that come through Kafka: what a member of a consumer group fetches, claimed before it is handed on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ..follow import Chunk, LogFile, LogState, Lost
from .envelope import open_messages
from .member import READ_S, Member
from .partition import CARRIER, Batch, Partition, Reading
from .sensors import Sensors

RIPE_S, RIPE_BYTES = 0.5, 2**20  # so long messages wait for others, so much is not waited for


class KafkaSource:
    """A `Source` over what a member reads."""

    def __init__(self, member: Member) -> None:
        self.member, self.address = member, member.address
        self.left_out: Counter[str] = Counter()  # messages of logs that are not read
        self._sensors = Sensors(self.address.sensor)

    # What the engine asks

    @property
    def lost(self) -> Sequence[Lost]:
        return self.member.lost

    @property
    def held_back(self) -> Collection[tuple[str, str, str]]:
        return ()

    @property
    def skipped(self) -> Collection[str]:
        return self.left_out.keys()

    @property
    def unreadable(self) -> Mapping[str, str]:
        return {str(self.address): self.member.client.down} if self.member.client.down else {}

    @property
    def lag_bytes(self) -> int:
        return sum(self.lag_by_log().values())

    def lag_by_log(self) -> dict[tuple[str, str], int]:
        """What lies unread in the partitions, in messages of their average size, at the log that has most of it."""
        found: dict[tuple[str, str], int] = {}
        for p in self.member.parts.values():
            if p.main is not None and p.faces:
                high = self.member.client.bounds(p.part, cached=True)[1]
                face = max(p.faces.values(), key=lambda f: f.state.position)
                left = int(max(0, high - p.main.at) * p.average)
                found[face.sensor, face.name] = found.get((face.sensor, face.name), 0) + left
        return found

    def pending(self) -> list[LogFile]:
        """A log of each partition and sensor with messages that are unread, or that may have some."""
        self.member.go_on(0.0)
        if self.member.once and not self.member.taken_up:
            self.member.await_partitions()
        return [log for p in self.member.parts.values() if self._behind(p) for log in self._faces(p)]

    def read(self, log: LogFile, limit: int) -> Chunk | None:
        """Claims the next messages of a log's partition and hands on what is in them, of all its logs."""
        p = self.member.of[log]
        reading = p.reading
        if reading is None or not self._ripe(p, reading):
            self.member.go_on(READ_S)
            return None
        batch = reading.batch(limit)
        if batch is None or (p.debt is None and not self.member.claim(p, batch.end)):
            self.member.go_on(READ_S)
            return None
        reading.drop(batch, now_s=self.member.clock())
        p.handed = batch.end
        return self._chunk(p, log, batch)

    def committed(self, logs: Mapping[LogFile, LogState]) -> None:
        for log, state in logs.items():
            self.member.of[log].committed(state.position)
        for p in self.member.parts.values():
            if p.debt is not None and p.debt.done and (p.durable or 0) >= p.debt.at:
                p.debt = None

    def wait(self, timeout_s: float) -> None:
        self.member.go_on(timeout_s)

    def finish(self) -> None:
        """It has ended where it was to end."""

    def finished(self) -> list[LogFile]:
        return []

    def scan(self) -> None:
        self.member.go_on(0.0)

    def close(self) -> None:
        self.member.close()

    def __enter__(self) -> KafkaSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Handing on

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
            one = self.member.log(p, self._sensors.checked(p.path, group.sensor), group.log)
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
        unsure = self.member.unsure or bool(self.member.client.down)
        return p.main is not None and not p.main.done and (p.main.behind or unsure)

    def _faces(self, p: Partition) -> list[LogFile]:
        """A log of each sensor of a partition; while none is known, what its first message says."""
        reading = p.reading
        if not p.faces and reading is not None and (reading.keys or reading.over):
            self.member.log(p, self._sensors.of(p.path, reading.keys[:1] or [None])[0], CARRIER)
        return list(p.faces.values())

    def _ripe(self, p: Partition, reading: Reading) -> bool:
        """Whether it is time to hand messages on: with one claim many, and not before others have been heard."""
        if p.debt is None and not self.member.settled():
            return False
        if not reading.numbers:
            return reading.over
        waited = self.member.clock() - reading.since_s >= RIPE_S
        return waited or reading.size >= RIPE_BYTES or reading.over

    def __str__(self) -> str:
        return str(self.address)
