"""All hours and windows of a hunt on Spark: each derived table and each detector in one query, or a few."""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from ...detect.evaluate import Derivation, Evaluation, derived_schema, literal, names, result, session
from ...detect.scheduler import Watch
from ...detect.windows import Window
from ...errors import AegisError
from ...plugin import MICROS, DerivedTable, Detector, Finding
from ...store.views import View, create_view
from ..hunt import Hunt
from . import frames
from .frames import Source, spark_schema, table_view, windows_view
from .lift import WINDOW, Unliftable
from .numbers import Numbers, numbered
from .query import ROWS, steps
from .score import RESULT, finding, scorer
from .translate import Untranslatable

log = logging.getLogger(__name__)
MOST_SLICES = 1_000_000  # windows in a query times what each sees, in steps of the detector
SMALL_ROWS = 2_000_000
SMALL = {  # of a lake so small that planning and compiling is all that takes time
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
TRIES = 3
LOST = "CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND"
T = TypeVar("T")
Windows = Mapping[str, Sequence[Window]]  # by sensor


@dataclass
class OnSpark:
    """Runs a hunt's windows on a Spark session that is there."""

    spark: SparkSession
    _made: dict[str, DataFrame] = field(default_factory=dict)
    _kept: list[DataFrame] = field(default_factory=list)  # for the query that runs now
    _hours: dict[str, dict[str, set[int]]] = field(default_factory=dict)  # of these: by table and sensor

    def run(self, hunt: Hunt) -> None:
        plan = hunt.plan
        try:
            for place, table in enumerate(plan.tables.values()):
                hunt.progress(f"hours: {table.name}", place, len(plan.tables))
                self._hours_of(hunt, table)
            for place, watch in enumerate(plan.watches.values()):
                hunt.progress(f"windows: {watch.detector.name}", place, len(plan.watches))
                self._detect(hunt, watch)
        finally:
            self._forget()
            self._hours.clear()

    def _hours_of(self, hunt: Hunt, table: type[DerivedTable]) -> None:
        try:
            self._again(lambda: self.derive(hunt, table))
        except (Py4JError, PySparkException) as error:
            hours = _by_sensor(hunt, lambda sensor: hunt.plan.hours_missing(table, sensor))
            self._failed(hunt, table.name, hours, error)

    def derive(self, hunt: Hunt, table: type[DerivedTable]) -> DataFrame | None:
        """A derived table's hours that are missing, as they would lie in the lake; None where none is missing."""
        hours = _by_sensor(hunt, lambda sensor: hunt.plan.hours_missing(table, sensor))
        if not hours:
            return None
        numbers = numbered(hours)
        work = Derivation(table, "", 0, self._empty(hunt, table))
        with self._session(hunt) as spark:
            windows = windows_view(spark, numbers, hours)
            rows = self._result(spark, hunt, work, numbers, hours)
            schema = derived_schema(table)
            columns = [c.name for c in table.columns]
            named = rows.toDF(WINDOW, *columns)
            whole = named.join(f.broadcast(windows), WINDOW).select(
                *columns, f.col("of_sensor").alias("sensor"), f.col("start_us").alias("hour_us")
            )
            typed = whole.select(*(f.col(c.name).cast(c.dataType) for c in spark_schema(schema)))
            kept = typed.persist()
            hours_made: dict[str, set[int]] = defaultdict(set)
            for sensor, hour in kept.select("sensor", "hour_us").distinct().collect():
                hours_made[sensor].add(hour)
        self._made[table.name], self._hours[table.name] = kept, hours_made
        return kept

    @contextmanager
    def features(self, hunt: Hunt, watch: Watch, windows: Windows) -> Iterator[tuple[Numbers, pa.Schema, DataFrame]]:
        """A detector's features over these windows, the window's number first, and the types that DuckDB gives them."""
        self._make_again(hunt, watch.detector)
        numbers = numbered(windows)
        work = Evaluation(watch.detector, "", Window(0, 0), self._empty(hunt, watch.detector), watch.tuning)
        with self._session(hunt) as spark:
            windows_view(spark, numbers, windows)
            yield numbers, _types(work), self._result(spark, hunt, work, numbers, windows)

    def windows_of(self, hunt: Hunt, detector: type[Detector], sensor: str) -> list[Window]:
        """The windows of a sensor that are to be evaluated, hours that were made among those that hold rows."""
        needed = detector.needs or (*detector.reads, *detector.derived)
        if not any(self._hours.get(name, {}).get(sensor) or hunt.past.segments(name, sensor) for name in needed):
            return []
        made = {hour for name in detector.derived for hour in self._hours.get(name, {}).get(sensor, ())}
        return hunt.plan.windows_of(detector, sensor, made)

    def _detect(self, hunt: Hunt, watch: Watch) -> None:
        windows = _by_sensor(hunt, lambda sensor: self.windows_of(hunt, watch.detector, sensor))
        if not windows:
            return
        try:
            self._detect_there(hunt, watch, windows)
        except (Unliftable, Untranslatable, AnalysisException) as error:
            log.warning("%s runs on this machine, for its query does not carry over: %s", watch.detector.name, error)
            self._detect_here(hunt, watch, windows)

    def _detect_there(self, hunt: Hunt, watch: Watch, windows: Windows) -> None:
        """In as many queries as are needed that none goes through too many windows."""
        name = watch.detector.name
        for some in batches(windows, watch.detector):
            try:
                found = self._again(partial(self._found, hunt, watch, some))
            except AnalysisException:
                raise
            except (Py4JError, PySparkException) as error:
                self._failed(hunt, name, some, error)
                continue
            with hunt.past.transaction() as tx:
                for (sensor, window), its in found:
                    hunt.decider.window(tx, name, sensor, window, its)

    def _found(self, hunt: Hunt, watch: Watch, windows: Windows) -> list[tuple[tuple[str, Window], list[Finding]]]:
        found: dict[int, list[Finding]] = defaultdict(list)
        with self.features(hunt, watch, windows) as (numbers, schema, rows):
            scored = rows.mapInArrow(scorer(watch.detector, watch.tuning, numbers, schema), RESULT)
            for number, text in scored.collect():
                found[number].append(finding(text))
        return [
            (
                (numbers.sensor(number), numbers.window(number)),
                sorted(its, key=lambda one: [str(one.entity[c]) for c in watch.detector.entity]),
            )
            for number, its in sorted(found.items())
        ]

    def _again(self, work: Callable[[], T]) -> T:
        """What it gives; where an executor was lost with what was kept on it, that is made anew, and it runs again."""
        for left in reversed(range(TRIES)):
            try:
                return work()
            except (Py4JError, PySparkException) as error:
                if not left or LOST not in str(error):
                    raise
                log.warning("an executor was lost with rows that were kept there; they are made again")
                self._forget()
        raise AssertionError("unreachable")

    def _forget(self) -> None:
        """Lets go of the derived hours that were made; they are made anew where they are read."""
        for frame in self._made.values():
            with contextlib.suppress(Py4JError, OSError):
                frame.unpersist()
        self._made.clear()

    def _failed(self, hunt: Hunt, name: str, windows: Windows, error: Exception) -> None:
        """Notes windows that could not be evaluated; the hunt goes on, and tells of them at its end."""
        why = reason(error)
        if has_ended(self.spark):
            raise Ended(why) from error
        log.error("%s: %s", name, why)
        log.debug("%s", name, exc_info=error)
        with hunt.past.transaction() as tx:
            for sensor, some in windows.items():
                for window in some:
                    hunt.past.note_failed_window(tx, sensor, name, window.start_us, window.end_us, why)

    def _detect_here(self, hunt: Hunt, watch: Watch, windows: Windows) -> None:
        """A detector whose query is DuckDB's alone, such as a correlation of Sigma: window by window on the driver."""
        self._again(partial(self._take, hunt, watch.detector, windows))
        for job in hunt.plan.jobs(watch, windows):
            job.run_here()

    def _take(self, hunt: Hunt, detector: type[Detector], sensors: Collection[str]) -> None:
        self._make_again(hunt, detector)
        for name in self._made.keys() & set(detector.derived):
            for sensor in sensors:
                rows = self._made[name].where(f.col("sensor") == sensor).toArrow()
                hunt.plan.take(sensor, name, rows.cast(derived_schema(hunt.plan.tables[name])))

    def _make_again(self, hunt: Hunt, detector: type[Detector]) -> None:
        """The derived hours that a detector reads, where they were let go of."""
        for name in self._hours.keys() & set(detector.derived) - self._made.keys():
            self.derive(hunt, hunt.plan.tables[name])

    @contextmanager
    def _session(self, hunt: Hunt) -> Iterator[SparkSession]:
        """A session with views of its own; what was kept for its query is let go at the end."""
        spark = self.spark.newSession()
        if sum(s.rows for s in hunt.past.living("derived = 0", ())) < SMALL_ROWS:
            for key, value in SMALL.items():
                spark.conf.set(key, value)
        try:
            yield spark
        finally:
            for frame in self._kept:
                with contextlib.suppress(Py4JError, OSError):
                    frame._jdf.queryExecution().analyzed().rdd().unpersist(False)
            self._kept.clear()

    def _result(
        self,
        spark: SparkSession,
        hunt: Hunt,
        work: Evaluation | Derivation,
        numbers: Numbers,
        windows: Windows,
    ) -> DataFrame:
        """The query's rows. What later steps read more than once is computed once.

        It is cut off there (a local checkpoint): what is only cached is still planned again wherever it is read, so
        that a query of thirty steps would be planned for hours.
        """
        pairs = self._views(spark, hunt, work.plugin, numbers, windows)
        rows = None
        for step in steps(work, numbers, pairs):
            rows = spark.sql(step.sql)
            if step.columns:
                rows = rows.toDF(*([WINDOW] if rows.columns[0] == WINDOW else []), *step.columns)
            if step.name:
                kept = rows.localCheckpoint(eager=False) if step.uses > 1 else _cut(rows)
                self._kept += [kept] if step.uses > 1 else []
                kept.createOrReplaceTempView(step.name)
        assert rows is not None
        return rows

    def _views(
        self,
        spark: SparkSession,
        hunt: Hunt,
        plugin: type[Detector] | type[DerivedTable],
        numbers: Numbers,
        windows: Windows,
    ) -> Mapping[str, Collection[str]]:
        """Makes the views of all tables that the query reads; those whose rows are still to be paired."""
        needed, pairs = names(plugin), {}
        for name in plugin.reads:
            sources = [_source(hunt, plugin, name, sensor, some, needed) for sensor, some in windows.items()]
            paired = any(s.view.pairs for s in sources)
            table_view(spark, f"{name}{ROWS}" if paired else name, sources, numbers)
            if paired:
                pairs[name] = (*sources[0].view.schema.names, "ts_us", "end_us")
        if issubclass(plugin, Detector):
            for name in plugin.derived:
                seen = [_derived_source(hunt, plugin, name, sensor, some, needed) for sensor, some in windows.items()]
                table_view(spark, name, seen, numbers, self._made.get(name))
        return pairs

    def _empty(self, hunt: Hunt, plugin: type[Detector] | type[DerivedTable]) -> tuple[View, ...]:
        logs = [View(name, hunt.schema(name), 0, 0) for name in plugin.reads]
        tables = [
            View(name, derived_schema(hunt.plan.tables[name]), 0, 0, derived=True)
            for name in getattr(plugin, "derived", ())
        ]
        return (*logs, *tables)


def batches(windows: Windows, detector: type[Detector]) -> Iterator[dict[str, list[Window]]]:
    """The windows in runs of neighbours, each small enough for one query."""
    seen_s = detector.window_s + max(detector.lookback_s, detector.past_s)
    most = max(1, MOST_SLICES * detector.every_s // seen_s)
    ordered = sorted((w.end_us, sensor, w) for sensor, some in windows.items() for w in some)
    for start in range(0, len(ordered), most):
        batch: dict[str, list[Window]] = defaultdict(list)
        for _, sensor, window in ordered[start : start + most]:
            batch[sensor].append(window)
        yield dict(batch)


class Ended(AegisError):
    """Spark is not there any more."""

    def __init__(self, why: object) -> None:
        super().__init__(f"Spark has ended: {why}; its driver may need more memory (spark.driver.memory)")


def has_ended(spark: SparkSession) -> bool:
    try:
        return bool(spark.sparkContext._jsc.sc().isStopped())
    except (Py4JError, OSError):
        return True


def reason(error: Exception) -> str:
    """What is told of an error of Spark's: its own line, or the last one of the Python worker's."""
    lines = [line.strip(": ") for line in str(error).splitlines() if line and not line[0].isspace()]
    traced = [n for n, line in enumerate(lines) if line.startswith("Traceback")]
    if traced:
        return lines[min(traced[-1] + 1, len(lines) - 1)]
    return next((line for line in lines if not line.startswith("An error occurred while calling")), repr(error))


def _cut(rows: DataFrame) -> DataFrame:
    """The same rows, whose plan is done: what reads them is planned without them. They are still computed later."""
    spark: Any = rows.sparkSession
    planned = rows._jdf.queryExecution()
    made = spark._jsparkSession.internalCreateDataFrame(planned.toRdd(), planned.analyzed().schema(), False)
    return DataFrame(made, spark)


def _by_sensor(hunt: Hunt, windows: object) -> dict[str, list[Window]]:
    """The windows of each sensor that has any."""
    made = {sensor: list(windows(sensor)) for sensor in hunt.past.sensors}  # type: ignore[operator]
    return {sensor: some for sensor, some in made.items() if some}


def _source(
    hunt: Hunt,
    plugin: type[Detector] | type[DerivedTable],
    name: str,
    sensor: str,
    windows: Sequence[Window],
    needed: Collection[str],
) -> Source:
    """A log's table as the windows of a sensor see it: where Zeek began to write it later, Suricata's rows before."""
    back_us = (plugin.lookback_s if issubclass(plugin, Detector) else 0) * MICROS
    span = Window(min(w.start_us for w in windows) - back_us, max(w.end_us for w in windows))
    view = hunt.past.view(name, sensor, span.start_us, span.end_us, hunt.schema(name))
    shown = dict.fromkeys(windows, view.source)
    if len(hunt.past.sources(name, sensor, before_us=span.end_us)) > 1:
        shown = {w: hunt.past.shown_source(name, sensor, before_us=w.end_us) or "" for w in windows}
        others = [
            hunt.past.segments(name, sensor, source=s, start_us=span.start_us, end_us=span.end_us)
            for s in sorted(set(shown.values()))
        ]
        paths = tuple(str(s.path) for some in others for s in some)
        view = replace(view, paths=paths, source=view.source if len(set(shown.values())) == 1 else "")
    return Source(sensor, frames.of(view, needed), back_us, shown)


def _derived_source(
    hunt: Hunt,
    detector: type[Detector],
    name: str,
    sensor: str,
    windows: Sequence[Window],
    needed: Collection[str],
) -> Source:
    back_us = (detector.past_s or detector.lookback_s) * MICROS
    start, end = min(w.start_us for w in windows) - back_us, max(w.end_us for w in windows)
    view = hunt.past.derived_view(name, sensor, start, end, derived_schema(hunt.plan.tables[name]))
    return Source(sensor, frames.of(view, needed), back_us, dict.fromkeys(windows, ""))


def _types(work: Evaluation) -> pa.Schema:
    """What DuckDB types the features as: of no rows, it tells at once."""
    with session(work.limits) as connection:
        for view in work.views:
            create_view(connection, view)
        schema: pa.Schema = result(connection, work.sql(literal(0), literal(0)), streamed=False).schema
        return schema
