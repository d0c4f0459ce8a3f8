"""Rows of conn and of names in, a row per place outside out: who, how much, and what is odd."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.tables.destination_hour import DestinationHour

ADDED = {
    "conn": "direction",
    "ssl": "server_domain",
    "quic": "server_domain",
    "http": "host_domain",
    "dns": "query_domain",
}
SCHEMAS = {n: pa.schema([*TABLES[n].schema, pa.field(column, pa.string())]) for n, column in ADDED.items()}
HOUR = 475_000 * HOUR_US


def conn(at_s: float = 1, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    given = {"uid": f"C{at_s}", "orig_h": "10.0.0.1", "resp_h": "198.51.100.7", "resp_p": 443, "proto": "tcp"}
    given |= {"orig_bytes": 500, "orig_ip_bytes": 900, "resp_bytes": 4_000, "resp_ip_bytes": 4_400, "resp_pkts": 9}
    return {"direction": "outbound"} | given | columns | {"ts": ts, "end_ts": ts + 2_000_000}


def other(at_s: float = 1, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    return {"uid": f"C{at_s}", "ts": ts, "end_ts": ts} | columns


def hour(rows: list[dict[str, Any]], **more: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    views = []
    for name, schema in SCHEMAS.items():
        given = rows if name == "conn" else more.get(name, [])
        table = pa.table({f.name: pa.array([r.get(f.name) for r in given], f.type) for f in schema}, schema=schema)
        views.append(View(name, schema, HOUR, HOUR + HOUR_US, temporary=table))
    return {r["key"]: r for r in Derivation(DestinationHour, "s", HOUR, tuple(views)).run().to_pylist()}


def test_numbers_of_a_place() -> None:
    rows = [conn(5, uid="Cb", orig_h="10.0.0.2", resp_h="198.51.100.8"), conn(2, uid="Ca", resp_p=80)]
    names = [other(5, uid="Cb", server_domain="example.com"), other(2, uid="Ca", server_domain="example.com")]
    assert hour(rows, ssl=names)["example.com"] == {
        "key": "example.com",
        "by_name": True,
        "resolved": True,
        "least_client": "10.0.0.1",
        "most_client": "10.0.0.2",
        "least_server": "198.51.100.7",
        "servers": 2,
        "least_port": 80,
        "most_port": 443,
        "least_proto": "tcp",
        "most_proto": "tcp",
        "connections": 2,
        "sent_bytes": 1_000,
        "received_bytes": 8_000,
        "longest_us": 2_000_000,
        "self_signed": False,
        "first_us": HOUR + 2_000_000,
        "last_us": HOUR + 7_000_000,
        "uid": "Ca",
    }


def test_tls_leads_over_http_and_an_address_stands_where_there_is_no_name() -> None:
    names = {"ssl": [other(server_domain="inner.org")], "http": [other(host_domain="proxy.net"), other(2)]}
    assert set(hour([conn(), conn(2)], **names)) == {"inner.org", "198.51.100.7"}
    assert set(hour([conn(proto="udp")], quic=[other(server_domain="quic.dev")])) == {"quic.dev"}


def test_an_address_that_a_resolver_gave_has_a_name() -> None:
    answered = other(uid="Cdns", qtype_name="A", answers=["cdn.example.net", "198.51.100.7"])
    assert hour([conn()])["198.51.100.7"]["resolved"] is False
    found = hour([conn()], dns=[answered])["198.51.100.7"]
    assert (found["resolved"], found["by_name"]) == (True, False)


@pytest.mark.parametrize(
    "columns",
    [
        {"direction": "internal"},
        {"direction": "inbound"},
        {"direction": None},
        {"resp_pkts": 0},
        {"proto": "icmp"},
        {"resp_p": 53},
        {"proto": "udp", "resp_p": 123},
        {"proto": "udp", "resp_p": 3478},
    ],
)
def test_what_is_no_call_outside(columns) -> None:
    assert hour([conn(**columns)]) == {}


def test_certificates_of_ones_own() -> None:
    for column in ({"self_signed": True}, {"validation_status": "self signed certificate"}):
        assert hour([conn()], ssl=[other(**column)])["198.51.100.7"]["self_signed"]
    assert not hour([conn()], ssl=[other(validation_status="ok")])["198.51.100.7"]["self_signed"]


def test_payload_is_at_most_what_ip_carried() -> None:
    place = hour([conn(orig_bytes=2**40, resp_bytes=None)])["198.51.100.7"]
    assert (place["sent_bytes"], place["received_bytes"]) == (900, 4_400)
