"""The tables that a plugin's query reads, over many windows of many sensors, as Spark's temporary views."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t
from pyspark.sql.pandas.types import from_arrow_schema

from ...detect.windows import Window
from ...store.views import View
from .lift import WINDOW, WINDOWS
from .numbers import Numbers

_TIME = t.TimestampType()


@dataclass(frozen=True)
class Source:
    """One table as all windows of one sensor see it. `view`: over all of them, with all columns that are needed.

    `back_us`: how far before its start a window sees rows; `shown`: whose rows a window sees, "" for a derived table's.
    """

    sensor: str
    view: View
    back_us: int
    shown: Mapping[Window, str]


def windows_view(spark: SparkSession, numbers: Numbers, windows: Mapping[str, Sequence[Window]]) -> DataFrame:
    """The view of all windows: number, sensor and bounds."""
    rows = [(numbers.of(s, w), s, w.start_us, w.end_us) for s, some in sorted(windows.items()) for w in some]
    frame = spark.createDataFrame(_columns(rows, (WINDOW, "of_sensor", "start_us", "end_us")))
    frame.createOrReplaceTempView(WINDOWS)
    return frame


def table_view(
    spark: SparkSession, name: str, sources: Sequence[Source], numbers: Numbers, made: DataFrame | None = None
) -> None:
    """The view of a table: its rows once for each window that sees them, with the window's number.

    `made`: hours of a derived table that are in no segment.
    """
    schema = sources[0].view.schema
    derived = sources[0].view.derived
    time = "hour_us" if derived else "end_us"
    rows = _rows(spark, schema, [s.view for s in sources], derived)
    if made is not None:
        rows = rows.unionByName(made.select(*rows.columns))
    slice_us, slices = _slices(sources, numbers)
    at = spark.createDataFrame(slices)
    slice_of = f.floor((f.col(time) - f.lit(numbers.first_end_us)) / f.lit(slice_us)).cast("long")
    match = (slice_of == at["in_slice"]) & (rows["sensor"] == at["of_sensor"])
    if not derived:
        match = match & (rows["source"] == at["of_source"])
    seen = rows.join(f.broadcast(at), match).drop("in_slice", "of_sensor", "of_source")
    seen.createOrReplaceTempView(name)


def _rows(spark: SparkSession, schema: pa.Schema, views: Sequence[View], derived: bool) -> DataFrame:
    """The rows of the segments in the span of all windows; columns that a segment lacks are null."""
    paths = sorted({path for view in views for path in view.paths})
    wanted = spark_schema(schema)
    reader = spark.read.schema(wanted).option("__globPaths__", "false")  # a * in a path is a *
    rows = reader.parquet(*(f"file://{path}" for path in paths)) if paths else spark.createDataFrame([], wanted)
    start, end = min(v.start_us for v in views), max(v.end_us for v in views)
    if derived:
        return rows.where((f.col("hour_us") >= start) & (f.col("hour_us") < end))
    rows = rows.where(
        (f.col("end_ts") >= f.timestamp_micros(f.lit(start))) & (f.col("end_ts") < f.timestamp_micros(f.lit(end)))
    )
    return rows.withColumn("ts_us", f.unix_micros("ts")).withColumn("end_us", f.unix_micros("end_ts"))


def _slices(sources: Sequence[Source], numbers: Numbers) -> tuple[int, Any]:
    """The longest slices of time into which all windows can be cut, and which of them each window sees."""
    begins = [w.start_us - s.back_us for s in sources for w in s.shown]
    step = gcd(
        *(numbers.first_end_us - b for b in begins),
        *(w.end_us - numbers.first_end_us for s in sources for w in s.shown),
    )
    rows = []
    for source in sources:
        for window, shown in source.shown.items():
            first = (window.start_us - source.back_us - numbers.first_end_us) // step
            last = (window.end_us - numbers.first_end_us) // step
            number = numbers.of(source.sensor, window)
            rows += [(number, source.sensor, shown, place) for place in range(first, last)]
    return step, _columns(rows, (WINDOW, "of_sensor", "of_source", "in_slice"))


def _columns(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> pa.Table:
    return pa.table({name: pa.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


def spark_schema(schema: pa.Schema) -> t.StructType:
    """Columns of ours as Spark's."""
    return from_arrow_schema(schema, prefer_timestamp_ntz=False)


def of(view: View, names: Collection[str]) -> View:
    """The view with the columns that are needed, those by which rows find their window among them."""
    more = () if view.derived else ("sensor", "source")
    made = view.of({*names, *more, "sensor"})
    return replace(made, schema=made.schema)
