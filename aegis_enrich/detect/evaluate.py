"""Runs one detector over one window, or one derived table over one hour: a query, then a score; no state."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from ..config import size_bytes
from ..plugin import CONTEXT, HOUR_US, DerivedTable, Detector, Finding
from ..store.views import View, create_view
from ..tables import TYPES
from .windows import Window

CHUNK_ROWS = 50_000
SHARD_ROWS = 8_000_000  # rows behind one query above which it is run per hash shard
UIDS = 20
_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)", re.IGNORECASE)
_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)
_local = threading.local()
warnings.filterwarnings("ignore", "Arrow output on a DB-API result makes an extra copy")  # wanted, see _result


@dataclass(frozen=True)
class Limits:
    """What one query may use."""

    memory: str = "512MB"
    threads: int = 2
    spill: Path | None = None

    def part(self, of: int) -> Limits:
        """Those of one of so many queries at a time, in a thread each."""
        return replace(self, memory=f"{size_bytes(self.memory) // of // 1_000_000}MB", threads=1)


@dataclass(frozen=True)
class Evaluation:
    """One detector over one window of one sensor."""

    detector: type[Detector]
    sensor: str
    window: Window
    views: tuple[View, ...]
    tuning: Any
    limits: Limits = field(default_factory=Limits)
    shards: int = 1
    chunk_rows: int = CHUNK_ROWS

    @property
    def plugin(self) -> type[Detector]:
        return self.detector

    def at(self, window: Window) -> Evaluation:
        """The same of another window."""
        return replace(self, window=window)

    def run(self) -> list[Finding]:
        """Its findings, in the order of entity; raises what DuckDB or the score raises."""
        if nothing_in(self):
            return []
        return self.made(_batches(self, self.sql(literal(self.window.start_us), literal(self.window.end_us))))

    def sql(self, start: str, end: str) -> str:
        """Its query, with these expressions for the window's bounds."""
        tunables = {f.name: literal(getattr(self.tuning, f.name)) for f in fields(self.tuning)}
        return _filled(self.detector.sql(), {"window_start": start, "window_end": end} | tunables)

    def made(self, batches: Iterable[pa.RecordBatch]) -> list[Finding]:
        """Its findings of the rows that its query gave."""
        plugin = self.detector()
        found: list[Finding] = []
        for features in _chunks(batches, self.chunk_rows):
            scored = plugin.score(features, self.tuning)
            found.extend(findings(self.detector, self.sensor, self.window, scored))
        return sorted(found, key=lambda f: [str(f.entity[c]) for c in self.detector.entity])


@dataclass(frozen=True)
class Derivation:
    """One derived table over one hour of one sensor."""

    table: type[DerivedTable]
    sensor: str
    hour_us: int
    views: tuple[View, ...]
    limits: Limits = field(default_factory=Limits)
    shards: int = 1

    @property
    def plugin(self) -> type[DerivedTable]:
        return self.table

    @property
    def window(self) -> Window:
        return Window(self.hour_us, self.hour_us + HOUR_US)

    def at(self, window: Window) -> Derivation:
        """The same of another hour."""
        return replace(self, hour_us=window.start_us)

    def run(self) -> pa.Table:
        """Its rows, with the declared columns in their types."""
        if nothing_in(self):
            return self.made(())
        return self.made(_batches(self, self.sql(literal(self.window.start_us), literal(self.window.end_us))))

    def sql(self, start: str, end: str) -> str:
        """Its query, with these expressions for the hour's bounds."""
        return _filled(self.table.sql(), {"hour_start": start, "hour_end": end})

    def made(self, batches: Iterable[pa.RecordBatch]) -> pa.Table:
        """The rows that its query gave, in their types."""
        schema = pa.schema([(c.name, TYPES[c.kind]) for c in self.table.columns])
        rows = [pa.Table.from_batches([batch]).cast(schema) for batch in batches]
        return pa.concat_tables([schema.empty_table(), *rows])


def nothing_in(work: Evaluation | Derivation) -> bool:
    """Whether no table holds a row without which nothing comes out: planning a query to learn that takes 20 ms."""
    needed = work.plugin.needs
    return not any(view.holds for view in work.views if not needed or view.name in needed)


def derived_schema(table: type[DerivedTable]) -> pa.Schema:
    """A derived table as it lies in the lake: its columns, then `sensor` and `hour_us`."""
    columns = [(c.name, TYPES[c.kind]) for c in table.columns]
    return pa.schema([*columns, ("sensor", pa.string()), ("hour_us", pa.int64())])


def stamped(rows: pa.Table, sensor: str, hour_us: int) -> pa.Table:
    """What a `Derivation` gave, with the columns that the engine adds."""
    named = rows.append_column("sensor", pa.repeat(pa.scalar(sensor, pa.string()), rows.num_rows))
    return named.append_column("hour_us", pa.repeat(pa.scalar(hour_us, pa.int64()), rows.num_rows))


def shards_for(rows: int, shard_key: str) -> int:
    """How many hash shards a query over so many rows is run in; 1 where the plugin names no key."""
    return max(1, -(-rows // SHARD_ROWS)) if shard_key else 1


def findings(detector: type[Detector], sensor: str, window: Window, scored: pd.DataFrame) -> Iterator[Finding]:
    """What a score gave, as findings: floats rounded to 6 digits, NaN as null, the first uids only."""
    context = [c for c in scored.columns if c in CONTEXT and c not in detector.entity]
    for row in scored.to_dict("records"):
        last_us = int(row["last_us"])
        period = row.get("period_us")
        yield Finding(
            detector=detector.name,
            sensor=sensor,
            window_start_us=window.start_us,
            window_end_us=window.end_us,
            entity={c: _named(row[c]) for c in detector.entity},
            context={c: v for c in context if (v := _named(row[c])) is not None},
            score=round(float(row["score"]), 6),
            first_us=int(row["first_us"]),
            last_us=last_us,
            period_us=last_us if period is None or pd.isna(period) else int(period),
            evidence=plain(row["evidence"]),
            reason=str(row["reason"]),
            uids=tuple(uid for uid in plain(row["uids"]) or () if uid)[:UIDS],
        )


def _named(value: Any) -> Any:
    """A value of an entity or context; ports and times that pandas made floats, beside a null, are whole again."""
    made = plain(value)
    return int(made) if isinstance(made, float) and made.is_integer() else made


def plain(value: Any) -> Any:
    """A value as JSON has it: no NumPy types, no NaN, floats rounded to 6 digits."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return round(value, 6) if isinstance(value, float) else value


@contextmanager
def session(limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session in UTC of this thread's engine, with views of its own, that reads no configuration of the user's.

    The engine is in memory, spills to `limits.spill`, and stays for the next query, for making one takes longer than
    many a query; where something fails, the next query gets a new one.
    """
    engines: dict[Limits, duckdb.DuckDBPyConnection] = _local.__dict__.setdefault("engines", {})
    if limits not in engines:
        engines[limits] = _engine(limits)
    try:
        with engines[limits].cursor() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except Exception:
        engines.pop(limits).close()
        raise


def _engine(limits: Limits) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute(f"SET memory_limit = {literal(limits.memory)}")
    connection.execute(f"SET threads = {int(limits.threads)}")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET enable_external_file_cache = false")  # the system caches files
    if limits.spill is not None:
        connection.execute(f"SET temp_directory = {literal(str(limits.spill))}")
    return connection


def literal(value: Any) -> str:
    """A parameter as SQL: whole numbers are BIGINT, others DOUBLE. (Binding takes longer than parsing the query.)"""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int):
        return f"CAST({value} AS BIGINT)"
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    return f"[{', '.join(map(literal, value))}]"


def _chunks(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pd.DataFrame]:
    for batch in batches:
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows).to_pandas()


def _filled(sql: str, parameters: Mapping[str, str]) -> str:
    return _PARAMETER.sub(lambda match: parameters.get(match[1], match[0]), sql)


def names(plugin: type[Detector] | type[DerivedTable]) -> frozenset[str]:
    """Every name in its query and that of its shard key: of its tables' columns, more are not needed."""
    return frozenset(_NAME.findall(plugin.sql())) | {plugin.shard_key}


def _batches(work: Evaluation | Derivation, sql: str) -> Iterator[pa.RecordBatch]:
    """The query's result, shard by shard."""
    key, shards, needed = work.plugin.shard_key, work.shards, names(work.plugin)
    for shard in range(shards):
        with session(work.limits) as connection:
            for view in work.views:
                create_view(connection, view.of(needed), shard=(key, shards, shard) if shards > 1 else None)
            yield from result(connection, sql, streamed=shards > 1)


def result(connection: duckdb.DuckDBPyConnection, sql: str, *, streamed: bool) -> pa.RecordBatchReader:
    """Planned once and copied whole; or planned twice, which is as long as many a query takes, and streamed."""
    if streamed:
        return connection.sql(sql).to_arrow_reader(CHUNK_ROWS)
    return connection.execute(sql).to_arrow_reader(CHUNK_ROWS)
