"""Says which hour or window is to be evaluated next, and makes its result durable together with its sealed mark."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pyarrow as pa

from ..plugin import HOUR_US, MICROS, DerivedTable, Detector, Finding
from ..store import DiskFull, Store
from ..store.views import View
from .evaluate import Derivation, Evaluation, Limits, derived_schema, shards_for, stamped
from .jobs import Job, Jobs
from .together import ROWS, WINDOWS, Together, spanning
from .watermark import Watermarks
from .windows import Window, floor_to, sealed_end, with_rows

log = logging.getLogger(__name__)

NEVER_US = -(2**62)


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
        mark, until = span
        for hour in self._hours(table, sensor, mark, until):
            return self._hour_job(table, sensor, hour, until)
        self._seal(sensor, _unit(table), until)
        return None

    def _due_window(self, watch: Watch, sensor: str, marks: Watermarks, now_s: float) -> Job | None:
        span = self._windows_span(watch, sensor, marks, now_s)
        if span is None:
            return None
        mark, until = span
        for window in self._windows(watch.detector, sensor, mark, until):
            return self._window_job(watch, sensor, window, until)
        self._seal(sensor, _unit(watch.detector), until)
        return None

    def _hours_span(
        self, table: type[DerivedTable], sensor: str, marks: Watermarks, now_s: float
    ) -> tuple[int | None, int] | None:
        """The mark, and up to where hours are due; None where none can be."""
        watermark = marks.of(sensor, table.reads, now_s=now_s)
        if watermark is None:
            return None
        mark = self.store.sealed(sensor, _unit(table))
        until = sealed_end(watermark, 3600, self._hour_lateness(table, sensor, mark))
        return None if mark is not None and until <= mark else (mark, until)

    def _windows_span(
        self, watch: Watch, sensor: str, marks: Watermarks, now_s: float
    ) -> tuple[int | None, int] | None:
        """The mark, and up to where windows are due; None where none can be."""
        until = self._sealed_until(watch, sensor, marks, now_s)
        if until is None:
            return None
        mark = self.store.sealed(sensor, _unit(watch.detector))
        return None if mark is not None and until <= mark else (mark, until)

    def _hours(
        self, table: type[DerivedTable], sensor: str, mark: int | None, until: int | None = None
    ) -> Iterator[Window]:
        """The hours that hold rows of what the table reads."""
        for hour in self.store.hours(table.reads, sensor, after_us=mark):
            if until is None or hour + HOUR_US <= until:
                yield Window(hour, hour + HOUR_US)

    def _sealed_until(self, watch: Watch, sensor: str, marks: Watermarks, now_s: float) -> int | None:
        detector = watch.detector
        mark = self.store.sealed(sensor, _unit(detector))
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

    def finish(
        self, sensors: Sequence[str], marks: Watermarks | None = None, *, now_s: float = 0.0
    ) -> Iterator[Iterator[Job | Jobs]]:
        """The jobs of all that is not sealed when the input has ended; what is due by these marks is sealed, else none.

        In groups: run each to its end, commits in its order, before taking the next.
        """
        self._temporary = {}
        yield (job for sensor in sensors for job in self._hours_left(sensor, marks, now_s))
        yield (job for sensor in sensors for job in self._windows_left(sensor, marks, now_s))
        self._temporary = {}

    def _hours_left(self, sensor: str, marks: Watermarks | None, now_s: float) -> Iterator[Job | Jobs]:
        for table in self.tables.values():
            span = self._hours_span(table, sensor, marks, now_s) if marks else None
            until = span[1] if span else None
            yield from self._together(
                list(self._hours(table, sensor, self.store.sealed(sensor, _unit(table)))),
                partial(self._hour_job, table, sensor, until=until),
                partial(self._derivation, table, sensor),
                partial(self._commit_hours, table, sensor, until),
            )

    def _windows_left(self, sensor: str, marks: Watermarks | None, now_s: float) -> Iterator[Job | Jobs]:
        for table in self.tables.values():
            if marks and (span := self._hours_span(table, sensor, marks, now_s)):
                self._seal(sensor, _unit(table), span[1])  # the hours that hold rows are sealed
        for watch in self.watches.values():
            span = self._windows_span(watch, sensor, marks, now_s) if marks else None
            until = span[1] if span else None
            yield from self._together(
                list(self._windows(watch.detector, sensor, self.store.sealed(sensor, _unit(watch.detector)), None)),
                partial(self._window_job, watch, sensor, until=until),
                partial(self._evaluation, watch, sensor),
                partial(self._commit_windows, watch, sensor, until),
            )

    def _together(
        self,
        windows: Sequence[Window],
        alone: Callable[[Window], Job],
        over: Callable[[Window], Evaluation | Derivation],
        commit: Callable[[Sequence[Window], Sequence[Any]], None],
    ) -> Iterator[Job | Jobs]:
        """As many windows in one query as hold few rows together."""
        if len(windows) < 2:
            yield from map(alone, windows)
        elif len(windows) <= WINDOWS and self._may(together := Together(over(spanning(windows)), tuple(windows))):
            yield Jobs(together, partial(commit, windows), partial(map, alone, windows))
        else:
            half = len(windows) // 2
            yield from self._together(windows[:half], alone, over, commit)
            yield from self._together(windows[half:], alone, over, commit)

    def _may(self, together: Together) -> bool:
        """Whether it holds few rows, and the windows' views show no other rows than one over all of them."""
        sensor, first_us = together.work.sensor, together.windows[0].end_us
        return together.rows <= ROWS and not any(
            view.pairs
            or (
                len(self.store.sources(view.name, sensor, before_us=view.end_us)) > 1
                and self.store.shown_source(view.name, sensor, before_us=first_us) != view.source
            )
            for view in together.views
            if not view.derived
        )

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

    def _hour_job(
        self, table: type[DerivedTable], sensor: str, hour: Window, until: int | None, shards: int = 0
    ) -> Job:
        def commit(rows: pa.Table) -> None:
            self._commit_hours(table, sensor, until, [hour], [rows])

        def failed(error: Exception) -> None:
            self._note_failure(sensor, table, hour, until, error)

        def renewed(shards: int) -> Job:
            return self._hour_job(table, sensor, hour, until, shards)

        return Job(self._derivation(table, sensor, hour, shards), commit, failed, renewed)

    def _derivation(self, table: type[DerivedTable], sensor: str, span: Window, shards: int = 0) -> Derivation:
        views = tuple(self._view(name, sensor, span.start_us, span.end_us) for name in table.reads)
        shards = shards or shards_for(sum(v.rows for v in views), table.shard_key)
        return Derivation(table, sensor, span.start_us, views, self.limits, shards)

    def _commit_hours(
        self,
        table: type[DerivedTable],
        sensor: str,
        until: int | None,
        hours: Sequence[Window],
        made: Sequence[pa.Table],
    ) -> None:
        for hour, rows in zip(hours, made, strict=True):
            whole = stamped(rows, sensor, hour.start_us)
            self._forget_failure(sensor, table.name, hour.end_us)
            if until is not None and hour.end_us <= until:
                self.store.commit_derived(table.name, sensor, hour.start_us, whole, _unit(table))
            elif whole.num_rows:
                self._temporary.setdefault((sensor, table.name), []).append(whole)

    def _window_job(self, watch: Watch, sensor: str, window: Window, until: int | None, shards: int = 0) -> Job:
        def commit(found: Sequence[Finding]) -> None:
            self._commit_windows(watch, sensor, until, [window], [found])

        def failed(error: Exception) -> None:
            self._note_failure(sensor, watch.detector, window, until, error)

        def renewed(shards: int) -> Job:
            return self._window_job(watch, sensor, window, until, shards)

        return Job(self._evaluation(watch, sensor, window, shards), commit, failed, renewed)

    def _evaluation(self, watch: Watch, sensor: str, span: Window, shards: int = 0) -> Evaluation:
        detector = watch.detector
        start = span.start_us - detector.lookback_s * MICROS
        past = span.start_us - (detector.past_s or detector.lookback_s) * MICROS
        views = tuple(
            [self._view(name, sensor, start, span.end_us) for name in detector.reads]
            + [self._view(name, sensor, past, span.end_us, derived=True) for name in detector.derived]
        )
        shards = shards or shards_for(sum(v.rows for v in views), detector.shard_key)
        return Evaluation(detector, sensor, span, views, watch.tuning, self.limits, shards)

    def _commit_windows(
        self,
        watch: Watch,
        sensor: str,
        until: int | None,
        windows: Sequence[Window],
        found: Sequence[Sequence[Finding]],
    ) -> None:
        name = watch.detector.name
        for window in windows:
            self._forget_failure(sensor, name, window.end_us)
        with self.store.transaction() as tx:
            for window, its in zip(windows, found, strict=True):
                self.decide(tx, name, sensor, window, its)
                if until is not None and window.end_us <= until:
                    self._mark(tx, sensor, _unit(watch.detector), window.end_us)

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

    def _note_failure(
        self,
        sensor: str,
        plugin: type[Detector] | type[DerivedTable],
        window: Window,
        until: int | None,
        error: Exception,
    ) -> None:
        if isinstance(error, DiskFull) or "no space left" in str(error).lower():  # a spill: the window is due again
            raise DiskFull("no space left on the disk for an evaluation; make room", where=str(self.store.root))
        log.error(
            "%s: the window that ends at %d s could not be evaluated and is passed over: %s",
            plugin.name,
            window.end_us // MICROS,
            error,
        )
        with self.store.transaction() as tx:
            self.store.note_failed_window(tx, sensor, plugin.name, window.start_us, window.end_us, str(error))
            if until is not None and window.end_us <= until:
                self._mark(tx, sensor, _unit(plugin), window.end_us)

    def _forget_failure(self, sensor: str, name: str, end_us: int) -> None:
        """A window that failed while it was open, and is evaluated now that there are more rows, has failed no more."""
        this = (sensor, name, end_us)
        if self.store.query("SELECT 1 FROM windows_failed WHERE sensor = ? AND detector = ? AND end_us = ?", this):
            with self.store.transaction() as tx:
                tx.execute("DELETE FROM windows_failed WHERE sensor = ? AND detector = ? AND end_us = ?", this)


def _unit(plugin: type[Detector] | type[DerivedTable]) -> str:
    """Under which name the store knows its mark."""
    return f"{'detector' if issubclass(plugin, Detector) else 'hour'}:{plugin.name}"
