"""Every declared feature: computed, in its range on recorded logs, and null where what it is made of is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich import registry
from aegis_enrich.plugin import DerivedTable, Feature

TABLES = {name: table for name, table in registry.load().tables.items() if table.level}
QUICK = ("lab/benign_tls/tsv", "lab/dns_tunnel/eve.json.gz", "zeek/benign_hour")
FURTHER = (
    *("lab/multistage/tsv", "lab/syn_flood/tsv", "lab/icmp_tunnel/tsv", "lab/long_connection_66min/tsv"),
    *("lab/latency_5h/tsv", "lab/dga_nxdomain/json", "lab/exfil/eve.json.gz"),
    *("zeek/loss_20_v6", "zeek/scan_udp"),
)

# A Zeek that reads QUIC and validates chains wrote none of the recorded logs; made rows stand in for it.
MADE: Mapping[str, list[dict[str, Any]]] = {
    "quic": [
        {
            "uid": f"Q{n}",
            "resp_p": 443,
            "version": "1",
            "server_name": "www.example.com",
            "client_initial_dcid": f"{n:016x}",
            "ja4": "q13",
        }
        for n in range(3)
    ],
    "conn": [
        {
            "uid": f"Q{n}",
            "resp_p": 443,
            "proto": "udp",
            "service": "quic",
            "orig_ip_bytes": 3000,
            "resp_ip_bytes": 9000,
            "orig_pkts": 3,
            "resp_pkts": 9,
            "orig_entropy": 7.9,
            "resp_entropy": 7.9,
            "duration": 1.0,
        }
        for n in range(3)
    ],
    "ssl": [{"resp_p": 443, "validation_status": "ok"}],
}

Recorded = Callable[[str], Mapping[str, pa.Table]]
Hours = Callable[[type[DerivedTable], Mapping[str, pa.Table]], list[dict[str, Any]]]


def features(table: type[DerivedTable]) -> Iterator[Feature]:
    return (column for column in table.columns if isinstance(column, Feature))


def wrong(table: type[DerivedTable], rows: list[dict[str, Any]]) -> list[str]:
    """Values that are no numbers or lie outside their ranges; sums of floats may end a last digit beyond."""
    found = []
    for feature in features(table):
        least = -math.inf if feature.least is None else feature.least - 1e-9
        most = math.inf if feature.most is None else feature.most + 1e-9
        values = [row[feature.name] for row in rows if row[feature.name] is not None]
        found += [f"{feature.name} is {v}" for v in values if not (math.isfinite(v) and least <= v <= most)]
    return found


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("folder", [*QUICK, *(pytest.param(folder, marks=pytest.mark.slow) for folder in FURTHER)])
def test_recorded_values_are_numbers_in_their_ranges(folder: str, name: str, recorded: Recorded, hours: Hours) -> None:
    assert wrong(TABLES[name], hours(TABLES[name], recorded(folder))) == []


@pytest.mark.parametrize("name", TABLES)
def test_each_is_computed(
    name: str, recorded: Recorded, made: Callable[..., Mapping[str, pa.Table]], hours: Hours
) -> None:
    rows = [row for folder in QUICK for row in hours(TABLES[name], recorded(folder))]
    rows += hours(TABLES[name], made(**MADE))
    assert [f.name for f in features(TABLES[name]) if all(row[f.name] is None for row in rows)] == []


@pytest.mark.parametrize("name", TABLES)
def test_each_is_null_where_its_input_is_missing(
    name: str, recorded: Recorded, made: Callable[..., Mapping[str, pa.Table]], hours: Hours
) -> None:
    tables = made(**MADE) if name == "host_quic_hour" else recorded("zeek/benign_hour")
    by_need: dict[str, list[str]] = {}
    for feature in features(TABLES[name]):
        for need in feature.needs:
            by_need.setdefault(need, []).append(feature.name)
    found = []
    for need, names in by_need.items():
        rows = hours(TABLES[name], without(tables, need))
        found += [f"{n} without {need}" for n in names if any(row[n] is not None for row in rows)]
    assert found == []


def without(tables: Mapping[str, pa.Table], need: str) -> dict[str, pa.Table]:
    """The rows with these columns null; `|` stands between those of which one is enough."""
    left = dict(tables)
    for table, column in (way.split(".") for way in need.split("|")):
        if table in left:
            at = left[table].schema.get_field_index(column)
            kind = left[table].schema.field(at)
            left[table] = left[table].set_column(at, kind, pa.nulls(len(left[table]), kind.type))
    return left


@pytest.mark.parametrize("name", TABLES)
def test_suricata_s_rows_have_no_feature_of_what_it_does_not_tell(name: str, recorded: Recorded, hours: Hours) -> None:
    rows = hours(TABLES[name], recorded("lab/benign_tls/eve.json.gz"))
    unknown = ("aegis_packets.", "conn.orig_entropy", "conn.resp_entropy", "conn.orig_rtt", "quic.client_initial_dcid")
    told = [f.name for f in features(TABLES[name]) if any(need.startswith(unknown) for need in f.needs)]
    assert [n for n in told if any(row[n] is not None for row in rows)] == []


def test_every_need_is_a_column_that_the_table_reads(recorded: Recorded) -> None:
    schemas = {name: rows.schema.names for name, rows in recorded("zeek/benign_hour").items()}
    ways = [(t, way) for t in TABLES.values() for f in features(t) for need in f.needs for way in need.split("|")]
    tables = {way.split(".")[0] for _, way in ways}
    assert tables <= {*schemas, "quic"}
    assert [way for table, way in ways if way.split(".")[0] not in table.reads] == []
    assert [way for _, way in ways if way[:5] != "quic." and way.split(".")[1] not in schemas[way.split(".")[0]]] == []
