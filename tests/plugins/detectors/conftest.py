"""Runs a detector over logs or over rows made by hand, window by window, as the engine does at the input's end."""

from __future__ import annotations

import gzip
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich import registry
from aegis_enrich.detect.evaluate import Derivation, Evaluation, derived_schema
from aegis_enrich.detect.windows import Window, with_rows
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import HOUR_US, MICROS, DerivedTable, Detector, Finding
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.enrichers.domain import Domain
from aegis_plugins.enrichers.geo import Geo
from aegis_plugins.enrichers.networks import Networks

TESTS = Path(__file__).parents[2]
LAB = TESTS / "data" / "lab"
PUBLIC = Path(os.environ.get("AEGIS_PUBLIC_DATA", TESTS.parents[1] / "shared" / "data" / "public"))
ENRICHMENT = Enrichment([Networks({}), Domain({}), Geo({})])

Tables = Mapping[str, pa.Table]
Rows = Sequence[Mapping[str, Any]]


@pytest.fixture(scope="session")
def logs() -> Callable[[Path], Tables]:
    """Reads a folder of logs (or one file of them) into enriched tables."""
    return _logs


@pytest.fixture(scope="session")
def lab() -> Callable[[str, str], Tables]:
    """Reads a recorded scenario in one format: `tsv`, `json` or `eve.json.gz`."""
    return lambda scenario, form="tsv": _logs(LAB / scenario / form)


@pytest.fixture(scope="session")
def public() -> Callable[[str], Tables]:
    """Reads logs of other projects, which are not part of this one; skips where they are not there."""

    def read(folder: str) -> Tables:
        if not (PUBLIC / folder).is_dir():
            pytest.skip(f"no {PUBLIC / folder}; AEGIS_PUBLIC_DATA names the folder")
        return _logs(PUBLIC / folder)

    return read


@pytest.fixture(scope="session")
def rows() -> Callable[[str, Rows], Tables]:
    """Makes an enriched table of rows in which `ts` and `end_ts` are seconds of one hour, and what is left out null."""

    def make(table: str, given: Rows) -> Tables:
        filled = []
        for number, row in enumerate(given):
            ts = 475_000 * HOUR_US + round(row["ts"] * MICROS)
            end_ts = ts + round(row.get("duration", 0) * MICROS)
            filled.append(
                {"uid": f"C{number:06}", "sensor": "s", "source": "zeek"} | row | {"ts": ts, "end_ts": end_ts}
            )
        schema = TABLES[table].schema
        columns = [pa.array([r.get(f.name) for r in filled], f.type) for f in schema]
        return {table: ENRICHMENT.apply(table, pa.table(columns, schema=schema))}

    return make


@pytest.fixture(scope="session")
def evaluate() -> Callable[..., list[Finding]]:
    """Runs a detector over every window of `tables`, with the derived tables that it needs made of them."""
    return _evaluate


@pytest.fixture(scope="session")
def derive() -> Callable[[type[DerivedTable], Tables], pa.Table]:
    """Makes a derived table of all hours of `tables`."""
    return _derive


@pytest.fixture(scope="session")
def judge() -> Callable[..., list[Finding]]:
    """Runs a detector over the window that ends `end_h` hours after the first, of derived tables whose rows are given:
    `hour` instead of `hour_us`, what is left out null."""
    return _judge


def _judge(
    detector: type[Detector],
    given: Mapping[type[DerivedTable], Rows],
    end_h: int,
    plain: Tables | None = None,
    **tuning: Any,
) -> list[Finding]:
    made = {}
    for table in detector.derived:
        kind = next((k for k in given if k.name == table), None) or registry.load().tables[table]
        schema = derived_schema(kind)
        filled = [{"sensor": "s", **r, "hour_us": (475_000 + r["hour"]) * HOUR_US} for r in given.get(kind, ())]
        made[table] = pa.table(
            {f.name: pa.array([r.get(f.name) for r in filled], f.type) for f in schema}, schema=schema
        )
    end = (475_000 + end_h) * HOUR_US
    window = Window(end - detector.window_s * MICROS, end)
    return Evaluation(
        detector, "s", window, tuple(_views(detector, plain or {}, made, window)), detector.tuning(**tuning)
    ).run()


def _logs(path: Path) -> Tables:
    from aegis_enrich.decode import decode

    parts = defaultdict(list)
    for file in sorted(path.glob("*.log*")) if path.is_dir() else [path]:
        name, data = file.name.split(".")[0], file.read_bytes()
        if name not in TABLES and name != "eve":
            continue
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        decoded = decode(name, data, offset=0, context="", sensor="s")
        for table, rows in decoded.tables.items():
            parts[table].append(ENRICHMENT.apply(table, rows))
    return {table: pa.concat_tables(tables) for table, tables in parts.items()}


def _evaluate(
    detector: type[Detector], tables: Tables, derived: Sequence[type[DerivedTable]] = (), shards: int = 1, **tuning: Any
) -> list[Finding]:
    made = {table.name: _derive(table, tables) for table in derived}
    held = {h for table in detector.reads if table in tables for h in _hours(tables[table])}
    held |= {h for table in made.values() for h in table["hour_us"].to_pylist()}
    found = []
    for window in with_rows(sorted(held), detector.window_s, detector.every_s, after_us=None):
        views = tuple(_views(detector, tables, made, window))
        work = Evaluation(detector, "s", window, views, detector.tuning(**tuning), shards=shards)
        found.extend(work.run())
    return found


def _views(detector: type[Detector], tables: Tables, made: Tables, window: Window) -> Iterator[View]:
    start = window.start_us - detector.lookback_s * MICROS
    for name in detector.reads:
        yield View(name, ENRICHMENT.schema(name), start, window.end_us, temporary=tables.get(name))
    past = window.start_us - (detector.past_s or detector.lookback_s) * MICROS
    for name, table in made.items():
        yield View(name, table.schema, past, window.end_us, derived=True, temporary=table)


def _derive(table: type[DerivedTable], tables: Tables) -> pa.Table:
    parts = []
    for hour in sorted({h for name in table.reads if name in tables for h in _hours(tables[name])}) or [0]:
        end = hour + HOUR_US
        views = tuple(View(n, ENRICHMENT.schema(n), hour, end, temporary=tables.get(n)) for n in table.reads)
        rows = Derivation(table, "s", hour, views).run()
        rows = rows.append_column("sensor", pa.array(["s"] * len(rows), pa.string()))
        parts.append(rows.append_column("hour_us", pa.array([hour] * len(rows), pa.int64())))
    return pa.concat_tables(parts)


def _hours(table: pa.Table) -> set[int]:
    return {t // HOUR_US * HOUR_US for t in table["end_ts"].cast(pa.int64()).to_pylist()}
