"""Rows of conn and tunnel in, protocols out: what counts, what it is called, and where it does not belong."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.detect.evaluate import Derivation
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES
from aegis_plugins.tables.service_hour import ServiceHour

ADDED = [pa.field("orig_internal", pa.bool_()), pa.field("resp_internal", pa.bool_())]
ADDED += [pa.field("direction", pa.string())]
SCHEMAS = {name: pa.schema([*TABLES[name].schema, *ADDED]) for name in ("conn", "tunnel")}
HOUR = 475_000 * HOUR_US


def conn(at_s: float = 1, **columns: Any) -> dict[str, Any]:
    ts = HOUR + round(at_s * 1_000_000)
    given = {"uid": f"C{at_s}", "orig_h": "10.0.0.1", "resp_h": "198.51.100.7", "resp_p": 443, "proto": "tcp"}
    given |= {"service": "ssl", "history": "ShADadFf", "orig_bytes": 500, "resp_bytes": 4_000, "orig_ip_bytes": 900}
    given |= {"resp_ip_bytes": 5_000, "orig_pkts": 8, "resp_pkts": 9, "orig_internal": True, "direction": "outbound"}
    return given | columns | {"ts": ts, "end_ts": ts + 1_000_000}


def hour(rows: list[dict[str, Any]], tunnels: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    views = []
    for name, given in (("conn", rows), ("tunnel", tunnels or [])):
        schema = SCHEMAS[name]
        table = pa.table({f.name: pa.array([r.get(f.name) for r in given], f.type) for f in schema}, schema=schema)
        views.append(View(name, schema, HOUR, HOUR + HOUR_US, temporary=table))
    made = Derivation(ServiceHour, "s", HOUR, tuple(views)).run().to_pylist()
    return sorted(made, key=lambda r: (r["label"], r["kind"], str(r["resp_p"])))


def test_numbers_of_a_protocol() -> None:
    assert hour([conn(5, uid="Cb"), conn(2, uid="Ca", resp_h="198.51.100.8")]) == [
        {
            "orig_h": "10.0.0.1",
            "label": "ssl",
            "kind": "usual",
            "proto": "tcp",
            "resp_p": 443,
            "resp_h": None,
            "direction": None,
            "connections": 2,
            "sent_bytes": 1_800,
            "received_bytes": 10_000,
            "first_us": HOUR + 2_000_000,
            "last_us": HOUR + 6_000_000,
            "uid": "Ca",
        }
    ]


@pytest.mark.parametrize(
    "columns",
    [
        {"orig_bytes": 0},
        {"resp_bytes": 0},
        {"resp_bytes": None, "resp_pkts": 3},
        {"history": "SADF"},
        {"history": "DadA"},
        {"history": ""},
        {"missed_bytes": 1},
        {"proto": "icmp"},
        {"proto": "udp", "service": "dns", "resp_p": 53, "resp_bytes": None, "resp_pkts": 0},
    ],
)
def test_what_did_not_stand_or_was_half_seen_is_no_evidence(columns) -> None:
    assert hour([conn(**columns)]) == []


def test_suricata_tells_neither_payload_nor_history() -> None:
    bare = {"history": None, "orig_bytes": None, "resp_bytes": None}
    assert len(hour([conn(**bare)])) == 1
    assert hour([conn(**bare, orig_pkts=4)]) == []
    assert len(hour([conn(**bare, proto="udp", service="dns", resp_p=53, orig_pkts=1, resp_pkts=1)])) == 1


@pytest.mark.parametrize(
    ("service", "resp_p", "label", "kind"),
    [
        ("ssh", 22, "ssh", "usual"),
        ("ssh", 443, "ssh", "odd"),
        ("ssh", 2222, "ssh", "odd"),
        ("http", 80, "http", "usual"),
        ("http", 18_080, "http", "usual"),
        ("http", 22, "http", "odd"),
        ("dns", 5300, "dns", "odd"),
        ("dns", 5353, "dns", "usual"),
        ("ssl", 8443, "ssl", "usual"),
        ("ssl", 4444, "ssl", "odd"),
        ("ssl", 22, "ssl", "odd"),
        ("ssl,smtp", 587, "smtp", "usual"),
        ("http,ssl", 3128, "http", "usual"),
        ("rdp,ssl", 3389, "rdp", "usual"),
        ("gssapi,ntlm,smb", 445, "smb", "usual"),
        ("gssapi,smb,ntlm", 443, "smb", "odd"),
        ("ntlm,gssapi", 49_152, "gssapi,ntlm", "usual"),
        ("modbus", 10_502, "modbus", "usual"),  # not judged
        ("teredo", 3544, "teredo", "tunnel"),
        (None, 443, "tcp/443", "unknown"),
        (None, 22, "tcp/22", "unknown"),
        (None, 4444, "other tcp", "usual"),
        (None, 902, "tcp/902", "usual"),
    ],
)
def test_what_it_is_called_and_where_it_belongs(service, resp_p, label, kind) -> None:
    (row,) = hour([conn(service=service, resp_p=resp_p)])
    assert (row["label"], row["kind"]) == (label, kind)
    assert (row["resp_h"], row["direction"]) == ((None, None) if kind == "usual" else ("198.51.100.7", "outbound"))


def test_the_order_of_a_set_means_nothing() -> None:
    assert len(hour([conn(service="ntlm,gssapi", resp_p=5000), conn(2, service="gssapi,ntlm", resp_p=5000)])) == 1


def test_little_of_what_is_unknown_is_left_alone() -> None:
    assert hour([conn(service=None, orig_ip_bytes=399)])[0]["kind"] == "usual"
    udp = {"service": None, "proto": "udp", "resp_p": 53, "orig_ip_bytes": 96}
    assert [hour([conn(**udp, resp_ip_bytes=n)])[0]["kind"] for n in (3_999, 4_000)] == ["usual", "unknown"]


def test_thousands_of_ports_of_peers_are_one_row() -> None:
    (row,) = hour([conn(n, service=None, proto="udp", resp_p=10_000 + n, resp_h=f"203.0.113.{n}") for n in range(90)])
    assert (row["label"], row["resp_p"], row["connections"]) == ("other udp", None, 90)


def test_clients_outside_are_one() -> None:
    inbound = {"orig_internal": False, "resp_internal": True, "direction": "inbound"}
    (row,) = hour([conn(n, orig_h=f"203.0.113.{n}", **inbound) for n in range(5)])
    assert (row["orig_h"], row["connections"]) == (None, 5)
    (row,) = hour([conn(orig_internal=False, resp_internal=False, direction="external")])  # networks that nobody named
    assert row["orig_h"] == "10.0.0.1"


def test_other_transports_and_the_log_of_tunnels() -> None:
    (row,) = hour([conn(proto="gre", service=None, resp_p=None, history=None, orig_bytes=None, resp_bytes=None)])
    assert (row["label"], row["kind"]) == ("gre", "tunnel")
    told = {"ts": HOUR + 5, "end_ts": HOUR + 5, "uid": "Ct", "orig_h": "10.0.0.1", "resp_h": "198.51.100.9"}
    told |= {"orig_internal": True, "direction": "outbound", "resp_p": 0, "action": "Tunnel::DISCOVER"}
    kinds = [("Tunnel::GRE", 0), ("Tunnel::GRE", 1), ("Tunnel::HTTP", 0)]
    tunnels = [told | {"tunnel_type": k} | ({"action": "Tunnel::EXPIRE"} if expired else {}) for k, expired in kinds]
    (row,) = hour([], tunnels)
    assert (row["label"], row["kind"], row["proto"], row["connections"]) == ("gre", "tunnel", None, 1)
