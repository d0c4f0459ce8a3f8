"""Which hours and windows a hunt evaluates: all that hold rows in its span; hours that are there are not made again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

import pyarrow as pa

from ..detect.jobs import Job, Jobs
from ..detect.scheduler import Scheduler, Watch
from ..detect.windows import Window, with_rows
from ..plugin import HOUR_US, MICROS, DerivedTable, Detector
from .past import Past


class Plan(Scheduler):
    """The scheduler of the end of the input, over a `Past`; the marks of detectors are the start of its span."""

    store: Past

    def _hours(
        self, table: type[DerivedTable], sensor: str, mark: int | None, until: int | None = None
    ) -> Iterator[Window]:
        """The hours that hold rows, in reach of a window of the span, and of which the table has none yet."""
        present = self.store.present(table.name, sensor)
        for window in super()._hours(table, sensor, self._since(table, sensor), until):
            if window.start_us not in present:
                yield window

    def _since(self, table: type[DerivedTable], sensor: str) -> int | None:
        """From where on an hour of a table may be read by a window that is to be evaluated."""
        marks = [
            (self.store.sealed(sensor, f"detector:{w.detector.name}"), _reach_us(w.detector))
            for w in self.watches.values()
            if table.name in w.detector.derived
        ]
        starts = [None if mark is None else mark - reach_us for mark, reach_us in marks]
        return None if None in starts else min((s for s in starts if s is not None), default=None)

    def hours_missing(self, table: type[DerivedTable], sensor: str) -> list[Window]:
        """The hours of a derived table that are to be made."""
        holding = set(self.store.hours(table.needs or table.reads, sensor))
        return [hour for hour in self._hours(table, sensor, None) if hour.start_us in holding]

    def windows_of(self, detector: type[Detector], sensor: str, made: Collection[int] = ()) -> list[Window]:
        """The windows that are to be evaluated. `made`: hours of its derived tables that are in no segment."""
        mark = self.store.sealed(sensor, f"detector:{detector.name}")
        back_us = max(HOUR_US, detector.every_s * MICROS) - HOUR_US
        after_us = None if mark is None else mark - back_us
        hours = {*self.store.hours((*detector.reads, *detector.derived), sensor, after_us=after_us), *made}
        return list(with_rows(sorted(hours), detector.window_s, detector.every_s, after_us=mark))

    def take(self, sensor: str, table: str, rows: pa.Table) -> None:
        """Hours of a derived table that were made elsewhere, for windows that are evaluated here."""
        self._temporary[sensor, table] = [rows]

    def jobs(self, watch: Watch, windows: Mapping[str, Sequence[Window]]) -> Iterator[Job | Jobs]:
        """The jobs of a detector's windows by sensor, to be run here."""
        for sensor, some in windows.items():
            yield from self._together(
                list(some),
                partial(self._window_job, watch, sensor, until=None),
                partial(self._evaluation, watch, sensor),
                partial(self._commit_windows, watch, sensor, None),
            )


def _reach_us(detector: type[Detector]) -> int:
    """How long before its end a window sees rows of derived tables."""
    return (detector.window_s + (detector.past_s or detector.lookback_s)) * MICROS + HOUR_US
