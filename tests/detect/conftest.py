"""Recorded logs as enriched tables, by scenario and format."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.decode import decode
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import HOUR_US, MICROS
from aegis_enrich.tables import TABLES
from aegis_plugins.enrichers.domain import Domain
from aegis_plugins.enrichers.geo import Geo
from aegis_plugins.enrichers.networks import Networks

LAB = Path(__file__).parents[1] / "data" / "lab"
ENRICHMENT = Enrichment([Networks({}), Domain({}), Geo({})])


@pytest.fixture(scope="session")
def schema() -> Callable[[str], pa.Schema]:
    """A table's columns with those of the enrichers."""
    return ENRICHMENT.schema


@pytest.fixture(scope="session")
def lab() -> Callable[..., Mapping[str, pa.Table]]:
    """Reads a recorded scenario in one format: `tsv`, `json` or `eve.json.gz`; `made` gives rows made for it."""
    return _lab


@cache
def _lab(scenario: str, form: str = "tsv") -> Mapping[str, pa.Table]:
    if form == "made":
        return {"quic": _made_quic, "flux": _made_flux, "smb": _made_smb, "days": _made_days}[scenario]()
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
    return _tables({"quic": rows, "conn": rows})


def _made_flux() -> Mapping[str, pa.Table]:
    """A name with ever new addresses, asked for by three clients over an hour's edge, and what they connect to."""
    rows = [
        {
            "ts": 475_000 * HOUR_US + number * 97 * MICROS,
            "end_ts": 475_000 * HOUR_US + number * 97 * MICROS,
            "uid": f"C{number:04}",
            "sensor": "sensor",
            "source": "zeek",
            "orig_h": f"10.0.0.{number % 3}",
            "resp_h": f"45.{number}.113.7",
            "resp_p": 53,
            "proto": "udp",
            "query": f"www{number % 2}.flux.example",
            "qtype_name": "A",
            "rcode_name": "NOERROR",
            "answers": ["front.example", f"45.{number}.113.7", f"91.{number}.113.7"],
            "TTLs": [60.0, 120.0, 120.0],
        }
        for number in range(60)
    ]
    return _tables({"dns": rows, "conn": rows})


def _made_smb() -> Mapping[str, pa.Table]:
    """Programs copied to admin shares, services made, sessions listed, over an hour's edge: no scenario has Windows."""
    rows = [
        {
            "ts": 475_000 * HOUR_US + number * 97 * MICROS,
            "end_ts": 475_000 * HOUR_US + number * 97 * MICROS,
            "uid": f"C{number:04}",
            "sensor": "sensor",
            "source": "zeek",
            "orig_h": f"10.0.0.{number % 2}",
            "resp_h": f"10.0.1.{number % 7}",
            "resp_p": 445,
            "path": rf"\\10.0.1.{number % 7}\ADMIN$",
            "name": f"tool{number % 3}.exe",
            "action": "SMB::FILE_OPEN" if number % 4 else "SMB::FILE_WRITE",
            "filename": f"tool{number % 3}.exe",
            "source_protocol": "SMB",
            "is_orig": number % 3 == 0,
            "endpoint": "svcctl" if number % 2 else "srvsvc",
            "operation": "CreateServiceW" if number % 2 else "NetrSessionEnum",
        }
        for number in range(60)
    ]
    return _tables(dict.fromkeys(("dce_rpc", "smb_mapping", "smb_files", "files"), rows))


def _made_days() -> Mapping[str, pa.Table]:
    """Four hours of a client as always, and a day later one in which it does much else: baselines need days."""
    always = {"resp_h": "198.51.100.7", "resp_p": 443, "proto": "tcp", "service": "ssl", "history": "ShADadFf"}
    other = {"resp_p": 20_000, "proto": "udp", "service": None, "history": "Dd", "resp_ip_bytes": 90_000_000}
    whats = [(hour, always | {"resp_ip_bytes": 400_000}) for hour in range(4) for _ in range(25)]
    whats += [(28, other | {"resp_h": f"203.0.113.{n}"}) for n in range(25)]
    whats += [(28, always | {"resp_h": "203.0.113.99", "service": "ssh", "resp_ip_bytes": 6_000})]
    rows = [
        {
            "ts": (475_000 + hour) * HOUR_US + number % 26 * 40 * MICROS,
            "end_ts": (475_000 + hour) * HOUR_US + (number % 26 * 40 + 9) * MICROS,
            "uid": f"C{number:04}",
            "sensor": "sensor",
            "source": "zeek",
            "orig_h": "10.0.0.1",
            "orig_p": 40_000 + number,
            "duration": 9.0,
            "conn_state": "SF",
            "orig_bytes": 500,
            "resp_bytes": 5_000,
            "orig_pkts": 9,
            "resp_pkts": 90,
            "orig_ip_bytes": 900,
            **what,
        }
        for number, (hour, what) in enumerate(whats)
    ]
    return _tables({"conn": rows})


def _tables(rows: Mapping[str, list[dict[str, Any]]]) -> Mapping[str, pa.Table]:
    tables = {
        name: pa.table([pa.array([r.get(f.name) for r in given], f.type) for f in schema], schema=schema)
        for name, given in rows.items()
        for schema in [TABLES[name].schema]
    }
    return {name: ENRICHMENT.apply(name, table) for name, table in tables.items()}
