"""Runs one detector over one window, or one derived table over one hour: a query, then a score; no state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from ..plugin import CONTEXT, DerivedTable, Detector, Finding
from ..store.views import View, create_view
from ..tables import TYPES
from .windows import Window

CHUNK_ROWS = 50_000
SHARD_ROWS = 8_000_000  # rows behind one query above which it is run per hash shard
UIDS = 20
_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Limits:
    """What one query may use."""

    memory: str = "512MB"
    threads: int = 2
    spill: Path | None = None


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

    def run(self) -> list[Finding]:
        """Its findings, in the order of entity; raises what DuckDB or the score raises."""
        sql = self.detector.sql()
        parameters = {"window_start": self.window.start_us, "window_end": self.window.end_us}
        parameters |= {f.name: getattr(self.tuning, f.name) for f in fields(self.tuning)}
        plugin = self.detector()
        found: list[Finding] = []
        for reader in _readers(sql, parameters, self.views, self.detector.shard_key, self.shards, self.limits):
            for features in _chunks(reader, self.chunk_rows):
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

    def run(self) -> pa.Table:
        """Its rows, with the declared columns in their types."""
        window = {"hour_start": self.hour_us, "hour_end": self.hour_us + 3_600_000_000}
        readers = _readers(self.table.sql(), window, self.views, self.table.shard_key, self.shards, self.limits)
        rows = pa.concat_tables([reader.read_all() for reader in readers])
        return rows.cast(pa.schema([(c.name, TYPES[c.kind]) for c in self.table.columns]))


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


def connect(limits: Limits) -> duckdb.DuckDBPyConnection:
    """An engine in memory that spills to `limits.spill`, in UTC, and that reads no configuration of the user's."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET memory_limit = '{limits.memory.replace(chr(39), '')}'")
    connection.execute(f"SET threads = {int(limits.threads)}")
    connection.execute("SET preserve_insertion_order = false")
    if limits.spill is not None:
        connection.execute("SET temp_directory = '" + str(limits.spill).replace("'", "''") + "'")
    return connection


def _chunks(reader: pa.RecordBatchReader, rows: int) -> Iterator[pd.DataFrame]:
    for batch in reader:
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows).to_pandas()


def _readers(
    sql: str, parameters: Mapping[str, Any], views: Sequence[View], shard_key: str, shards: int, limits: Limits
) -> Iterator[pa.RecordBatchReader]:
    """The query's result, a reader a shard, each good until the next is asked for."""
    named = set(_PARAMETER.findall(sql))
    used = {name: value for name, value in parameters.items() if name in named}
    for shard in range(shards):
        with connect(limits) as connection:
            for view in views:
                create_view(connection, view, shard=(shard_key, shards, shard) if shards > 1 else None)
            yield connection.sql(sql, params=used).to_arrow_reader(CHUNK_ROWS)
