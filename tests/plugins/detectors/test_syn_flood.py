"""SYNs in, floods out: recorded floods, what looks like one and is none, and other projects' logs."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_plugins.detectors.syn_flood import SynFlood, Tuning, _score

TARGET = "10.20.0.20"


def syn(number: int, **columns: Any) -> dict[str, Any]:
    """An unanswered SYN without options, one each 5 ms, from a port of its own."""
    given = {"ts": 10 + number / 200, "orig_h": "10.10.0.14", "orig_p": 1024 + number % 60_000, "resp_h": TARGET}
    given |= {"resp_p": 80, "proto": "tcp", "conn_state": "S0", "history": "S"}
    return given | {"orig_pkts": 1, "orig_ip_bytes": 40, "resp_pkts": 0} | columns


def flood(count: int = 2_000, **columns: Any) -> list[dict[str, Any]]:
    return [syn(n, **columns) for n in range(count)]


def forged(count: int = 2_000, **columns: Any) -> list[dict[str, Any]]:
    """Each from a source of its own."""
    return [syn(n, orig_h=f"198.{18 + n // 60_000}.{n // 250 % 250}.{n % 250 + 1}", **columns) for n in range(count)]


OPTIONS = {"orig_ip_bytes": 60}
REFUSED = {"conn_state": "REJ", "history": "Sr", "resp_pkts": 1}
HALF_OPEN = {"conn_state": "S1", "history": "Sh", "resp_pkts": 5, "orig_bytes": 0, "resp_bytes": 0}
SERVED = {"conn_state": "SF", "history": "ShADadFf", "orig_pkts": 6, "orig_ip_bytes": 700, "resp_pkts": 6}


@pytest.mark.parametrize(
    ("scenario", "form", "port", "numbers"),
    [
        ("syn_flood", "tsv", 80, {"sources": 1, "refused": 5000, "unanswered": 0}),
        ("syn_flood", "json", 80, {"sources": 1, "refused": 5000, "unanswered": 0}),
        ("syn_flood", "eve.json.gz", 80, {"sources": 1, "refused": 5000, "unanswered": 0}),
        ("syn_flood_drop", "tsv", 8080, {"sources": 1, "refused": 0, "unanswered": 5000}),
        ("syn_flood_spoofed", "tsv", 8080, {"sources": 100, "refused": 0, "unanswered": 5000}),
    ],
)
def test_recorded_floods_are_found(evaluate, lab, scenario, form, port, numbers):
    (found,) = evaluate(SynFlood, lab(scenario, form))
    assert found.entity == {"resp_h": TARGET, "resp_p": port}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert (found.evidence["syns"], found.evidence["bare_share"], found.evidence["taken_up"]) == (5000, 1.0, 0)
    assert found.context.get("orig_h") == ("10.10.0.14" if numbers["sources"] == 1 else None)
    assert found.score > 0.5


def test_the_reason_says_who_what_and_how_fast(evaluate, lab):
    (found,) = evaluate(SynFlood, lab("syn_flood", "tsv"))
    assert found.reason == (
        "10.20.0.20:80 got 5,000 SYNs from 10.10.0.14 in 5.2 s, up to 500 a second: 5,000 refused, 0 unanswered, "
        "0 never acknowledged, 0 connections taken up meanwhile"
    )


@pytest.mark.parametrize(
    "scenario",
    ["benign", "benign_tls", "scan_vertical", "scan_horizontal", "scan_udp", "ssh_bruteforce_success", "multistage"],
)
def test_other_scenarios_are_none(evaluate, lab, scenario):
    assert evaluate(SynFlood, lab(scenario, "tsv")) == []


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (flood(500), True),
        (flood(499), False),
        (flood(2_000, history=None), True),  # EVE
        (flood(2_000, **OPTIONS), True),  # 2,000 in 10 s are no retries
        (forged(2_000, **OPTIONS), True),
        (forged(2_000, **REFUSED), True),
        (forged(2_000, **REFUSED, **OPTIONS), False),  # clients of a service that is down
        (forged(2_000, orig_pkts=3, orig_ip_bytes=180), False),  # they try again
        (forged(2_000, **HALF_OPEN, **OPTIONS), True),
        (forged(2_000, **HALF_OPEN | {"history": None}, **OPTIONS), True),
        (forged(2_000, **HALF_OPEN | {"history": "ShR", "conn_state": "RSTO", "orig_pkts": 2}), True),
        (forged(2_000, **HALF_OPEN | {"history": "ShA", "orig_pkts": 2}, **OPTIONS), False),  # acknowledged, idle
        (forged(2_000, **SERVED), False),
        (flood(2_000, history="^r", conn_state="REJ"), False),  # replies to a flood elsewhere
        ([syn(n, resp_p=n % 200) for n in range(2_000)], False),
        ([syn(n, resp_h=f"10.20.0.{n % 200}") for n in range(2_000)], False),
        (flood(2_000, proto="udp"), False),
    ],
)
def test_what_is_a_flood(evaluate, rows, made, found):
    assert bool(evaluate(SynFlood, rows("conn", made))) == found


def test_retries_from_the_same_port_are_no_flood(evaluate, rows):
    """Linux sends the SYN again after 1, 3, 7, 15, 31 and 63 s; from the third on Zeek gives each a row."""
    first = forged(1_500, **OPTIONS | {"orig_pkts": 3, "orig_ip_bytes": 180})
    later = [row | {"ts": row["ts"] + after, **OPTIONS, "orig_pkts": 1} for row in first for after in (7, 15, 31, 63)]
    assert evaluate(SynFlood, rows("conn", first + later)) == []


@pytest.mark.parametrize(("served", "found"), [(0, True), (490, True), (510, False)])
def test_a_server_that_goes_on_serving_is_not_flooded(evaluate, rows, served, found):
    """2,000 SYNs in one span of 10 s, against 2,000 / 0.8 - 2,000 = 500 connections."""
    clients = [syn(n, ts=10 + n / 200, orig_h="10.10.0.99", **SERVED) for n in range(served)]
    assert bool(evaluate(SynFlood, rows("conn", forged(2_000) + clients))) == found


def test_ipv6(evaluate, rows):
    six = {"resp_h": "fd00:20::20", "orig_ip_bytes": 60}
    (found,) = evaluate(SynFlood, rows("conn", flood(2_000, orig_h="fd00:10::14", **six)))
    assert found.evidence["bare_share"] == 1.0
    assert found.reason.startswith("[fd00:20::20]:80 got 2,000 SYNs from fd00:10::14")
    (options,) = evaluate(SynFlood, rows("conn", flood(2_000, orig_h="fd00:10::14", **six | {"orig_ip_bytes": 80})))
    assert options.evidence["bare_share"] == 0.0


def test_the_busiest_sources_are_named(evaluate, rows):
    many = forged(1_000) + [syn(n, orig_h="203.0.113.9") for n in range(500)]
    (found,) = evaluate(SynFlood, rows("conn", many))
    assert found.evidence["sources"] == 1_001
    assert found.evidence["sources_sample"][:2] == ["203.0.113.9", "198.18.0.1"]
    assert len(found.evidence["sources_sample"]) == len(found.uids) == 20
    assert found.uids[0] == "C000000"
    assert (found.evidence["sources_internal"], found.evidence["target_internal"]) == (False, True)
    assert found.context == {"proto": "tcp", "direction": "inbound"}


def test_a_million_clients_of_a_busy_server_are_none(evaluate, rows):
    """A tenth of a day's share: 100,000 rows in 16 min, of which 2 % fail."""
    busy = []
    for n in range(100_000):
        kind = {"conn_state": "S0", "history": "S", **OPTIONS} if n % 50 == 0 else SERVED
        busy.append(syn(n, ts=10 + n / 100, orig_h=f"10.{n % 40}.{n % 250}.{n % 199}", **kind))
    assert evaluate(SynFlood, rows("conn", busy)) == []


def test_order_and_shards_change_nothing(evaluate, rows):
    made = flood(900) + forged(900, resp_p=443)
    whole = evaluate(SynFlood, rows("conn", [row | {"uid": f"U{n:05}"} for n, row in enumerate(made)]))
    assert len(whole) == 2
    shuffled = [row | {"uid": f"U{n:05}"} for n, row in enumerate(made)]
    random.Random(1).shuffle(shuffled)
    assert evaluate(SynFlood, rows("conn", shuffled), shards=3) == whole


@given(st.integers(500, 10_000_000), st.integers(1, 1_000_000))
def test_more_scores_higher(peak, more):
    assert 0 < _score(peak, Tuning()) < _score(peak + more * peak // 1_000 + 1, Tuning()) < 1


@pytest.mark.parametrize(
    "folder",
    ["strato-002", "strato-001", "strato-005", "slips-test9", "slips-test10", "slips-port-scans/vertical"],
)
def test_public_logs_are_none(evaluate, public, folder):
    assert evaluate(SynFlood, public(folder)) == []
