"""Says which hour or window is to be evaluated next, and makes its result durable together with its sealed mark."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa

from ..plugin import HOUR_US, MICROS, DerivedTable, Detector, Finding
from ..store import DiskFull, Store
from ..store.views import View
from .evaluate import Derivation, Evaluation, Limits, derived_schema, shards_for, stamped
from .watermark import Watermarks
from .windows import Window, floor_to, sealed_end, with_rows

log = logging.getLogger(__name__)

NEVER_US = -(2**62)
TRIES = 3  # an evaluation that fails is run again, in four times as many shards each time


@dataclass(frozen=True)
class Watch:
    """A detector in force: what its rule made of it."""

    detector: type[Detector]
    tuning: Any
    lateness_s: int | None = None  # the rule's, where the site's sensor differs


class Decide(Protocol):
    """What takes findings; runs inside the transaction that seals their window, where it is sealed.

    `early`: found in the detector's early tables alone, so that the window's evaluation takes their place.
    """

    def __call__(
        self,
        tx: sqlite3.Connection,
        detector: str,
        sensor: str,
        window: Window,
        found: Sequence[Finding],
        *,
        early: bool = False,
    ) -> None: ...


@dataclass(frozen=True)
class Job:
    """One evaluation, to be run anywhere, and what makes its result durable, to be called by the state's writer."""

    work: Evaluation | Derivation
    commit: Callable[[Any], None]
    failed: Callable[[Exception], None]
    renewed: Callable[[int], Job]  # the same job over views made now, in so many shards

    @property
    def end_us(self) -> int:
        return self.work.window.end_us if isinstance(self.work, Evaluation) else self.work.hour_us + HOUR_US

    @property
    def rows(self) -> int:
        """In the segments behind it, at most."""
        return sum(view.rows for view in self.work.views)

    def part(self, of: int) -> Evaluation | Derivation:
        """The work with a part of the memory, in one thread."""
        return replace(self.work, limits=self.work.limits.part(of))

    def again(self) -> Job:
        """The job for a further try: its files may have been merged meanwhile, or its shards have been too large."""
        key = self.work.detector.shard_key if isinstance(self.work, Evaluation) else self.work.table.shard_key
        return self.renewed(self.work.shards * 4 if key else 1)

    def run_here(self) -> None:
        """Runs it in this process, with its further tries."""
        job = self
        for left in reversed(range(TRIES)):
            try:
                result = job.work.run()
            except Exception as error:  # noqa: BLE001  a detector is a plugin: what it raises is contained here
                if left:
                    job = job.again()
                else:
                    self.failed(error)
            else:
                self.commit(result)
                return


class Scheduler:
    """Walks each sensor's and detector's windows in the order of event time; the store's marks are its state."""

    def __init__(
        self,
        store: Store,
        watches: Sequence[Watch],
        tables: Mapping[str, type[DerivedTable]],
        schema: Callable[[str], pa.Schema],
        decide: Decide,
        sealed: Callable[[sqlite3.Connection, str], None],
        limits: Limits,
    ) -> None:
        """`sealed` is told, in the transaction, which unit's mark has moved on."""
        self.store = store
        self.watches = {w.detector.name: w for w in watches}
        needed = {t for w in watches for t in w.detector.derived}
        self.tables = {name: table for name, table in tables.items() if name in needed}
        self.schema = schema
        self.decide = decide
        self.sealed = sealed
        self.limits = limits
        self._temporary: dict[tuple[str, str], list[pa.Table]] = {}

    def due(self, marks: Watermarks, *, now_s: float) -> Job | None:
        """The job with the earliest end among those whose time has come; marks of empty spans go on by themselves."""
        jobs = []
        for sensor in marks.sensors():
            jobs += [j for t in self.tables.values() if (j := self._due_hour(t, sensor, marks, now_s))]
            jobs += [j for w in self.watches.values() if (j := self._due_window(w, sensor, marks, now_s))]
        return min(jobs, key=lambda j: j.end_us, default=None)

    def _due_hour(self, table: type[DerivedTable], sensor: str, marks: Watermarks, now_s: float) -> Job | None:
        span = self._hours_span(table, sensor, marks, now_s)
        if span is None:
            return None
        unit = f"hour:{table.name}"
        for job in self._hour_jobs(table, sensor, *span, unit):
            return job
        self._seal(sensor, unit, span[1])
        return None

    def _due_window(self, watch: Watch, sensor: str, marks: Watermarks, now_s: float) -> Job | None:
        span = self._windows_span(watch, sensor, marks, now_s)
        if span is None:
            return None
        unit = f"detector:{watch.detector.name}"
        for job in self._window_jobs(watch, sensor, *span, unit):
            return job
        self._seal(sensor, unit, span[1])
        return None

    def _hours_span(
        self, table: type[DerivedTable], sensor: str, marks: Watermarks, now_s: float
    ) -> tuple[int | None, int] | None:
        """The mark, and up to where hours are due; None where none can be."""
        watermark = marks.of(sensor, table.reads, now_s=now_s)
        if watermark is None:
            return None
        mark = self.store.sealed(sensor, f"hour:{table.name}")
        until = sealed_end(watermark, 3600, self._hour_lateness(table, sensor, mark))
        return None if mark is not None and until <= mark else (mark, until)

    def _windows_span(
        self, watch: Watch, sensor: str, marks: Watermarks, now_s: float
    ) -> tuple[int | None, int] | None:
        """The mark, and up to where windows are due; None where none can be."""
        until = self._sealed_until(watch, sensor, marks, now_s)
        if until is None:
            return None
        mark = self.store.sealed(sensor, f"detector:{watch.detector.name}")
        return None if mark is not None and until <= mark else (mark, until)

    def _hour_jobs(
        self, table: type[DerivedTable], sensor: str, mark: int | None, until: int | None, unit: str | None
    ) -> Iterator[Job]:
        for hour in self.store.hours(table.reads, sensor, after_us=mark):
            if until is None or hour + HOUR_US <= until:
                yield self._hour_job(table, sensor, hour, unit)

    def _window_jobs(
        self, watch: Watch, sensor: str, mark: int | None, until: int | None, unit: str | None
    ) -> Iterator[Job]:
        for window in self._windows(watch.detector, sensor, mark, until):
            yield self._window_job(watch, sensor, window, unit)

    def _sealed_until(self, watch: Watch, sensor: str, marks: Watermarks, now_s: float) -> int | None:
        detector = watch.detector
        mark = self.store.sealed(sensor, f"detector:{detector.name}")
        ends = []
        if detector.reads:
            watermark = marks.of(sensor, detector.reads, now_s=now_s)
            if watermark is None:
                return None
            lateness = watch.lateness_s if watch.lateness_s is not None else self._lateness(detector, sensor, mark)
            ends.append(sealed_end(watermark, detector.every_s, lateness))
        for name in detector.derived:
            hours = self.store.sealed(sensor, f"hour:{name}")
            if hours is not None:
                ends.append(floor_to(hours, detector.every_s * MICROS))
            elif marks.knows(sensor, self.tables[name].reads):
                return None
        return min(ends, default=None)  # a table of no log that is there has no hours to wait for

    def _windows(
        self,
        detector: type[Detector],
        sensor: str,
        mark: int | None,
        until: int | None,
        *,
        tables: tuple[str, ...] = (),
    ) -> Iterator[Window]:
        """The detector's windows that hold rows, those of `tables` where these are given."""
        longest = max(HOUR_US, detector.every_s * MICROS)  # a window's last `every` begins in the hours it lies in
        after = None if mark is None else mark + HOUR_US - longest
        hours = set(self.store.hours(tables or (*detector.reads, *detector.derived), sensor, after_us=after))
        for name in () if tables else detector.derived:
            hours.update(int(t["hour_us"][0].as_py()) for t in self._temporary.get((sensor, name), ()))
        return with_rows(sorted(hours), detector.window_s, detector.every_s, after_us=mark, until_us=until)

    def backlog(self, marks: Watermarks, *, now_s: float) -> Iterator[Iterator[Job]]:
        """The jobs that are due, in groups: run each group to its end, commits in its order, before taking the next.

        Marks of what holds no rows are left to `due`.
        """
        yield (job for sensor in marks.sensors() for job in self._hours_due(sensor, marks, now_s))
        yield (job for sensor in marks.sensors() for job in self._windows_due(sensor, marks, now_s))

    def _hours_due(self, sensor: str, marks: Watermarks, now_s: float) -> Iterator[Job]:
        for table in self.tables.values():
            span = self._hours_span(table, sensor, marks, now_s)
            if span is not None:
                yield from self._hour_jobs(table, sensor, *span, f"hour:{table.name}")

    def _windows_due(self, sensor: str, marks: Watermarks, now_s: float) -> Iterator[Job]:
        for watch in self.watches.values():
            span = self._windows_span(watch, sensor, marks, now_s)
            if span is not None:
                yield from self._window_jobs(watch, sensor, *span, f"detector:{watch.detector.name}")

    def finish(self, sensors: Sequence[str]) -> Iterator[Iterator[Job]]:
        """The jobs of what is not sealed when the input has ended, in groups as `backlog`'s. Seals nothing."""
        self._temporary = {}
        yield (job for sensor in sensors for job in self._hours_left(sensor))
        yield (job for sensor in sensors for job in self._windows_left(sensor))
        self._temporary = {}

    def _hours_left(self, sensor: str) -> Iterator[Job]:
        for table in self.tables.values():
            yield from self._hour_jobs(table, sensor, self.store.sealed(sensor, f"hour:{table.name}"), None, None)

    def _windows_left(self, sensor: str) -> Iterator[Job]:
        for name, watch in self.watches.items():
            yield from self._window_jobs(watch, sensor, self.store.sealed(sensor, f"detector:{name}"), None, None)

    def early(self, name: str, sensor: str, end_us: int) -> Job | None:
        """The job that tells of a window before it is sealed, by its early tables alone; None once it is sealed."""
        watch = self.watches[name]
        mark = self.store.sealed(sensor, f"detector:{name}")
        if mark is not None and end_us <= mark:
            return None
        return self._early_job(watch, sensor, Window(end_us - watch.detector.window_s * MICROS, end_us))

    def early_ends(self, name: str, sensor: str) -> list[int]:
        """The ends of the windows that hold rows of the detector's early tables and are not sealed."""
        detector = self.watches[name].detector
        mark = self.store.sealed(sensor, f"detector:{name}")
        return [w.end_us for w in self._windows(detector, sensor, mark, None, tables=detector.early)]

    def _early_job(self, watch: Watch, sensor: str, window: Window, shards: int = 0) -> Job:
        detector = watch.detector
        start = window.start_us - detector.lookback_s * MICROS
        views = tuple(
            self._view(name, sensor, start, window.end_us)
            if name in detector.early
            else View(name, self.schema(name), start, window.end_us)
            for name in detector.reads
        )
        shards = shards or shards_for(sum(v.rows for v in views), detector.shard_key)

        def commit(found: Sequence[Finding]) -> None:
            with self.store.transaction() as tx:
                self.decide(tx, detector.name, sensor, window, found, early=True)

        def failed(error: Exception) -> None:
            log.warning("%s: a window could not be told of early, so it is told once sealed: %s", detector.name, error)

        def renewed(shards: int) -> Job:
            return self._early_job(watch, sensor, window, shards)

        evaluation = Evaluation(detector, sensor, window, views, watch.tuning, self.limits, shards)
        return Job(evaluation, commit, failed, renewed)

    def _hour_job(self, table: type[DerivedTable], sensor: str, hour: int, unit: str | None, shards: int = 0) -> Job:
        views = tuple(self._view(name, sensor, hour, hour + HOUR_US) for name in table.reads)
        shards = shards or shards_for(sum(v.rows for v in views), table.shard_key)

        def commit(rows: pa.Table) -> None:
            whole = stamped(rows, sensor, hour)
            self._forget_failure(sensor, table.name, hour + HOUR_US)
            if unit is not None:
                self.store.commit_derived(table.name, sensor, hour, whole, unit)
            elif whole.num_rows:
                self._temporary.setdefault((sensor, table.name), []).append(whole)

        def failed(error: Exception) -> None:
            self._note_failure(sensor, table.name, Window(hour, hour + HOUR_US), unit, error)

        def renewed(shards: int) -> Job:
            return self._hour_job(table, sensor, hour, unit, shards)

        return Job(Derivation(table, sensor, hour, views, self.limits, shards), commit, failed, renewed)

    def _window_job(self, watch: Watch, sensor: str, window: Window, unit: str | None, shards: int = 0) -> Job:
        detector = watch.detector
        start = window.start_us - detector.lookback_s * MICROS
        past = window.start_us - (detector.past_s or detector.lookback_s) * MICROS
        views = tuple(
            [self._view(name, sensor, start, window.end_us) for name in detector.reads]
            + [self._view(name, sensor, past, window.end_us, derived=True) for name in detector.derived]
        )
        shards = shards or shards_for(sum(v.rows for v in views), detector.shard_key)

        def commit(found: Sequence[Finding]) -> None:
            self._forget_failure(sensor, detector.name, window.end_us)
            with self.store.transaction() as tx:
                self.decide(tx, detector.name, sensor, window, found)
                if unit is not None:
                    self._mark(tx, sensor, unit, window.end_us)

        def failed(error: Exception) -> None:
            self._note_failure(sensor, detector.name, window, unit, error)

        def renewed(shards: int) -> Job:
            return self._window_job(watch, sensor, window, unit, shards)

        evaluation = Evaluation(detector, sensor, window, views, watch.tuning, self.limits, shards)
        return Job(evaluation, commit, failed, renewed)

    def _view(self, name: str, sensor: str, start_us: int, end_us: int, *, derived: bool = False) -> View:
        if derived:
            schema, temporary = derived_schema(self.tables[name]), self._temporary.get((sensor, name), ())
            return self.store.derived_view(name, sensor, start_us, end_us, schema, temporary)
        return self.store.view(name, sensor, start_us, end_us, self.schema(name))

    def _hour_lateness(self, table: type[DerivedTable], sensor: str, mark: int | None) -> int:
        """A derived table's own lateness, or the longest that a rule gives to a detector that reads it."""
        of_rules = [w.lateness_s for w in self.watches.values() if table.name in w.detector.derived]
        return max((s for s in of_rules if s is not None), default=self._lateness(table, sensor, mark))

    def _lateness(self, plugin: type[Detector] | type[DerivedTable], sensor: str, mark: int | None) -> int:
        """That of the windows behind `mark`: Suricata's, where one of them may show its rows of a table."""
        before_us = NEVER_US if mark is None else mark + HOUR_US
        by_suricata = any(
            "suricata" in self.store.sources(t, sensor)
            and "zeek" not in self.store.sources(t, sensor, before_us=before_us)
            for t in plugin.reads
        )
        return plugin.lateness_suricata_s if by_suricata else plugin.lateness_s

    def _seal(self, sensor: str, unit: str, until: int) -> None:
        with self.store.transaction() as tx:
            self._mark(tx, sensor, unit, until)

    def _mark(self, tx: sqlite3.Connection, sensor: str, unit: str, until: int) -> None:
        self.store.seal(tx, sensor, unit, until)
        self.sealed(tx, unit)

    def _note_failure(self, sensor: str, name: str, window: Window, unit: str | None, error: Exception) -> None:
        if isinstance(error, DiskFull) or "no space left" in str(error).lower():  # a spill: the window is due again
            raise DiskFull("no space left on the disk for an evaluation; make room", where=str(self.store.root))
        log.error(
            "%s: the window that ends at %d s could not be evaluated and is passed over: %s",
            name,
            window.end_us // MICROS,
            error,
        )
        with self.store.transaction() as tx:
            self.store.note_failed_window(tx, sensor, name, window.start_us, window.end_us, str(error))
            if unit is not None:
                self._mark(tx, sensor, unit, window.end_us)

    def _forget_failure(self, sensor: str, name: str, end_us: int) -> None:
        """A window that failed while it was open, and is evaluated now that there are more rows, has failed no more."""
        this = (sensor, name, end_us)
        if self.store.query("SELECT 1 FROM windows_failed WHERE sensor = ? AND detector = ? AND end_us = ?", this):
            with self.store.transaction() as tx:
                tx.execute("DELETE FROM windows_failed WHERE sensor = ? AND detector = ? AND end_us = ?", this)
