"""Rows of conn in, a row per client inside and server outside: payload and pieces."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.tables.egress_hour import EgressHour

SCHEMA = pa.schema([*TABLES["conn"].schema, pa.field("direction", pa.string())])
HOUR = 475_000 * HOUR_US


def conn(at_s: float, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    given = {"uid": f"C{at_s}", "orig_h": "10.0.0.1", "resp_h": "198.51.100.7", "resp_p": 443, "proto": "tcp"}
    given |= {"orig_bytes": 100_000, "orig_pkts": 70, "orig_ip_bytes": 103_640, "resp_bytes": 900, "resp_pkts": 40}
    given |= {"resp_ip_bytes": 2_980, "direction": "outbound"}
    return given | columns | {"ts": ts, "end_ts": ts + 1_000_000}


def hour(rows: list[dict[str, Any]], totals: bool = False) -> list[dict[str, Any]]:
    table = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in SCHEMA}, schema=SCHEMA)
    view = View("conn", SCHEMA, HOUR, HOUR + HOUR_US, temporary=table)
    made = Derivation(EgressHour, "s", HOUR, (view,)).run().to_pylist()
    return sorted((r for r in made if (r["resp_h"] is None) == totals), key=lambda r: r["resp_h"] or r["orig_h"])


def test_a_pair_s_numbers() -> None:
    assert hour([conn(10, uid="Cb"), conn(2, uid="Ca", orig_bytes=40_000, resp_p=80)]) == [
        {
            "orig_h": "10.0.0.1",
            "resp_h": "198.51.100.7",
            "least_port": 80,
            "most_port": 443,
            "least_proto": "tcp",
            "most_proto": "tcp",
            "connections": 2,
            "sent_bytes": 140_000,
            "received_bytes": 1_800,
            "upload_sizes": [40_000, 100_000],
            "server_clients": 1,
            "clients": 1,
            "first_us": HOUR + 2_000_000,
            "last_us": HOUR + 11_000_000,
            "uids": ["Cb", "Ca"],
        }
    ]


def test_little_is_not_kept() -> None:
    assert hour([conn(1, orig_bytes=65_535)]) == []
    assert [r["upload_sizes"] for r in hour([conn(n, orig_bytes=8_191) for n in range(9)])] == [[]]


def test_only_what_goes_out_and_is_answered_counts() -> None:
    kept = [conn(1), conn(2, resp_pkts=None, resp_h="198.51.100.8")]
    none = [conn(3, direction=way) for way in ("internal", "inbound", "external", None)] + [conn(4, resp_pkts=0)]
    assert [(r["resp_h"], r["connections"]) for r in hour(kept + none)] == [("198.51.100.7", 1), ("198.51.100.8", 1)]


def test_payload_is_at_most_what_ip_carried() -> None:
    (pair,) = hour([conn(1, orig_bytes=4_000_000_000)])
    assert pair["sent_bytes"] == 103_640


def test_without_payload_it_is_what_ip_carried_less_headers() -> None:
    nothing = {"orig_bytes": None, "resp_bytes": None}
    (pair,) = hour([conn(1, **nothing)])
    assert (pair["sent_bytes"], pair["received_bytes"]) == (103_640 - 70 * 40, 2_980 - 40 * 40)
    (pair,) = hour([conn(1, **nothing, resp_h="2001:db8::7")])
    assert pair["sent_bytes"] == 103_640 - 70 * 60
    (pair,) = hour([conn(1, **nothing, proto="udp")])
    assert pair["sent_bytes"] == 103_640 - 70 * 28


def test_a_download_is_no_upload() -> None:
    assert [r["upload_sizes"] for r in hour([conn(1, resp_bytes=900_000, resp_ip_bytes=930_000)])] == [[]]


def test_sizes_and_uids_are_capped() -> None:
    (pair,) = hour([conn(n / 10, orig_bytes=40_000 + n, uid=f"C{n:05}") for n in range(1_200)])
    assert pair["upload_sizes"] == [40_000 + n for n in range(200, 1_200)]
    assert pair["uids"] == [f"C{n:05}" for n in range(1_199, 1_194, -1)]


def test_a_client_s_total_has_no_server() -> None:
    rows = [conn(1, orig_bytes=10), conn(2, resp_h="198.51.100.8"), conn(3, orig_h="10.0.0.2", orig_bytes=5)]
    given = [(r["orig_h"], r["connections"], r["sent_bytes"], r["received_bytes"]) for r in hour(rows, totals=True)]
    assert given == [("10.0.0.1", 2, 100_010, 1_800), ("10.0.0.2", 1, 5, 900)]


def test_who_else_calls() -> None:
    others = [conn(n, orig_h=f"10.0.0.{n}", orig_bytes=1) for n in range(2, 5)]
    elsewhere = [conn(9, orig_h="10.0.0.9", resp_h="198.51.100.9", orig_bytes=1)]
    (pair,) = hour([conn(1), *others, *elsewhere, conn(8, orig_h="10.0.0.8", resp_pkts=0)])
    assert (pair["server_clients"], pair["clients"]) == (4, 5)
