"""The numbers of a run: its own threads write them as they work, others copy them at any time and hold nobody up."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")
Labels = tuple[str, ...]

MOST_SERIES = 2_000  # label sets of one number; what comes beyond counts as OTHER
OTHER = "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)  # bounds of durations


class Tally:
    """Counts by labels. Each label set is written by one thread; a copy may be taken by any."""

    def __init__(self) -> None:
        self._values: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1) -> None:
        key = _bounded(self._values, labels)
        self._values[key] = self._values.get(key, 0) + by

    def copy(self) -> dict[Labels, float]:
        return self._values.copy()


@dataclass
class Spread:
    """Durations of one label set: how many lie at or below each bound and not below the one before; the last: above."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    sum_s: float = 0.0


class Timing:
    """Durations in seconds by labels, as `Tally`."""

    def __init__(self) -> None:
        self._values: dict[Labels, Spread] = {}

    def add(self, *labels: str, seconds: float) -> None:
        spread = self._values.setdefault(_bounded(self._values, labels), Spread())
        spread.counts[bisect_left(SECONDS, seconds)] += 1
        spread.sum_s += seconds

    def timed(self, call: Callable[..., T], *labels: str) -> Callable[..., T]:
        """The call, with its duration noted whether it raises or not."""

        def run(*arguments: object) -> T:
            begun_s = time.monotonic()
            try:
                return call(*arguments)
            finally:
                self.add(*labels, seconds=time.monotonic() - begun_s)

        return run

    def copy(self) -> dict[Labels, Spread]:
        return {labels: Spread(s.counts.copy(), s.sum_s) for labels, s in self._values.copy().items()}


def _bounded(values: Mapping[Labels, object], labels: Labels) -> Labels:
    return labels if labels in values or len(values) < MOST_SERIES else (OTHER,) * len(labels)


@dataclass(frozen=True)
class Rules:
    """What is in force (`digest`: of it), since when (wall clock), and, in a line, why what the disk has is refused."""

    detectors: int
    rows: int
    digest: str
    since_s: float
    refused: str = ""

    def __str__(self) -> str:
        said = f"{self.detectors} detectors and {self.rows} row rules are in force"
        return f"{said}; what is on the disk is refused: {self.refused}" if self.refused else said


@dataclass(frozen=True)
class Lag:
    """What of a log lies unread on the disk, and how far behind the clock its newest row read is (0: all is read)."""

    bytes: int
    seconds: float


@dataclass(frozen=True)
class Sample:
    """What the engine's thread looked up last, some seconds ago at most."""

    lag: Mapping[tuple[str, str], Lag] = field(default_factory=dict)  # by sensor and log
    watermark_us: Mapping[str, int] = field(default_factory=dict)  # by sensor: the least of its detectors'
    waiting_rows: int = 0  # read and not committed
    unreadable: int = 0  # files
    free_bytes: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)  # of enrichers, by name
    disabled: Sequence[str] = ()  # enrichers


@dataclass
class Vitals:
    """One run's. `beat_s` is the monotonic clock at the engine's last round; times of rows are µs of event time."""

    sources: Sequence[str] = ()  # names of sensors that it was told to follow
    min_free_bytes: int = 0
    rows: Tally = field(default_factory=Tally)  # by sensor and log, as all that is read
    bytes: Tally = field(default_factory=Tally)
    bad: Tally = field(default_factory=Tally)
    late: Tally = field(default_factory=Tally)  # by sensor and table
    lost: Tally = field(default_factory=Tally)  # bytes, by sensor
    newest_us: dict[tuple[str, str], int] = field(default_factory=dict)
    read_s: dict[tuple[str, str], float] = field(default_factory=dict)  # wall clock of the last read
    flushes: Timing = field(default_factory=Timing)  # by step
    evaluations: Timing = field(default_factory=Timing)  # by detector and kind
    failed: Tally = field(default_factory=Tally)  # evaluations, by detector, kind and sensor
    rules: Rules | None = None
    sample: Sample = field(default_factory=Sample)
    phase: str = "starting"  # then running, then stopping
    paused: bool = False  # reading waits for room on the disk
    begun_s: float = field(default_factory=time.monotonic)
    beat_s: float | None = None

    def beat(self) -> None:
        self.beat_s = time.monotonic()

    def silent_s(self) -> float:
        """How long ago the engine's loop went round, or, before its first round, the run began."""
        return time.monotonic() - (self.begun_s if self.beat_s is None else self.beat_s)

    def read(self, sensor: str, log: str, *, size: int, rows: int, bad: int) -> None:
        self.bytes.add(sensor, log, by=size)
        self.rows.add(sensor, log, by=rows)
        self.bad.add(sensor, log, by=bad)
        self.read_s[sensor, log] = time.time()

    def know(self, sensor: str, log: str, newest_us: int) -> None:
        """A log that was read up to there before this run."""
        self.reach(sensor, log, newest_us)
        self.read_s.setdefault((sensor, log), time.time())

    def reach(self, sensor: str, log: str, newest_us: int) -> None:
        """A row with this `end_ts` was read (of the future ones, none)."""
        self.newest_us[sensor, log] = max(newest_us, self.newest_us.get((sensor, log), newest_us))

    def evaluated(self, detector: str, kind: str, sensor: str, seconds: float, *, failed: bool) -> None:
        self.evaluations.add(detector, kind, seconds=seconds)
        if failed:
            self.failed.add(detector, kind, sensor)
