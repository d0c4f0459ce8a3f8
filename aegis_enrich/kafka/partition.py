"""A partition as it was read so far: its logs, what is fetched of it and not handed on, and up to where it is whose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from ..follow import KAFKA, LogFile, LogState
from .claims import Frontier
from .client import Fetched, Part

CARRIER = "kafka"  # the name of the log that holds a position where messages are of no log


class Batch(NamedTuple):
    """Messages to be handed on together; `end`: the offset behind them."""

    numbers: list[int]
    keys: list[bytes | None]
    values: list[bytes]
    end: int


@dataclass(eq=False)
class Reading:
    """Messages from the offset `at` on, up to `end` where there is one.

    `caught_up`: all that is there was fetched. `over`: nothing more lies before `end`.
    """

    at: int
    end: int | None = None
    caught_up: bool = False
    over: bool = False
    since_s: float = 0.0
    size: int = 0  # bytes
    numbers: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)

    @property
    def next(self) -> int:
        """The offset behind what is fetched."""
        return self.numbers[-1] + 1 if self.numbers else self.at

    @property
    def done(self) -> bool:
        return self.end is not None and self.at >= self.end

    @property
    def ready(self) -> bool:
        """Whether it is known what comes next, or that nothing does for now."""
        return bool(self.numbers) or self.caught_up or self.over or self.done

    @property
    def behind(self) -> bool:
        """Whether anything of it is unread, or may be."""
        return not self.done and (bool(self.numbers) or not self.caught_up or self.end is not None)

    def add(self, new: Fetched, *, now_s: float) -> None:
        """Takes in what was fetched, but for what lies before its place or beyond its end."""
        start = next((i for i, n in enumerate(new.numbers) if n >= self.next), len(new.numbers))
        stop = len(new.numbers)
        if self.end is not None and new.numbers and new.numbers[-1] >= self.end:
            stop = next(i for i, n in enumerate(new.numbers) if n >= self.end)
            self.over = True
        if not self.numbers:
            self.since_s = now_s
        if start < stop:
            self.numbers += new.numbers[start:stop]
            self.keys += new.keys[start:stop]
            self.values += new.values[start:stop]
            self.size += sum(map(len, new.values[start:stop]))
        if self.end is not None and max(self.next, new.end or 0) >= self.end:
            self.over = True
        self.caught_up = new.end is not None

    def batch(self, limit: int) -> Batch | None:
        """The next messages, about `limit` bytes and at least one; None where there are none.

        The last one before `end` reaches up to it, and holds no messages where none are there.
        """
        if not self.numbers and not (self.over and not self.done):
            return None
        count = len(self.numbers)
        if self.size > limit:
            count = next(n for n, size in enumerate(accumulate(map(len, self.values)), 1) if size >= limit)
        last = self.over and count == len(self.numbers)
        end = self.end if last and self.end is not None else self.numbers[count - 1] + 1
        return Batch(self.numbers[:count], self.keys[:count], self.values[:count], end)

    def drop(self, batch: Batch, *, now_s: float) -> None:
        """Moves on behind what was handed on."""
        count = len(batch.numbers)
        del self.numbers[:count], self.keys[:count], self.values[:count]
        self.size -= sum(map(len, batch.values))
        self.at, self.since_s = batch.end, now_s


@dataclass(eq=False)
class Partition:
    """`identity`: of the topic, another one where it was made anew. Offsets are of the next message.

    `durable`: up to where the state has committed; `handed`: up to where messages were handed on, by now or before;
    None where none were. `start`: where the run of claims begins that goes on now. `owed`: up to where `durable` has
    to be before more is claimed. `attempt`: what was claimed and not answered.
    """

    part: Part
    identity: str
    durable: int | None = None
    handed: int | None = None
    start: int = 0
    owed: int = 0
    frontier: Frontier = field(default_factory=Frontier)
    attempt: Frontier | None = None
    main: Reading | None = None
    debt: Reading | None = None
    logs: dict[tuple[str, str], LogFile] = field(default_factory=dict)
    together: list[LogFile] = field(default_factory=list)
    faces: dict[str, LogFile] = field(default_factory=dict)  # by sensor, the log with most lines when last read
    average: float = 500.0  # bytes a message

    @property
    def path(self) -> str:
        return f"{KAFKA}{self.part.topic}/{self.part.number}"

    @property
    def reading(self) -> Reading | None:
        """What is to be handed on next."""
        return self.debt or self.main

    @property
    def sensors(self) -> list[str]:
        return sorted({sensor for sensor, _ in self.logs})

    def know(self, states: Iterable[LogState]) -> None:
        """Takes up what the state knows of it."""
        for state in states:
            if state.path == self.path and state.head_hash == self.identity:
                self._hold(LogFile(state))
                self.durable = max(self.durable or 0, state.position)
        self.handed = self.durable

    def log(self, sensor: str, name: str) -> LogFile:
        """One of its logs; a new one where there is none yet."""
        if (sensor, name) not in self.logs:
            text = "\0".join([self.identity, self.path, sensor, name])
            id_ = hashlib.sha256(text.encode()).hexdigest()[:32]
            self._hold(LogFile(LogState(id_, sensor, name, self.path, head_hash=self.identity, path=self.path)))
        return self.logs[sensor, name]

    def _hold(self, log: LogFile) -> None:
        self.logs[log.sensor, log.name] = log
        self.together.append(log)
        log.together = self.together
        if log.name != CARRIER or log.sensor not in self.faces:
            self.faces[log.sensor] = log

    def committed(self, position: int) -> None:
        self.durable = max(self.durable or 0, position)
