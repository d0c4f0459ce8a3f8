"""Connections in, long ones out: closed, still open, named, and what lasts by design."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.long_connection import LongConnection

CLIENT, SERVER = "10.0.0.1", "198.51.100.7"


def conn(**columns: Any) -> dict[str, Any]:
    """A connection of two hours that began when the hour did."""
    given = {"ts": 0.25, "duration": 7200, "uid": "Clong", "orig_h": CLIENT, "orig_p": 40_000, "resp_h": SERVER}
    given |= {"resp_p": 443, "proto": "tcp", "conn_state": "SF", "orig_bytes": 1000, "resp_bytes": 20_000}
    return given | columns


def test_a_long_connection_s_numbers(evaluate, rows):
    (found,) = evaluate(LongConnection, rows("conn", [conn(), conn(uid="Cshort", duration=3599.9, orig_p=40_001)]))
    start_us = 475_000 * HOUR_US
    assert found.entity == {
        "orig_h": CLIENT,
        "orig_p": 40_000,
        "resp_h": SERVER,
        "resp_p": 443,
        "proto": "tcp",
        "start_us": start_us,
    }
    assert found.period_us == start_us
    assert (found.first_us, found.last_us) == (start_us + 250_000, start_us + 7_200_250_000)
    assert found.score == round(7200 / (7200 + 43_200), 6)
    assert (found.evidence["duration_s"], found.evidence["still_open"]) == (7200.0, False)
    assert found.context["direction"] == "outbound"
    assert found.uids == ("Clong",)
    assert found.reason == (
        "10.0.0.1 held a connection to 198.51.100.7:443/tcp open for 2.0 h, 1,000 bytes sent and 20,000 received"
    )


@pytest.mark.parametrize(("duration", "hits"), [(3600, 1), (3599.999999, 0)])
def test_the_least_duration(evaluate, rows, duration, hits):
    assert len(evaluate(LongConnection, rows("conn", [conn(duration=duration)]))) == hits


def test_what_tuning_lowers_is_found(evaluate, lab):
    (found,) = evaluate(LongConnection, lab("long_connection", "tsv"), min_duration_s=60)
    assert (found.entity["orig_h"], found.entity["resp_h"], found.entity["resp_p"]) == (
        "10.10.0.11",
        "203.0.113.45",
        4444,
    )
    assert evaluate(LongConnection, lab("long_connection", "json"), min_duration_s=60) == [found]
    assert evaluate(LongConnection, lab("long_connection", "tsv")) == []


def test_an_open_one_is_one_entity_until_it_is_closed(evaluate, rows):
    snapshots = rows("open_conn", [conn(duration=3600), conn(duration=7200), conn(duration=7000)])
    found = evaluate(LongConnection, snapshots | rows("conn", [conn(duration=7300)]))
    assert len({tuple(f.entity.items()) for f in found}) == 1
    assert [(f.evidence["duration_s"], f.evidence["still_open"]) for f in found] == [(7000.0, True), (7300.0, False)]
    assert [f.score for f in found] == sorted(f.score for f in found)
    (first,) = evaluate(LongConnection, rows("open_conn", [conn(duration=3600, uid="Copen")]))
    assert "has held a connection" in first.reason


def test_the_start_is_the_same_where_sensors_differ_by_microseconds(evaluate, rows):
    one, other = (evaluate(LongConnection, rows("conn", [conn(ts=ts)]))[0] for ts in (5.000001, 5.000003))
    assert one.entity == other.entity


@pytest.mark.parametrize(
    "columns",
    [
        {"proto": "icmp", "orig_p": 8, "resp_p": 0},
        {"proto": "udp", "resp_p": 53},
        {"proto": "udp", "resp_p": 5300, "service": "dns"},
        {"proto": "udp", "resp_p": 123},
        {"proto": "udp", "resp_h": "239.255.255.250", "resp_p": 4000},
        {"proto": "udp", "resp_h": "255.255.255.255", "resp_p": 4000},
        {"proto": "udp", "orig_h": "fd00::1", "resp_h": "ff02::1", "resp_p": 4000},
    ],
)
def test_what_lasts_by_design_is_none(evaluate, rows, columns):
    assert evaluate(LongConnection, rows("conn", [conn(**columns)])) == []


def test_dns_over_tcp_and_one_way_udp_count(evaluate, rows):
    odd = [conn(resp_p=53), conn(proto="udp", resp_p=51_820, conn_state="S0", orig_p=40_001)]
    assert len(evaluate(LongConnection, rows("conn", odd))) == 2


@pytest.mark.parametrize(
    ("table", "column", "text", "name"),
    [
        ("ssl", "server_name", "C2.test", "c2.test"),
        ("open_ssl", "server_name", "c2.test", "c2.test"),
        ("quic", "server_name", "c2.test", "c2.test"),
        ("http", "host", "c2.test:8000", "c2.test"),
        ("open_http", "host", "c2.test.", "c2.test"),
        ("http", "host", "198.51.100.7:8000", None),
        ("http", "host", "[2001:db8::1]:8000", None),
        ("http", "host", "2001:db8::1", None),
        ("http", "host", "", None),
    ],
)
def test_names_come_by_uid(evaluate, rows, table, column, text, name):
    tables = rows("conn", [conn()]) | rows(
        table, [{"ts": 1, "uid": "Clong", column: text}, {"ts": 1, column: "other.test"}]
    )
    (found,) = evaluate(LongConnection, tables)
    assert found.context.get("name") == name


def test_tls_leads_over_http(evaluate, rows):
    tables = rows("conn", [conn()]) | rows("http", [{"ts": 1, "uid": "Clong", "host": "proxy.test"}])
    (found,) = evaluate(LongConnection, tables | rows("ssl", [{"ts": 2, "uid": "Clong", "server_name": "c2.test"}]))
    assert found.context["name"] == "c2.test"
    assert found.evidence["http_host"] == "proxy.test"


def test_rows_without_counts_or_uid_are_told(evaluate, rows):
    (found,) = evaluate(LongConnection, rows("conn", [conn(uid=None, orig_bytes=None, resp_bytes=None)]))
    assert found.uids == ()
    assert found.reason.endswith("open for 2.0 h")


def test_longer_scores_higher(evaluate, rows):
    durations = [3600, 3601, 7200, 43_200, 86_400, 86_410, 604_800, 2_000_000]
    many = [conn(duration=d, orig_p=n, uid=f"C{n}") for n, d in enumerate(durations)]
    found = sorted(evaluate(LongConnection, rows("conn", many)), key=lambda f: f.evidence["duration_s"])
    scores = [f.score for f in found]
    assert sorted(set(scores)) == scores
    assert scores[3] == 0.5


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "scan_slow_1min", "dns_tunnel", "multistage"])
def test_recorded_traffic_without_one_is_quiet(evaluate, lab, scenario):
    assert evaluate(LongConnection, lab(scenario, "tsv")) == []


def test_public_open_connections(evaluate, public):
    found = evaluate(LongConnection, public("rita-open-sni"))
    entities = {tuple(f.entity.items()) for f in found}
    assert 3 <= len(entities) <= 12
    named = {tuple(f.entity.items()) for f in found if f.context.get("name") == "ce7.stearns.org"}
    assert len(named) == 3
    assert "icmp" not in {f.entity["proto"] for f in found}
    assert evaluate(LongConnection, public("rita-open-conns/open")) == []


def test_a_host_that_holds_a_push_channel_scores_low(evaluate, public):
    found = evaluate(LongConnection, public("strato-008"))
    assert found
    assert max(f.score for f in found) < 0.4


def test_a_connection_without_ports_is_told(evaluate, rows):
    (found,) = evaluate(LongConnection, rows("conn", [conn(orig_p=None, resp_p=None, proto="gre")]))
    assert (found.entity["orig_p"], found.entity["resp_p"]) == (None, None)
    assert "to 198.51.100.7/gre open for 2.0 h" in found.reason
