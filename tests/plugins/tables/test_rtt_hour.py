"""Handshakes and queries in, a histogram per client and server out."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.tables.rtt_hour import RttHour

ADDED = [pa.field("orig_internal", pa.bool_()), pa.field("resp_internal", pa.bool_())]
SCHEMAS = {name: pa.schema([*TABLES[name].schema, *ADDED]) for name in ("conn", "dns")}
HOUR = 475_000 * HOUR_US
CLIENT, SERVER = "10.0.0.1", "198.51.100.7"


def conn(number: int, near_ms: float, far_ms: float, **columns: Any) -> dict[str, Any]:
    ts = HOUR + number * 1_000_000
    given = {"uid": f"C{number:04}", "orig_h": CLIENT, "resp_h": SERVER, "resp_p": 443, "proto": "tcp", "ts": ts}
    given |= {"end_ts": ts + 5_000, "orig_rtt": near_ms / 1000, "resp_rtt": far_ms / 1000}
    return given | {"orig_internal": True, "resp_internal": False} | columns


def query(number: int, ms: float | None, **columns: Any) -> dict[str, Any]:
    given = {"resp_h": "10.0.0.2", "resp_p": 53, "proto": "udp", "rtt": None if ms is None else ms / 1000}
    return conn(number, 0, 0) | given | {"resp_internal": True} | columns


def hour(**rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    views = []
    for name, schema in SCHEMAS.items():
        held = rows.get(name, [])
        table = pa.table({f.name: pa.array([r.get(f.name) for r in held], f.type) for f in schema}, schema=schema)
        views.append(View(name, schema, HOUR, HOUR + HOUR_US, temporary=table))
    found = Derivation(RttHour, "s", HOUR, tuple(views)).run().to_pylist()
    return sorted(found, key=lambda r: (r["orig_h"], r["kind"], r["resp_h"], r["bucket"]))


def test_a_server_s_numbers() -> None:
    made = [conn(1, 1, 19), conn(2, 1, 19.2), conn(3, 2, 158, resp_h="198.51.100.9"), conn(4, 1, 18.9)]
    near, far = hour(conn=made)
    assert near == {
        "orig_h": CLIENT,
        "resp_h": SERVER,
        "network": "198.51.100.0/24",
        "kind": "tcp",
        "bucket": 114,
        "connections": 3,
        "total_us": 60_100,
        "near_us": 3_000,
        "first_us": HOUR + 1_000_000,
        "last_us": HOUR + 4_005_000,
        "uid": "C0001",
    }
    assert (far["bucket"], far["connections"], far["total_us"], far["resp_h"]) == (138, 1, 160_000, "198.51.100.9")


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 60_000_000), min_size=3, max_size=40))
def test_buckets_are_an_eighth_of_an_octave_and_add_up(times: list[int]) -> None:
    found = hour(conn=[conn(n, 0, us / 1000) for n, us in enumerate(times)])
    assert {r["bucket"]: r["connections"] for r in found} == Counter(math.floor(8 * math.log2(us)) for us in times)
    assert sum(r["total_us"] for r in found) == sum(times)


@pytest.mark.parametrize(
    ("server", "network"),
    [
        ("198.51.100.200", "198.51.100.0/24"),
        ("2001:db8:7:1::5", "2001:db8:7::/48"),
        ("2001:db8:7:1:2:3:4:5", "2001:db8:7::/48"),
        ("2001:db8::5", "2001:db8::/48"),
        ("fd00::1", "fd00::/48"),
    ],
)
def test_the_network_of_a_server(server: str, network: str) -> None:
    assert [r["network"] for r in hour(conn=[conn(n, 1, 1, resp_h=server) for n in range(3)])] == [network]


def test_queries_are_of_another_kind() -> None:
    (found,) = hour(dns=[query(n, 4) for n in range(3)] + [query(9, None)])
    assert (found["kind"], found["resp_h"], found["connections"]) == ("dns", "10.0.0.2", 3)
    assert (found["total_us"], found["near_us"]) == (12_000, None)


def test_what_is_left_out() -> None:
    inbound = {"orig_h": "198.51.100.7", "resp_h": "10.0.0.1", "orig_internal": False, "resp_internal": True}
    assert hour(conn=[conn(n, 1, 1, **inbound) for n in range(5)]) == []
    assert hour(conn=[conn(n, 1, 1, orig_rtt=None) for n in range(5)]) == []
    assert hour(conn=[conn(n, 1, 1, resp_rtt=None) for n in range(5)]) == []
    assert hour(conn=[conn(n, 0, 0) for n in range(5)]) == []
    assert hour(conn=[conn(n, 1, 1) for n in range(2)]) == []
    assert len(hour(conn=[conn(n, 1, 1, resp_h=f"198.51.100.{n}") for n in range(3)])) == 3
    assert hour(dns=[query(n, 4, resp_p=5353) for n in range(5)]) == []


def test_without_networks_all_clients_count() -> None:
    assert len(hour(conn=[conn(n, 1, 1, orig_internal=None, resp_internal=None) for n in range(3)])) == 1
