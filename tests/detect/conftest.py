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
    """Reads a recorded scenario in one format: `tsv`, `json` or `eve.json.gz`."""
    return _lab


@cache
def _lab(scenario: str, form: str = "tsv") -> Mapping[str, pa.Table]:
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
