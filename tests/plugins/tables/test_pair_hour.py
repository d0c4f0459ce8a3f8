"""Rows of conn in, a row per pair out: what counts as a dial is decided here."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.tables.pair_hour import PairHour

ADDED = [("resp_internal", pa.bool_()), ("direction", pa.string())]
SCHEMA = pa.schema([*TABLES["conn"].schema, *(pa.field(n, t) for n, t in ADDED)])
HOUR = 475_000 * HOUR_US


def conn(at_s: float, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    given = {"uid": f"C{at_s}", "orig_h": "10.0.0.1", "orig_p": 40_000 + round(at_s), "resp_h": "198.51.100.7"}
    given |= {"resp_p": 443, "proto": "tcp", "conn_state": "SF", "history": "ShADadFf", "orig_ip_bytes": 500}
    given |= {"resp_ip_bytes": 900, "resp_pkts": 4, "resp_internal": False, "direction": "outbound"}
    return given | columns | {"ts": ts, "end_ts": ts + columns.get("lasts_us", 1_000)}


def dns(at_s: float, query: str, answers: list[str] | None, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    given = {"uid": f"D{at_s}", "orig_h": "10.0.0.1", "resp_h": "10.0.0.2", "resp_p": 53, "qtype_name": "A"}
    return given | {"query": query, "answers": answers} | columns | {"ts": ts, "end_ts": ts}


def view(name: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> View:
    held = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}, schema=schema)
    return View(name, schema, HOUR, HOUR + HOUR_US, temporary=held)


def hour(rows: list[dict[str, Any]], queries: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    views = (view("conn", SCHEMA, rows), view("dns", TABLES["dns"].schema, queries or []))
    found = Derivation(PairHour, "s", HOUR, views).run().to_pylist()
    return sorted(found, key=lambda r: (r["orig_h"], r["resp_h"], r["resp_p"], r["proto"]))


def test_a_pair_s_numbers() -> None:
    (pair,) = hour([conn(10, uid="Cb", lasts_us=5_000_000), conn(2, uid="Ca", orig_ip_bytes=700, resp_pkts=0)])
    assert pair == {
        "orig_h": "10.0.0.1",
        "resp_h": "198.51.100.7",
        "resp_p": 443,
        "proto": "tcp",
        "resp_internal": False,
        "direction": "outbound",
        "connections": 2,
        "dials": 2,
        "answered": 1,
        "orig_ip_bytes": 1200,
        "resp_ip_bytes": 1800,
        "first_us": HOUR + 2_000_000,
        "last_us": HOUR + 15_000_000,
        "starts_ms": [HOUR // 1000 + 2_000, HOUR // 1000 + 10_000],
        "sizes": [500, 700],
        "uid": "Ca",
        "lookups": 0,
        "lookup_name": None,
    }


def test_port_and_protocol_make_pairs_of_their_own() -> None:
    pairs = hour([conn(1), conn(2, resp_p=80), conn(3, proto="udp", history="Dd")])
    assert [(p["resp_p"], p["proto"]) for p in pairs] == [(80, "tcp"), (443, "tcp"), (443, "udp")]


def test_syns_sent_again_from_one_port_are_one_dial() -> None:
    dead = {"conn_state": "S0", "history": "S", "resp_pkts": 0}
    again = [conn(s, orig_p=50_000, **dead) for s in (0, 9, 41)]
    another = [conn(s, orig_p=50_001, **dead) for s in (23, 32)]
    (pair,) = hour(again + another)
    assert (pair["connections"], pair["dials"], pair["answered"]) == (5, 2, 0)
    assert pair["starts_ms"] == [HOUR // 1000, HOUR // 1000 + 23_000]


def test_one_port_used_again_after_76_s_is_another_dial() -> None:
    dead = {"conn_state": "S0", "history": "S", "orig_p": 50_000}
    assert [p["dials"] for p in hour([conn(0, **dead), conn(76, **dead)])] == [2]


def test_answered_connections_of_a_client_with_a_fixed_port_are_dials() -> None:
    assert [p["dials"] for p in hour([conn(s, orig_p=50_000) for s in (0, 30, 60)])] == [3]


def test_the_rest_of_a_cut_connection_is_no_dial() -> None:
    rest = [conn(s, conn_state="OTH", history="DadA") for s in (400, 800)]
    (pair,) = hour([conn(0, history="ShADad", conn_state="S1"), *rest])
    assert (pair["connections"], pair["dials"], pair["starts_ms"]) == (3, 1, [HOUR // 1000])


def test_without_a_history_every_row_is_a_dial() -> None:
    assert [p["dials"] for p in hour([conn(1, history=None), conn(2, history=None, conn_state=None)])] == [2]


def test_dns_and_floods_keep_no_lists() -> None:
    flood = [conn(i / 2, resp_p=80) for i in range(3_601)]
    dns, pair = hour([conn(1, resp_p=53, proto="udp"), *flood])
    assert (dns["dials"], dns["starts_ms"], dns["sizes"]) == (1, None, None)
    assert (pair["dials"], pair["starts_ms"], pair["sizes"]) == (3_601, None, None)


def test_what_the_client_was_told_by_dns_stands_beside() -> None:
    queries = [
        dns(0, "C2.test.", ["198.51.100.7"]),
        dns(60, "c2.test", ["alias.example", "198.51.100.7", "198.51.100.8"]),
        dns(61, "b.test", ["198.51.100.7"]),
        dns(62, "b.test", ["198.51.100.7"], orig_h="10.0.0.9"),  # another client
        dns(63, "c2.test", ["198.51.100.7"], qtype_name="TXT"),  # a text that looks like an address
        dns(64, "c2.test", None),
    ]
    (pair, other) = hour([conn(1), conn(2, resp_p=8443)], queries)
    assert (pair["lookups"], pair["lookup_name"]) == (other["lookups"], other["lookup_name"]) == (3, "b.test")
    assert [p["lookups"] for p in hour([conn(1, resp_h="192.0.2.1")], queries)] == [0]
