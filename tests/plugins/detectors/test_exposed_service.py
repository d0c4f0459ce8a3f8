"""Services that answer from outside: who is told of, how sure, and what is none."""

from __future__ import annotations

import random
from typing import Any

import pytest

from aegis_plugins.detectors.exposed_service import ExposedService

SOURCE, HOST = "203.0.113.9", "10.0.0.5"


def calls(count: int = 1, **columns: Any) -> list[dict[str, Any]]:
    """Connections as a client outside makes them that speaks with a server inside, one a second."""
    given = {"orig_h": SOURCE, "resp_h": HOST, "resp_p": 3389, "proto": "tcp", "conn_state": "SF"}
    given |= {"history": "ShADadFf", "duration": 0.5, "orig_bytes": 400, "resp_bytes": 900, "orig_pkts": 9}
    given |= {"resp_pkts": 8, "orig_ip_bytes": 900, "resp_ip_bytes": 1_400}
    return [given | {"ts": 10 + n, "orig_p": 40_000 + n} | columns for n in range(count)]


@pytest.mark.parametrize(
    ("columns", "score", "service"),
    [
        ({}, 0.4, "rdp"),
        ({"service": "rdp"}, 0.6, "rdp"),
        ({"service": "ssl"}, 0.6, "rdp"),  # NLA: RDP within TLS
        ({"resp_bytes": 20_000}, 0.6, "rdp"),
        ({"service": "rdp,ssl", "resp_bytes": 20_000}, 0.8, "rdp"),
        ({"orig_bytes": 0, "resp_bytes": 0, "conn_state": "RSTO", "history": "ShAR"}, 0.2, "rdp"),
        ({"resp_p": 445, "service": "gssapi,smb,ntlm"}, 0.6, "smb"),
        ({"resp_p": 33_389, "service": "rdp"}, 0.6, "rdp"),
        ({"resp_p": 9_200, "service": "http"}, 0.6, "elasticsearch"),
        ({"resp_p": 23, "orig_bytes": None, "resp_bytes": None, "orig_ip_bytes": 900}, 0.4, "telnet"),
        ({"resp_p": 161, "proto": "udp", "conn_state": "SF", "history": "Dd", "service": "snmp"}, 0.6, "snmp"),
        ({"resp_p": 11_211, "proto": "udp", "history": "Dd", "resp_bytes": 50_000}, 0.6, "memcached"),
        ({"orig_h": "2001:db8::1", "resp_h": "fd00::5", "resp_p": 5_900, "service": "rfb"}, 0.6, "vnc"),
    ],
)
def test_how_sure_it_is(evaluate, rows, columns, score, service):
    (found,) = evaluate(ExposedService, rows("conn", calls(**columns)))
    assert (round(found.score, 6), found.evidence["service"]) == (score, service)


@pytest.mark.parametrize(
    "columns",
    [
        {"conn_state": "S0", "history": "S", "resp_pkts": 0},
        {"conn_state": "REJ", "history": "Sr"},
        {"conn_state": "RSTO", "history": "ShR"},  # half-open
        {"conn_state": "SH", "history": "ShF"},
        {"orig_h": "10.0.0.9"},  # from inside
        {"orig_h": "10.0.0.9", "resp_h": SOURCE},  # towards outside
        {"resp_h": "198.51.100.7"},  # past us
        {"resp_p": 443, "service": "ssl"},
        {"resp_p": 22, "service": "ssh"},
        {"resp_p": 3_306, "service": "http"},  # no database
        {"resp_p": 161, "proto": "udp", "resp_bytes": 0, "resp_pkts": 0},
        {"resp_p": 11_211, "proto": "udp", "orig_p": 53},  # a resolver's answer
    ],
)
def test_what_is_none(evaluate, rows, columns):
    assert evaluate(ExposedService, rows("conn", calls(5, **columns))) == []


def test_many_sources_are_one_finding(evaluate, rows):
    made = [row for n in range(100) for row in calls(2, orig_h=f"198.51.100.{n + 1}", service="rdp")]
    made += calls(1, service="rdp", resp_bytes=80_000)
    found = evaluate(ExposedService, rows("conn", made))[-1]
    assert found.entity == {"resp_h": HOST, "resp_p": 3389, "proto": "tcp"}
    assert found.context == {"service": "rdp", "direction": "inbound"}
    assert (found.evidence["sources"], found.evidence["used_connections"]) == (101, 1)
    assert found.evidence["sources_sample"][0] == SOURCE
    assert found.score > 0.98
    assert found.reason == (
        "10.0.0.5:3389/tcp, the service rdp, sent 260,000 bytes to 101 addresses outside in 201 connections"
    )


def test_what_is_exposed_on_purpose(evaluate, rows):
    tables = rows("conn", calls(resp_p=3_306, service="mysql"))
    assert len(evaluate(ExposedService, tables)) == 1
    assert evaluate(ExposedService, tables, allowed=(f"{HOST} 3306/tcp",)) == []
    assert evaluate(ExposedService, tables, analyzers=("mysql none",)) == []


def test_a_service_of_the_site_s_own(evaluate, rows):
    tables = rows("conn", calls(resp_p=22, service="ssh"))
    (found,) = evaluate(ExposedService, tables, services=("22/tcp ssh",), analyzers=("ssh ssh",))
    assert (found.evidence["service"], found.evidence["confirmed"]) == ("ssh", True)


def test_a_host_that_accepts_every_port_is_none(evaluate, rows):
    quiet = {"orig_bytes": 0, "resp_bytes": 0, "conn_state": "RSTO", "history": "ShAR"}
    made = [row | {"resp_p": port} for port in range(1, 10_000) for row in calls(**quiet)]
    assert evaluate(ExposedService, rows("conn", made)) == []
    (found,) = evaluate(ExposedService, rows("conn", made + calls(service="rdp")))
    assert found.entity["resp_p"] == 3389
    eight = [row for row in made if row["resp_p"] in (23, 111, 135, 139, 445, 1433, 3306, 3389)]
    assert len(evaluate(ExposedService, rows("conn", eight))) == 8


def test_five_thousand_clients_of_a_web_server_are_none(evaluate, rows):
    made = [
        row | {"orig_h": f"198.18.{n // 250}.{n % 250 + 1}", "resp_p": 443, "service": "ssl", "ts": n / 2}
        for n in range(5_000)
        for row in calls()
    ]
    assert evaluate(ExposedService, rows("conn", made)) == []


def test_order_changes_nothing(evaluate, rows):
    made = [row for n in range(30) for row in calls(2, orig_h=f"198.51.100.{n + 1}", service="rdp")]
    made = [row | {"uid": f"U{n:05}"} for n, row in enumerate(made)]
    whole = evaluate(ExposedService, rows("conn", made))
    random.Random(1).shuffle(made)
    assert evaluate(ExposedService, rows("conn", made)) == whole
    assert evaluate(ExposedService, rows("conn", made), shards=4) == whole


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "multistage", "exfil", "scan_vertical"])
def test_recorded_scenarios_are_none(evaluate, lab, scenario):
    assert evaluate(ExposedService, lab(scenario)) == []


@pytest.mark.parametrize("form", ["tsv", "json", "eve.json.gz"])
def test_the_break_in_shows_ssh_where_that_is_wanted(evaluate, lab, form):
    ssh = {"services": ("22/tcp ssh",), "analyzers": ("ssh ssh",)}
    found = evaluate(ExposedService, lab("multistage", form), **ssh)
    assert {f.entity["resp_h"] for f in found} == {"10.10.0.14"}
    assert all(f.evidence["confirmed"] and f.evidence["sources_sample"] == ["203.0.113.66"] for f in found)


@pytest.mark.parametrize(
    "folder", ["slips-test9", "slips-test10", "slips-test14", "strato-001", "strato-002", "strato-005", "strato-008"]
)
def test_public_logs_are_none(evaluate, public, folder):
    assert evaluate(ExposedService, public(folder)) == []
