"""Hours of made and recorded rows, and what a derived table makes of them."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.decode import decode
from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import HOUR_US, MICROS, DerivedTable
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.enrichers.domain import Domain
from aegis_plugins.enrichers.networks import Networks

DATA = Path(__file__).parents[2] / "data"
ENRICHMENT = Enrichment([Networks({}), Domain({})])
HOUR = 475_000 * HOUR_US

Tables = Mapping[str, pa.Table]


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Tables]:
    """Reads a folder of logs below tests/data, or an eve.json.gz."""
    return _recorded


@pytest.fixture(scope="session")
def hours() -> Callable[[type[DerivedTable], Tables], list[dict[str, Any]]]:
    """The rows that a derived table makes of all hours of these rows."""
    return _hours


@pytest.fixture(scope="session")
def made() -> Callable[..., Tables]:
    """Makes enriched tables of rows in which `ts` and `duration` are seconds, counted from an hour's start."""
    return _made


@pytest.fixture(scope="session")
def hour() -> Callable[..., list[dict[str, Any]]]:
    """What a derived table makes of made rows, by client."""

    def run(table: type[DerivedTable], **rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return sorted(_hours(table, _made(**rows)), key=lambda row: (row["orig_h"], row.get("resp_h", ""), row["uid"]))

    return run


@cache
def _recorded(folder: str) -> Tables:
    path, parts = DATA / folder, defaultdict(list)
    for file in sorted(path.glob("*.log*")) if path.is_dir() else [path]:
        name, data = file.name.split(".")[0], file.read_bytes()
        if name not in TABLES and name != "eve":
            continue
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        for table, rows in decode(name, data, offset=0, context="", sensor="s").tables.items():
            parts[table].append(ENRICHMENT.apply(table, rows))
    return {table: pa.concat_tables(tables) for table, tables in parts.items()}


def _made(**rows: Sequence[Mapping[str, Any]]) -> Tables:
    return {table: ENRICHMENT.apply(table, _table(table, given)) for table, given in rows.items()}


def _table(table: str, given: Sequence[Mapping[str, Any]]) -> pa.Table:
    filled = []
    for number, row in enumerate(given):
        ts = HOUR + round(row.get("ts", number) * MICROS)
        end_ts = ts + round((row.get("duration") or 0) * MICROS)
        plain = {
            "uid": f"C{number:06}",
            "sensor": "s",
            "source": "zeek",
            "orig_h": "10.0.0.1",
            "resp_h": "198.51.100.7",
        }
        filled.append(plain | dict(row) | {"ts": ts, "end_ts": end_ts})
    schema = TABLES[table].schema
    return pa.table([pa.array([r.get(f.name) for r in filled], f.type) for f in schema], schema=schema)


def _hours(table: type[DerivedTable], tables: Tables) -> list[dict[str, Any]]:
    held = [tables[name]["end_ts"].cast(pa.int64()).to_pylist() for name in table.reads if name in tables]
    found = []
    for start in sorted({t // HOUR_US * HOUR_US for times in held for t in times}):
        end = start + HOUR_US
        views = tuple(View(n, ENRICHMENT.schema(n), start, end, temporary=tables.get(n)) for n in table.reads)
        found += Derivation(table, "s", start, views).run().to_pylist()
    return found
