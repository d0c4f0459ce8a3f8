"""Which windows are told of before they are sealed: those that hold new rows of a detector's early tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from ..plugin import MICROS
from .jobs import Job
from .scheduler import Scheduler, Watch


class Early:
    """What is due; it keeps nothing that the store does not know, so that a restart begins with `note_open`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._watches = [w for w in scheduler.watches.values() if w.detector.early]
        self._due: set[tuple[int, str, str]] = set()  # end of the window, detector, sensor
        self.tables = frozenset(t for w in self._watches for t in w.detector.early)

    def note(self, table: str, sensor: str, rows: pa.Table) -> None:
        """Rows of an early table are committed: the windows in whose last `every` they lie are due."""
        for watch in self._watches:
            if table in watch.detector.early:
                every = watch.detector.every_s * MICROS
                ends = np.unique(rows["end_ts"].cast(pa.int64()).to_numpy() // every + 1) * every
                self._add(watch, sensor, ends.tolist())

    def note_open(self, sensors: Iterable[str]) -> None:
        """Every window with rows that is not sealed is due: a start, or rules that changed."""
        for sensor in sensors:
            for watch in self._watches:
                self._add(watch, sensor, self._scheduler.early_ends(watch.detector.name, sensor))

    def next(self) -> Job | None:
        """The job of the newest window that is due and still open; None where none is."""
        while self._due:
            end_us, name, sensor = newest = max(self._due)
            self._due.remove(newest)
            if job := self._scheduler.early(name, sensor, end_us):
                return job
        return None

    def _add(self, watch: Watch, sensor: str, ends_us: Iterable[int]) -> None:
        self._due.update((end_us, watch.detector.name, sensor) for end_us in ends_us)
