"""Says which hour or window is to be evaluated next, and makes its result durable together with its sealed mark."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa

from ..plugin import HOUR_US, DerivedTable, Detector, Finding
from ..store import Store
from ..store.views import View
from ..tables import TYPES
from .evaluate import Derivation, Evaluation, Limits, shards_for
from .watermark import Watermarks
from .windows import Window, floor_to, sealed_end, with_rows

log = logging.getLogger(__name__)

TRIES = 3  # an evaluation that fails is run again, in four times as many shards each time


@dataclass(frozen=True)
class Watch:
    """A detector in force: what its rule made of it."""

    detector: type[Detector]
    tuning: Any
    lateness_s: int | None = None  # the rule's, where the site's sensor differs


class Decide(Protocol):
    """What takes findings; runs inside the transaction that seals their window."""

    def __call__(
        self, tx: sqlite3.Connection, detector: str, sensor: str, window: Window, found: Sequence[Finding]
    ) -> None: ...


@dataclass(frozen=True)
class Job:
    """One evaluation, to be run anywhere, and what makes its result durable, to be called by the state's writer."""

    work: Evaluation | Derivation
    commit: Callable[[Any], None]
    failed: Callable[[Exception], None]

    @property
    def end_us(self) -> int:
        return self.work.window.end_us if isinstance(self.work, Evaluation) else self.work.hour_us + HOUR_US

    def in_smaller_shards(self) -> Job:
        key = self.work.detector.shard_key if isinstance(self.work, Evaluation) else self.work.table.shard_key
        return replace(self, work=replace(self.work, shards=self.work.shards * 4)) if key else self

    def run_here(self) -> None:
        """Runs it in this process, with its further tries."""
        job = self
        for left in reversed(range(TRIES)):
            try:
                result = job.work.run()
            except Exception as error:  # noqa: BLE001  a detector is a plugin: what it raises is contained here
                if not left:
                    self.failed(error)
                job = job.in_smaller_shards()
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
        watermark = marks.of(sensor, table.reads, now_s=now_s)
        if watermark is None:
            return None
        unit, until = f"hour:{table.name}", sealed_end(watermark, 3600, self._lateness(table, sensor))
        mark = self.store.sealed(sensor, unit)
        for hour in self.store.hours(table.reads, sensor):
            if (mark is None or hour + HOUR_US > mark) and hour + HOUR_US <= until:
                return self._hour_job(table, sensor, hour, unit)
        self._seal(sensor, unit, mark, until)
        return None

    def _due_window(self, watch: Watch, sensor: str, marks: Watermarks, now_s: float) -> Job | None:
        detector = watch.detector
        unit = f"detector:{detector.name}"
        until = self._sealed_until(watch, sensor, marks, now_s)
        if until is None:
            return None
        mark = self.store.sealed(sensor, unit)
        for window in self._windows(detector, sensor, mark, until):
            return self._window_job(watch, sensor, window, unit)
        self._seal(sensor, unit, mark, until)
        return None

    def _sealed_until(self, watch: Watch, sensor: str, marks: Watermarks, now_s: float) -> int | None:
        detector = watch.detector
        ends = []
        if detector.reads:
            watermark = marks.of(sensor, detector.reads, now_s=now_s)
            if watermark is None:
                return None
            lateness = watch.lateness_s if watch.lateness_s is not None else self._lateness(detector, sensor)
            ends.append(sealed_end(watermark, detector.every_s, lateness))
        for name in detector.derived:
            hours = self.store.sealed(sensor, f"hour:{name}")
            if hours is None:
                return None
            ends.append(floor_to(hours, detector.every_s * 1_000_000))
        return min(ends)

    def _windows(self, detector: type[Detector], sensor: str, mark: int | None, until: int | None) -> Iterator[Window]:
        hours = set(self.store.hours((*detector.reads, *detector.derived), sensor))
        for name in detector.derived:
            hours.update(int(t["hour_us"][0].as_py()) for t in self._temporary.get((sensor, name), ()))
        return with_rows(sorted(hours), detector.window_s, detector.every_s, after_us=mark, until_us=until)

    def finish(self, sensors: Sequence[str]) -> Iterator[Job]:
        """The jobs of what is not sealed when the input has ended: run each before taking the next. Seals nothing."""
        self._temporary = {}
        for sensor in sensors:
            for table in self.tables.values():
                mark = self.store.sealed(sensor, f"hour:{table.name}")
                for hour in self.store.hours(table.reads, sensor):
                    if mark is None or hour + HOUR_US > mark:
                        yield self._hour_job(table, sensor, hour, None)
            for watch in self.watches.values():
                mark = self.store.sealed(sensor, f"detector:{watch.detector.name}")
                for window in list(self._windows(watch.detector, sensor, mark, None)):
                    yield self._window_job(watch, sensor, window, None)
        self._temporary = {}

    def _hour_job(self, table: type[DerivedTable], sensor: str, hour: int, unit: str | None) -> Job:
        views = tuple(self._view(name, sensor, hour, hour + HOUR_US) for name in table.reads)
        shards = shards_for(sum(v.rows for v in views), table.shard_key)

        def commit(rows: pa.Table) -> None:
            stamped = rows.append_column("sensor", pa.repeat(pa.scalar(sensor, pa.string()), rows.num_rows))
            stamped = stamped.append_column("hour_us", pa.repeat(pa.scalar(hour, pa.int64()), rows.num_rows))
            if unit is not None:
                self.store.commit_derived(table.name, sensor, hour, stamped, unit)
            elif stamped.num_rows:
                self._temporary.setdefault((sensor, table.name), []).append(stamped)

        def failed(error: Exception) -> None:
            self._note_failure(sensor, table.name, Window(hour, hour + HOUR_US), unit, error)

        return Job(Derivation(table, sensor, hour, views, self.limits, shards), commit, failed)

    def _window_job(self, watch: Watch, sensor: str, window: Window, unit: str | None) -> Job:
        detector = watch.detector
        start = window.start_us - detector.lookback_s * 1_000_000
        views = tuple(
            [self._view(name, sensor, start, window.end_us) for name in detector.reads]
            + [self._view(name, sensor, start, window.end_us, derived=True) for name in detector.derived]
        )
        shards = shards_for(sum(v.rows for v in views), detector.shard_key)

        def commit(found: Sequence[Finding]) -> None:
            with self.store.transaction() as tx:
                self.decide(tx, detector.name, sensor, window, found)
                if unit is not None:
                    self._mark(tx, sensor, unit, window.end_us)

        def failed(error: Exception) -> None:
            self._note_failure(sensor, detector.name, window, unit, error)

        return Job(Evaluation(detector, sensor, window, views, watch.tuning, self.limits, shards), commit, failed)

    def _view(self, name: str, sensor: str, start_us: int, end_us: int, *, derived: bool = False) -> View:
        if derived:
            return self.store.derived_view(
                name, sensor, start_us, end_us, self._derived_schema(name), self._temporary.get((sensor, name), ())
            )
        return self.store.view(name, sensor, start_us, end_us, self.schema(name))

    def _derived_schema(self, name: str) -> pa.Schema:
        columns = [(c.name, TYPES[c.kind]) for c in self.tables[name].columns]
        return pa.schema([*columns, ("sensor", pa.string()), ("hour_us", pa.int64())])

    def _lateness(self, plugin: type[Detector] | type[DerivedTable], sensor: str) -> int:
        filled_by_suricata = any(self.store.shown_source(t, sensor) == "suricata" for t in plugin.reads)
        return plugin.lateness_suricata_s if filled_by_suricata else plugin.lateness_s

    def _seal(self, sensor: str, unit: str, mark: int | None, until: int) -> None:
        if mark is None or until > mark:
            with self.store.transaction() as tx:
                self._mark(tx, sensor, unit, until)

    def _mark(self, tx: sqlite3.Connection, sensor: str, unit: str, until: int) -> None:
        self.store.seal(tx, sensor, unit, until)
        self.sealed(tx, unit)

    def _note_failure(self, sensor: str, name: str, window: Window, unit: str | None, error: Exception) -> None:
        log.error(
            "%s: the window that ends at %d s could not be evaluated and is passed over: %s",
            name,
            window.end_us // 1_000_000,
            error,
        )
        with self.store.transaction() as tx:
            self.store.note_failed_window(tx, sensor, name, window.start_us, window.end_us, str(error))
            if unit is not None:
                self._mark(tx, sensor, unit, window.end_us)
