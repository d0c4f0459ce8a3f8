"""Requests and handshakes in, a row per client, name and server out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.tables.server_name_hour import ServerNameHour

ADDED = [("resp_internal", pa.bool_()), ("direction", pa.string())]
HOUR = 475_000 * HOUR_US
MS = HOUR // 1000


def row(at_s: float, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    given = {"uid": "C1", "orig_h": "10.0.0.1", "orig_p": 40_000, "resp_h": "198.51.100.7", "resp_p": 443}
    return given | {"resp_internal": False, "direction": "outbound"} | columns | {"ts": ts, "end_ts": ts}


def get(at_s: float, host: str | None, **columns: Any) -> dict[str, Any]:
    given = {"method": "GET", "uri": "/task", "request_body_len": 0, "resp_p": 80, "host": host}
    return row(at_s, **(given | columns))


def hour(**tables: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    views = []
    for name in ServerNameHour.reads:
        schema = pa.schema([*TABLES[name].schema, *(pa.field(n, t) for n, t in ADDED)])
        rows = tables.get(name, ())
        held = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}, schema=schema)
        views.append(View(name, schema, HOUR, HOUR + HOUR_US, temporary=held))
    found = Derivation(ServerNameHour, "s", HOUR, tuple(views)).run().to_pylist()
    return sorted(found, key=lambda r: (r["name"], r["resp_h"]))


def test_a_name_s_numbers() -> None:
    (name,) = hour(http=[get(1, "c2.test", uid="Cb"), get(61, "c2.test", uid="Ca", request_body_len=10)])
    assert name == {
        "orig_h": "10.0.0.1",
        "name": "c2.test",
        "resp_h": "198.51.100.7",
        "resp_p": 80,
        "proto": "tcp",
        "resp_internal": False,
        "direction": "outbound",
        "proxied": False,
        "tls": False,
        "connections": 2,
        "requests": 2,
        "acts": 2,
        "first_us": HOUR + 1_000_000,
        "last_us": HOUR + 61_000_000,
        "starts_ms": [MS + 1_000, MS + 61_000],
        "sizes": [5, 15],
        "ip_sizes": None,
        "uid": "Ca",
        "lookups": 0,
    }


def test_requests_of_one_connection_are_acts_where_they_are_5_s_apart() -> None:
    (name,) = hour(http=[get(s, "c2.test") for s in (0, 0.2, 4, 9.5, 60, 61)])
    assert (name["connections"], name["requests"], name["acts"]) == (1, 6, 3)
    assert name["starts_ms"] == [MS, MS + 9_500, MS + 60_000]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("C2.Test", "c2.test"),
        ("c2.test.", "c2.test"),
        ("c2.test:8000", "c2.test"),
        ("c2.test.:8000", "c2.test"),
        ("203.0.113.5:8080", "203.0.113.5"),
        ("[2001:db8::1]:8080", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", "198.51.100.7"),
        (None, "198.51.100.7"),
    ],
)
def test_a_host_s_name(host: str | None, name: str) -> None:
    assert [r["name"] for r in hour(http=[get(1, host)])] == [name]


def test_tls_names_and_the_bytes_of_their_connection() -> None:
    hello = [row(1, uid="C1", server_name="C2.test"), row(2, uid="C2"), row(3, uid="C3", server_name="c2.test")]
    (name,) = hour(ssl=hello, conn=[row(1, uid="C1", orig_ip_bytes=1234)])
    assert (name["name"], name["tls"], name["connections"], name["sizes"]) == ("c2.test", True, 2, [1234])


def test_quic_is_udp() -> None:
    (name,) = hour(quic=[row(1, server_name="c2.test")])
    assert (name["name"], name["proto"], name["tls"]) == ("c2.test", "udp", True)


def test_a_tunnel_and_its_handshake_are_one_act() -> None:
    proxy = {"resp_h": "10.0.0.9", "resp_p": 3128, "resp_internal": True}
    connect = row(1, method="CONNECT", host="c2.test:443", uri="c2.test:443", **proxy)
    (name,) = hour(http=[connect], ssl=[row(1.1, server_name="c2.test", **proxy)])
    assert (name["name"], name["proxied"], name["tls"]) == ("c2.test", True, True)
    assert (name["connections"], name["acts"]) == (1, 1)


def test_the_handshake_s_name_leads_over_the_tunnel_s() -> None:
    connect = row(1, method="CONNECT", host="203.0.113.5:443", uri="203.0.113.5:443")
    (name,) = hour(http=[connect], ssl=[row(1.1, server_name="c2.test")])
    assert (name["name"], name["proxied"], name["acts"]) == ("c2.test", True, 1)


def test_a_tunnel_without_a_handshake_keeps_its_name() -> None:
    (name,) = hour(http=[row(1, method="CONNECT", host="c2.test:443", uri="c2.test:443")])
    assert (name["name"], name["proxied"], name["tls"]) == ("c2.test", True, False)


def test_a_whole_uri_is_asked_of_a_proxy() -> None:
    (name,) = hour(http=[row(1, method="GET", host="c2.test", uri="http://c2.test/task")])
    assert name["proxied"]


def test_a_connection_counts_once_for_the_name_that_it_showed_first() -> None:
    names = hour(http=[get(1, "a.test"), get(2, "b.test"), get(3, "a.test")])
    assert [(n["name"], n["connections"], n["requests"]) for n in names] == [("a.test", 1, 2), ("b.test", 0, 1)]


def test_a_flood_keeps_no_lists() -> None:
    (name,) = hour(http=[get(i / 2, "c2.test", uid=f"C{i}") for i in range(3_601)])
    assert (name["acts"], name["starts_ms"], name["sizes"]) == (3_601, None, None)


def test_what_rita_compares_are_bytes_of_connections() -> None:
    asked = [get(s, "c2.test", uid="C1") for s in (0, 60)] + [get(90, "c2.test", uid="C2")]
    (name,) = hour(http=asked, conn=[row(0, uid="C1", orig_ip_bytes=900), row(90, uid="C2", orig_ip_bytes=400)])
    assert (name["acts"], name["sizes"], name["ip_sizes"]) == (3, [5, 5, 5], [400, 900])


def test_lookups_of_a_name_count_once_for_both_families() -> None:
    asked = [row(s, query="C2.test.", qtype_name=t) for s in (0, 60) for t in ("A", "AAAA")]
    asked += [row(1, query="c2.test", qtype_name="A", orig_h="10.0.0.9"), row(2, query="other.test", qtype_name="A")]
    http = [get(1, "c2.test"), get(2, "c2.test", resp_h="198.51.100.8", uid="C2")]
    assert [n["lookups"] for n in hour(http=http, dns=asked)] == [2, 2]
