"""Recorded logs as enriched tables, by scenario and format."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from aegis_enrich.decode import decode
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import HOUR_US, MICROS
from aegis_enrich.tables import TABLES
from aegis_plugins.enrichers.domain import Domain
from aegis_plugins.enrichers.networks import Networks

LAB = Path(__file__).parents[1] / "data" / "lab"
ENRICHMENT = Enrichment([Networks({}), Domain({})])


@pytest.fixture(scope="session")
def schema() -> Callable[[str], pa.Schema]:
    """A table's columns with those of the enrichers."""
    return ENRICHMENT.schema


@pytest.fixture(scope="session")
def lab() -> Callable[..., Mapping[str, pa.Table]]:
    """Reads a recorded scenario in one format: `tsv`, `json` or `eve.json.gz`; `made` gives made rows of QUIC."""
    return _lab


@cache
def _lab(scenario: str, form: str = "tsv") -> Mapping[str, pa.Table]:
    if form == "made":
        return _made_quic()
    path = LAB / scenario / form
    parts = defaultdict(list)
    for file in sorted(path.glob("*.log*")) if path.is_dir() else [path]:
        name, data = file.name.split(".")[0], file.read_bytes()
        if name not in TABLES and name != "eve":
            continue
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        for table, rows in decode(name, data, offset=0, context="", sensor="sensor").tables.items():
            parts[table].append(ENRICHMENT.apply(table, rows))
    return {table: pa.concat_tables(tables) for table, tables in parts.items()}


def _made_quic() -> Mapping[str, pa.Table]:
    """QUIC of three clients over an hour's edge: no recorded sensor could read it."""
    rows = [
        {
            "ts": 475_000 * HOUR_US + number * 97 * MICROS,
            "end_ts": 475_000 * HOUR_US + number * 97 * MICROS,
            "uid": f"C{number:04}",
            "sensor": "sensor",
            "source": "zeek",
            "orig_h": f"10.0.0.{number % 3}",
            "resp_h": f"198.51.100.{number % 7}",
            "resp_p": 443,
            "proto": "udp",
            "service": "quic" if number % 4 else None,
            "orig_pkts": 5 + number,
            "orig_ip_bytes": 1_000 + 100 * number,
            "resp_ip_bytes": 9_000,
            "version": "1" if number % 5 else "draft-29",
            "server_name": f"www{number % 4}.example.com",
            "client_initial_dcid": f"{number * 2654435761 % 2**64:016x}",
            "ja4": f"q13{number % 2}",
        }
        for number in range(60)
    ]
    columns = {name: TABLES[name].schema for name in ("quic", "conn")}
    tables = {
        n: pa.table([pa.array([r.get(f.name) for r in rows], f.type) for f in s], schema=s) for n, s in columns.items()
    }
    return {name: ENRICHMENT.apply(name, table) for name, table in tables.items()}
