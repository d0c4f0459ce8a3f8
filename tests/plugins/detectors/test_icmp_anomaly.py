"""ICMP in, sweeps, tunnels and redirects out: recorded ones, what looks like one and is none, other projects' logs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_plugins.detectors.icmp_anomaly import IcmpAnomaly, Tuning


def ping(number: int = 0, **columns: Any) -> dict[str, Any]:
    """An echo of 56 bytes that is answered, of a host of its own, one a second."""
    given = {
        "ts": 10 + number,
        "orig_h": "10.10.0.14",
        "orig_p": 8,
        "resp_h": f"10.20.{number // 250}.{number % 250 + 1}",
    }
    given |= {"resp_p": 0, "proto": "icmp", "conn_state": "OTH", "orig_pkts": 1, "orig_ip_bytes": 84}
    return given | {"resp_pkts": 1, "resp_ip_bytes": 84} | columns


SILENT = {"resp_pkts": 0, "resp_ip_bytes": 0}
PEER = {"resp_h": "203.0.113.54", "duration": 60}


def echo(requests: int, size: int, replies: int, reply_size: int, **columns: Any) -> dict[str, Any]:
    """A row of echo between two hosts, with so many bytes of data in each packet."""
    sent = {"orig_pkts": requests, "orig_ip_bytes": requests * (size + 28)}
    return ping(**PEER, **sent, resp_pkts=replies, resp_ip_bytes=replies * (reply_size + 28)) | columns


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_the_recorded_sweep_is_found(evaluate, lab, form):
    (found,) = evaluate(IcmpAnomaly, lab("icmp_sweep", form))
    assert found.entity == {"orig_h": "10.10.0.14", "resp_h": None, "key": "sweep"}
    numbers = {"kind": "sweep", "hosts": 80, "answered_hosts": 32, "networks": 1, "requests": 128}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert found.reason == "10.10.0.14 asked 80 hosts by ICMP, of which 32 answered, in 0.3 s"
    assert len(found.uids) == len(found.evidence["hosts_sample"]) == 20


@pytest.mark.parametrize("form", ["tsv", "json", "eve.json.gz"])
def test_the_recorded_tunnel_is_found_beside_pings(evaluate, lab, form):
    (found,) = evaluate(IcmpAnomaly, lab("icmp_tunnel", form))
    assert found.entity == {"orig_h": "10.10.0.13", "resp_h": "203.0.113.54", "key": "echo data"}
    numbers = {"kind": "tunnel", "requests": 69, "replies": 207, "sent_bytes": 62_172, "received_bytes": 210_990}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert found.evidence["foreign_bytes"] == 148_818
    assert found.score > 0.6


@pytest.mark.parametrize(
    "scenario", ["benign", "benign_tls", "scan_udp", "scan_vertical", "syn_flood", "multistage", "dns_tunnel"]
)
def test_other_scenarios_are_none(evaluate, lab, scenario):
    assert evaluate(IcmpAnomaly, lab(scenario, "tsv")) == []


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ([ping(n, **SILENT) for n in range(20)], True),
        ([ping(n, **SILENT) for n in range(19)], False),
        ([ping(n) for n in range(100)], False),  # all are there: who asks knows them
        ([ping(n, **SILENT if n % 5 == 0 else {}) for n in range(100)], True),
        ([ping(n, **SILENT if n % 6 == 0 else {}) for n in range(100)], False),
        ([ping(n, orig_p=13, resp_p=14) for n in range(20)], True),
        ([ping(n, orig_p=17, resp_p=18) for n in range(20)], True),
        ([ping(n, orig_p=3, resp_p=3, **SILENT) for n in range(100)], False),  # unreachable
        ([ping(n, orig_p=11, **SILENT) for n in range(100)], False),  # traceroute's answers
        ([ping(n, orig_p=135, resp_p=136, resp_h=f"ff02::1:ff00:{n:x}", **SILENT) for n in range(100)], False),
        ([ping(n, orig_p=128, resp_p=129, resp_h=f"fd00:20::{n:x}", **SILENT) for n in range(1, 40)], True),
        ([ping(n, resp_h=f"239.0.0.{n}", **SILENT) for n in range(100)], False),
        ([ping(n, orig_pkts=5, **SILENT) for n in range(100)], True),
        ([ping(n, orig_pkts=6, **SILENT) for n in range(100)], False),  # watched
        ([ping(n % 100, ts=10 + n, **SILENT) for n in range(600)], False),  # each six times
    ],
)
def test_what_is_a_sweep(evaluate, rows, made, found):
    findings = evaluate(IcmpAnomaly, rows("conn", made))
    assert [f.entity["key"] for f in findings] == ["sweep"] * found


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (echo(100, 56, 100, 56), None),
        (echo(10_000, 56, 6_000, 56, duration=3_000), None),  # loss
        (echo(500, 56, 500, 36), "tunnel"),
        (echo(500, 56, 500, 37), None),  # less than 20 bytes may be padding
        (echo(499, 56, 499, 36), None),
        (echo(2_000, 0, 2_000, 18), None),
        (echo(10, 900, 10, 30), None),  # 8,700 bytes that did not come back
        (echo(100, 900, 100, 30), "tunnel"),
        (echo(30, 500, 90, 500), "tunnel"),  # twice 30 replies that nobody asked for
        (echo(90, 500, 130, 500), None),  # the sensor missed some requests
        (echo(800, 1_400, 800, 1_400), "bulk"),
        (echo(300, 1_400, 300, 1_400), None),
        (echo(9_000, 64, 9_000, 64), None),  # many small ones
        (echo(800, 1_400, 0, 0), "bulk"),
        (echo(800, 1_400, 0, 0, orig_p=0, resp_p=8), "bulk"),
        (echo(800, 1_400, 0, 0, orig_p=3, resp_p=3), None),
    ],
)
def test_what_is_a_tunnel(evaluate, rows, row, kind):
    findings = evaluate(IcmpAnomaly, rows("conn", [row]))
    assert [f.evidence["kind"] for f in findings] == ([kind] if kind else [])


def test_a_tunnel_over_ipv6_has_longer_headers(evaluate, rows):
    row = ping(resp_h="fd00:203::54", orig_p=128, resp_p=129, orig_pkts=500, orig_ip_bytes=500 * 104, duration=60)
    row |= {"resp_pkts": 500, "resp_ip_bytes": 500 * 84}
    (found,) = evaluate(IcmpAnomaly, rows("conn", [row]))
    assert (found.evidence["sent_bytes"], found.evidence["received_bytes"]) == (28_000, 18_000)
    assert found.evidence["foreign_bytes"] == 10_000


def test_a_tunnel_that_is_still_open_counts_once(evaluate, rows):
    snapshots = [echo(n, 900, n, 30, duration=10 * n, uid="C1") for n in (10, 20, 30)]
    (open_one,) = evaluate(IcmpAnomaly, rows("open_conn", snapshots))
    assert open_one.evidence["requests"] == 30
    closed = rows("conn", [echo(40, 900, 40, 30, duration=310, uid="C1")])
    last = evaluate(IcmpAnomaly, rows("open_conn", snapshots) | closed)[-1]
    assert last.evidence["requests"] == 40


def test_redirects(evaluate, rows):
    few = [ping(n, orig_p=5, resp_p=1, orig_pkts=2, resp_h="10.20.0.9", **SILENT) for n in range(10)]
    (found,) = evaluate(IcmpAnomaly, rows("conn", few))
    assert found.entity == {"orig_h": "10.10.0.14", "resp_h": None, "key": "redirects"}
    assert found.reason == "10.10.0.14 sent 20 ICMP redirects to 1 host in 9.0 s"
    assert evaluate(IcmpAnomaly, rows("conn", few[1:])) == []


def test_kinds_of_one_source_are_findings_of_their_own(evaluate, rows):
    made = [ping(n, **SILENT) for n in range(40)] + [
        echo(100, 900, 100, 30),
        echo(90, 900, 90, 30, resp_h="203.0.113.9"),
    ]
    made += [ping(n, orig_p=5, resp_p=1, resp_h="10.20.0.9", **SILENT) for n in range(20)]
    keys = [(f.entity["key"], f.entity["resp_h"]) for f in evaluate(IcmpAnomaly, rows("conn", made))]
    assert keys == [
        ("echo data", "203.0.113.54"),
        ("echo data", "203.0.113.9"),
        ("redirects", None),
        ("sweep", None),
    ]


def features(**columns: Any) -> pd.DataFrame:
    zeros = dict.fromkeys(("answered", "odd_hosts", "replies", "sent", "received", "foreign_bytes", "first_us"), 0)
    row = {"key": "sweep", "orig_h": "10.10.0.14", "resp_h": None, "last_us": 10, "hosts": 20, "networks": 1}
    row |= {"orig_internal": None, "resp_internal": None, "requests": 20, "hosts_sample": [], "uids": []}
    return pd.DataFrame([row | zeros | columns])


@given(st.integers(20, 1_000_000), st.integers(1, 1_000_000))
def test_more_hosts_score_higher(hosts, more):
    def score(count: int) -> float:
        return float(IcmpAnomaly().score(features(hosts=count), Tuning())["score"][0])

    assert 0 < score(hosts) < score(hosts + more) < 1


def test_public_sweeps(evaluate, public):
    found = evaluate(IcmpAnomaly, public("strato-002"))
    assert {(f.entity["orig_h"], f.entity["key"]) for f in found} == {("172.16.1.11", "sweep")}
    assert max(f.evidence["hosts"] for f in found) == 179
    assert max(f.evidence["timestamp_or_mask_hosts"] for f in found) == 134


@pytest.mark.parametrize(
    "folder", ["strato-001", "strato-005", "slips-test9", "slips-test10", "rita-json-all-fields", "dnscat2-txt"]
)
def test_public_logs_without_one_are_quiet(evaluate, public, folder):
    assert evaluate(IcmpAnomaly, public(folder)) == []
