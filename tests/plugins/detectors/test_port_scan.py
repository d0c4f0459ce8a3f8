"""Attempts in, scans out: recorded scans, what looks like one and is none, and other projects' logs."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.port_scan import PortScan, Tuning

SCANNER, HOST = "10.10.0.14", "10.20.0.10"


def probe(number: int, **columns: Any) -> dict[str, Any]:
    """A refused attempt, one a second."""
    given = {"ts": 10 + number, "orig_h": SCANNER, "orig_p": 40_000 + number, "resp_h": HOST, "resp_p": 80}
    given |= {"proto": "tcp", "conn_state": "REJ", "history": "Sr", "orig_pkts": 1, "resp_pkts": 1, "duration": 0.001}
    return given | columns


def vertical(ports: int, **columns: Any) -> list[dict[str, Any]]:
    return [probe(n, resp_p=n + 1, **columns) for n in range(ports)]


def horizontal(hosts: int, **columns: Any) -> list[dict[str, Any]]:
    return [probe(n, resp_h=f"10.20.{n // 250}.{n % 250 + 1}", **columns) for n in range(hosts)]


SILENT = {"conn_state": "S0", "history": "S", "resp_pkts": 0}
HALF_OPEN = {"conn_state": "RSTO", "history": "ShR", "orig_bytes": 0, "resp_bytes": 0, "orig_pkts": 2}
SERVED = {"conn_state": "SF", "history": "ShADadFf", "orig_bytes": 500, "resp_bytes": 900, "orig_pkts": 6}
UDP = {"proto": "udp", "conn_state": "S0", "history": "D", "resp_pkts": 0}


@pytest.mark.parametrize(
    ("scenario", "source", "target", "kinds", "numbers"),
    [
        ("scan_vertical", SCANNER, HOST, ["vertical TCP"], {"ports": 1000, "refused": 998, "half_open": 2}),
        ("scan_vertical_v6", "fd00:10::14", "fd00:20::10", ["vertical TCP"], {"ports": 300, "half_open": 2}),
        (
            "scan_horizontal",
            SCANNER,
            None,
            ["horizontal TCP"],
            {"hosts": 31, "ports": 2, "refused": 31, "half_open": 31},
        ),
        ("scan_slow", "10.10.0.15", HOST, ["vertical TCP"], {"ports": 40, "refused": 40}),
        ("scan_udp", SCANNER, "10.20.0.12", ["vertical UDP"], {"ports": 60, "udp_sockets": 60, "unanswered": 60}),
    ],
)
def test_recorded_scans_are_found_once_from_either_format(evaluate, lab, scenario, source, target, kinds, numbers):
    (scan,) = evaluate(PortScan, lab(scenario, "tsv"))
    assert scan.entity == {"orig_h": source}
    assert scan.context.get("resp_h") == target
    assert scan.context["direction"] == "internal"
    assert scan.evidence["kinds"] == kinds
    assert {name: scan.evidence[name] for name in numbers} == numbers
    assert 0 < len(scan.uids) <= 20
    (twin,) = evaluate(PortScan, lab(scenario, "json"))
    assert twin == scan


def test_a_probe_a_minute_is_found(evaluate, lab):
    found = evaluate(PortScan, lab("scan_slow_1min", "tsv"))
    assert {f.context["resp_h"] for f in found} == {HOST}
    assert max(f.evidence["ports"] for f in found) >= 30


@pytest.mark.parametrize("scenario", ["scan_vertical", "scan_horizontal", "scan_slow", "scan_udp", "scan_vertical_v6"])
def test_eve_tells_the_same_sources_and_sockets(evaluate, lab, scenario):
    zeek, eve = (evaluate(PortScan, lab(scenario, form)) for form in ("tsv", "eve.json.gz"))
    assert [f.entity for f in eve] == [f.entity for f in zeek]
    for name in ("hosts", "ports", "sockets", "kinds"):
        assert [f.evidence[name] for f in eve] == [f.evidence[name] for f in zeek]


def test_the_scanner_from_outside_and_the_one_inside_are_two_findings(evaluate, lab):
    found = {f.entity["orig_h"]: f for f in evaluate(PortScan, lab("multistage", "tsv"))}
    assert set(found) == {"203.0.113.66", "10.10.0.14"}
    assert found["203.0.113.66"].context["resp_h"] == "10.10.0.14"
    assert found["10.10.0.14"].evidence["hosts"] == 35
    assert found["10.10.0.14"].context["resp_p"] == 22


@pytest.mark.parametrize(
    "scenario",
    ["benign", "benign_tls", "syn_flood", "syn_flood_drop", "syn_flood_spoofed", "icmp_sweep", "dga", "dns_tunnel"],
)
def test_recorded_traffic_without_a_scan_is_quiet(evaluate, lab, scenario):
    assert evaluate(PortScan, lab(scenario, "tsv")) == []


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "syn_flood", "dns_tunnel"])
def test_eve_without_a_scan_is_quiet(evaluate, lab, scenario):
    assert evaluate(PortScan, lab(scenario, "eve.json.gz")) == []


@pytest.mark.parametrize("how", [{}, SILENT, HALF_OPEN, UDP, {"conn_state": "RSTOS0", "history": "SR"}])
@pytest.mark.parametrize(("make", "least"), [(vertical, 15), (horizontal, 10)])
def test_thresholds(evaluate, rows, make, least, how):
    assert len(evaluate(PortScan, rows("conn", make(least, **how)))) == 1
    assert evaluate(PortScan, rows("conn", make(least - 1, **how))) == []


def test_the_evidence_tells_the_numbers(evaluate, rows):
    attempts = [*vertical(20), *vertical(3), probe(30, resp_p=9000, **SILENT), probe(31, resp_p=9001, **HALF_OPEN)]
    attempts += [probe(40 + n, proto="icmp", orig_p=8, resp_p=0, resp_h=f"10.20.0.{n}") for n in range(7)]
    (scan,) = evaluate(PortScan, rows("conn", attempts))
    assert scan.evidence["kinds"] == ["vertical TCP", "ICMP echo"]
    numbers = {"hosts": 1, "ports": 22, "sockets": 22, "attempts": 25, "refused": 20, "unanswered": 1, "half_open": 1}
    assert {name: scan.evidence[name] for name in numbers} == numbers
    assert scan.evidence["icmp_hosts"] == 7
    assert scan.evidence["ports_sample"] == list(range(1, 21))
    assert (scan.evidence["source_internal"], scan.evidence["internal_hosts"]) == (True, 1)
    assert scan.reason == (
        "10.10.0.14 probed 22 ports of 10.20.0.10 in 31.0 s (vertical TCP, ICMP echo): of 22 sockets 20 refused, "
        "1 did not answer, 1 were reset without data"
    )


def test_icmp_alone_is_no_trigger(evaluate, rows):
    pings = [probe(n, proto="icmp", orig_p=8, resp_p=0, resp_h=f"10.20.0.{n}", conn_state="OTH") for n in range(200)]
    assert evaluate(PortScan, rows("conn", pings)) == []


@pytest.mark.parametrize(
    "reply",
    [
        {"conn_state": "SHR", "history": "^h"},
        {"conn_state": "RSTRH", "history": "^hr"},
        {"conn_state": "OTH", "history": "^r"},
        {"conn_state": "REJ", "history": "^Sr"},
        {"conn_state": "S0", "history": "^S"},
        {"conn_state": "SH", "history": "FR", "orig_p": 443},  # late packets of a server
        {"conn_state": "OTH", "history": "R", "orig_p": 443},
        UDP | {"orig_p": 53},  # late answers of a resolver
    ],
)
def test_replies_to_what_was_not_seen_are_none(evaluate, rows, reply):
    many = [probe(n, **({"resp_p": 40_000 + n} | reply)) for n in range(100)]
    many += [probe(n, **({"resp_p": 40_000, "resp_h": f"10.20.0.{n + 1}"} | reply)) for n in range(100)]
    assert evaluate(PortScan, rows("conn", many)) == []


def test_a_dead_server_that_many_call_and_a_busy_one_are_none(evaluate, rows):
    dead = [probe(n, orig_h=f"10.10.1.{n % 200 + 1}", **SILENT) for n in range(1000)]
    busy = [probe(n, orig_h=f"10.10.2.{n % 200 + 1}", resp_h="10.20.0.11", **SERVED) for n in range(1000)]
    shed = [probe(n, orig_h=f"10.10.2.{n % 200 + 1}", resp_h="10.20.0.11", **HALF_OPEN) for n in range(1000)]
    assert evaluate(PortScan, rows("conn", dead + busy + shed)) == []


def test_a_retry_is_no_further_port(evaluate, rows):
    assert evaluate(PortScan, rows("conn", [probe(n, **SILENT) for n in range(500)])) == []


def peers(count: int, popular: int, share: float, seed: int = 7, **columns: Any) -> list[dict[str, Any]]:
    """Calls to `count` peers, each at a port of its own but for the popular one's share; most do not answer."""
    chance = random.Random(seed)
    many = []
    for n in range(count):
        port = popular if chance.random() < share else chance.randrange(1024, 65_536)
        answer = {} if chance.random() < 0.6 else {"conn_state": "SF", "history": "Dd"}
        at = {"ts": chance.uniform(0, 3500), "resp_h": f"198.51.{n // 250}.{n % 250 + 1}", "resp_p": port}
        many.append(probe(n, **(columns | at | answer)))
    return many


@pytest.mark.parametrize("how", [UDP, SILENT])
def test_peer_to_peer_is_none(evaluate, rows, how):
    assert evaluate(PortScan, rows("conn", peers(3000, 6881, 0.08, **how))) == []


def test_a_sweep_among_peers_is_told_without_them(evaluate, rows):
    among = peers(200, 6881, 0.05, **SILENT) + horizontal(100, resp_p=445, **SILENT)
    (scan, *_) = evaluate(PortScan, rows("conn", among))
    assert (scan.evidence["hosts"], scan.evidence["ports"], scan.context["resp_p"]) == (100, 1, 445)


def test_a_client_of_many_servers_of_which_some_fail_is_none(evaluate, rows):
    calls = [probe(n, resp_h=f"198.51.100.{n + 1}", **(SILENT if n % 5 == 0 else SERVED)) for n in range(200)]
    assert evaluate(PortScan, rows("conn", calls)) == []
    assert len(evaluate(PortScan, rows("conn", calls), min_failed_share=0.1)) == 1


@pytest.mark.parametrize(
    "columns",
    [
        UDP | {"resp_h": "239.255.255.250"},
        UDP | {"resp_h": "ff02::1:2"},
        UDP | {"resp_h": "255.255.255.255"},
        {"conn_state": "SF", "history": "ShADadFf"},
        {"conn_state": "OTH", "history": "DdA"},
    ],
)
def test_multicast_and_served_connections_do_not_count(evaluate, rows, columns):
    assert evaluate(PortScan, rows("conn", vertical(200, **columns))) == []


def test_traceroute_and_answers_to_a_client_s_sockets_are_none(evaluate, rows):
    hops = [probe(n, **(UDP | {"resp_p": 33_434 + n})) for n in range(90)]
    assert evaluate(PortScan, rows("conn", hops)) == []


def test_a_skipped_port_does_not_count(evaluate, rows):
    nodes = horizontal(50, resp_p=8333, **SILENT)
    assert len(evaluate(PortScan, rows("conn", nodes))) == 1
    assert evaluate(PortScan, rows("conn", nodes), skip_ports=(8333,)) == []


@pytest.mark.parametrize("shift_s", [0, 600, 1200, 1790])
def test_a_scan_over_a_window_s_edge_is_found(evaluate, rows, shift_s):
    scan = [probe(n, ts=shift_s + 60 * n, resp_p=n + 1) for n in range(28)]
    found = evaluate(PortScan, rows("conn", scan))
    assert max(f.evidence["ports"] for f in found) == 28
    assert all(f.window_end_us - 1800 * 1_000_000 <= f.last_us < f.window_end_us for f in found)


def test_an_old_scan_is_not_told_again(evaluate, rows):
    scan = vertical(100)
    later = [probe(0, ts=1800 + 60 * n, **SERVED) for n in range(20)]
    assert len(evaluate(PortScan, rows("conn", scan + later))) == 1


def logged(source: str = SCANNER, **columns: Any) -> dict[str, Any]:
    """An interval of Zeek's scan log: 100 refused ports of a host in 10 s."""
    given = {"ts": 100, "duration": 10, "orig_h": source, "kind": "vertical", "attempts": 100, "hosts": 1, "ports": 100}
    given |= {"refused": 100, "syn": 100, "udp": 0, "icmp": 0, "answered": 0, "unanswered": 0, "half_open": 0}
    return given | {"capped": False, "sample": [f"{HOST}:22/tcp", f"{HOST}:80/tcp"], "node": "zeek"} | columns


SWEEP = {"kind": "horizontal", "hosts": 100, "ports": 1, "sample": [f"10.20.0.{n}:445/tcp" for n in range(9)]}


def test_the_scan_log_speaks_where_conn_has_no_such_rows(evaluate, rows):
    served = rows("conn", [probe(n, **SERVED) for n in range(200)])
    (scan,) = evaluate(PortScan, served | rows("aegis_scan", [logged()]))
    (same,) = evaluate(PortScan, rows("conn", [probe(n, resp_p=n + 1, ts=100 + n / 10) for n in range(100)]))
    assert (scan.entity, scan.score) == (same.entity, same.score)
    assert scan.context == {"resp_h": HOST, "proto": "tcp"}
    assert scan.uids == ()
    numbers = {"ports": 100, "hosts": 1, "attempts": 100, "refused": 100, "source_internal": True, "nodes": 1}
    assert {name: scan.evidence[name] for name in numbers} == numbers
    assert scan.evidence["basis"] == "aegis_scan"
    assert scan.reason == (
        "10.10.0.14 probed 100 ports of 10.20.0.10 in 10.0 s (vertical TCP; Zeek's scan log): of 100 attempts 100 "
        "refused, 0 did not answer, 0 were reset without data"
    )


def test_where_conn_has_the_attempts_it_judges_alone(evaluate, rows):
    conn = rows("conn", vertical(100))
    assert evaluate(PortScan, conn | rows("aegis_scan", [logged(ts=10, duration=100)])) == evaluate(PortScan, conn)
    wanted = rows("conn", horizontal(100, resp_p=8333)) | rows("aegis_scan", [logged(**SWEEP | {"sample": None})])
    assert evaluate(PortScan, wanted, skip_ports=(8333,)) == []
    half = rows("conn", vertical(49)) | rows("aegis_scan", [logged()])
    assert [f.evidence["ports"] for f in evaluate(PortScan, half)] == [100]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({}, True),
        ({"attempts": 15, "refused": 15, "syn": 15, "ports": 15}, True),
        ({"attempts": 14, "refused": 14, "syn": 14, "ports": 14}, False),
        (SWEEP, True),
        (SWEEP | {"hosts": 9}, False),
        (SWEEP | {"answered": 233}, True),
        (SWEEP | {"answered": 234}, False),  # a client of many servers, of which some fail
        ({"hosts": 20, "ports": 30}, True),  # Zeek says that one of these has enough
        ({"kind": "mixed", "hosts": 31, "ports": 2, "attempts": 62, "refused": 62, "syn": 62}, True),
        ({"kind": "mixed", "hosts": 900, "ports": 880, "attempts": 2000, "refused": 2000, "syn": 2000}, False),  # peers
        ({"refused": 0, "unanswered": 100, "syn": 0, "icmp": 100}, False),
        ({"syn": 0, "udp": 100, "sample": [f"{HOST}:{33434 + n}/udp" for n in range(9)]}, False),  # traceroute
        ({"syn": 0, "udp": 100, "sample": [f"{HOST}:{n}/udp" for n in range(9)]}, True),
        ({"syn": 0, "icmp": 100, "ports": 0, "sample": [f"10.20.0.{n}:8/icmp" for n in range(9)]}, False),
        ({"kind": "overflow"}, False),
        ({"orig_h": None}, False),
        ({"ports": 0}, False),
        ({"attempts": None}, False),
    ],
)
def test_what_of_the_scan_log_is_a_scan(evaluate, rows, columns, found):
    assert len(evaluate(PortScan, rows("aegis_scan", [logged(**columns)]))) == found


def test_skipped_ports_do_not_count_in_the_scan_log(evaluate, rows):
    wanted = rows("aegis_scan", [logged(**SWEEP)])
    assert len(evaluate(PortScan, wanted, skip_ports=(22,))) == 1
    assert evaluate(PortScan, wanted, skip_ports=(22, 445)) == []


@pytest.mark.parametrize("target", ["fd00:20::10:22/tcp", "[fd00:20::10]:22/tcp"])
def test_a_sample_names_ipv6_hosts(evaluate, rows, target):
    (scan,) = evaluate(PortScan, rows("aegis_scan", [logged("fd00:10::14", sample=[target])]))
    assert scan.context["resp_h"] == "fd00:20::10"


def test_rows_of_several_nodes_at_one_time_are_one_picture(evaluate, rows):
    """Neither half is enough by itself; what comes at another time does not add up."""
    half = {"attempts": 8, "refused": 8, "syn": 8, "ports": 8, "sample": [f"{HOST}:1/tcp"]}
    one, two = logged(**half, node="worker-1"), logged(**half | {"sample": [f"{HOST}:2/tcp"]}, node="manager", ts=105)
    (scan,) = evaluate(PortScan, rows("aegis_scan", [one, two]))
    numbers = {"ports": 16, "least_ports": 8, "hosts": 1, "attempts": 16, "nodes": 2}
    assert {name: scan.evidence[name] for name in numbers} == numbers
    assert scan.context["resp_h"] == HOST
    assert evaluate(PortScan, rows("aegis_scan", [one, two]), min_ports=17) == []
    assert evaluate(PortScan, rows("aegis_scan", [one, two | {"ts": 111}])) == []
    assert evaluate(PortScan, rows("aegis_scan", [one, two | {"node": "worker-1"}])) == []


def test_halves_of_a_sweep_are_one_picture(evaluate, rows):
    half = SWEEP | {"hosts": 6, "attempts": 6, "refused": 6, "syn": 6}
    nodes = [logged(**half, node=f"proxy-{n}") for n in range(3)]
    (scan,) = evaluate(PortScan, rows("aegis_scan", nodes))
    assert (scan.evidence["hosts"], scan.evidence["ports"], scan.evidence["least_hosts"]) == (18, 1, 6)
    assert scan.context["resp_p"] == 445


def test_a_chain_of_overlaps_is_not_one_picture(evaluate, rows):
    """Two nodes that tell of three dead ports each half minute, for half an hour."""
    few = {"attempts": 3, "refused": 3, "syn": 3, "ports": 3}
    chain = [logged(**few, ts=30 * n, duration=45, node=f"proxy-{n % 2}") for n in range(60)]
    assert evaluate(PortScan, rows("aegis_scan", chain)) == []


def test_intervals_of_one_scan_add_attempts_and_not_hosts(evaluate, rows):
    (scan,) = evaluate(PortScan, rows("aegis_scan", [logged(ts=60 * n) for n in range(5)]))
    assert (scan.evidence["attempts"], scan.evidence["ports"], scan.evidence["duration_s"]) == (500, 100, 250.0)


@pytest.mark.parametrize("ts", [1740, 1795])
def test_an_interval_over_a_window_s_edge_is_told_once(evaluate, rows, ts):
    found = evaluate(PortScan, rows("aegis_scan", [logged(ts=ts)]))
    assert len(found) == 1


def test_shards_and_the_order_of_rows_change_nothing_of_the_scan_log(evaluate, rows):
    nodes = [logged(f"10.1.0.{n % 7}", node=f"w{n % 3}", ts=100 + 7 * n, attempts=100 + n) for n in range(40)]
    whole = evaluate(PortScan, rows("aegis_scan", nodes))
    random.Random(1).shuffle(nodes)
    assert len(whole) == 7
    assert evaluate(PortScan, rows("aegis_scan", nodes), shards=3) == whole


def test_shards_change_nothing(evaluate, lab):
    tables = lab("multistage", "tsv")
    assert evaluate(PortScan, tables, shards=3) == evaluate(PortScan, tables)


def features(**columns: float) -> pd.DataFrame:
    """What the query gives for a scan of `columns` and nothing else."""
    zeros = dict.fromkeys(("vertical_tcp", "vertical_udp", "horizontal_tcp", "horizontal_udp", "swept_permille"), 0)
    row = {"orig_h": SCANNER, "first_us": 0, "last_us": HOUR_US, "hosts": 2, "ports": 2, "hosts_sample": ["a", "b"]}
    row |= dict.fromkeys(("attempts", "sockets", "refused", "unanswered", "half_open", "udp_sockets", "most_ports"), 1)
    row |= {"most_hosts": 1, "failed_permille": None, "ports_sample": [1, 2], "least_proto": "tcp", "most_proto": "udp"}
    row |= {
        "orig_internal": 1,
        "internal_hosts": 1,
        "external_hosts": 1,
        "uids": [],
        "icmp_hosts": 0,
        "icmp_types": None,
        "of_log": 0,
        "capped": 0,
    }
    return pd.DataFrame([row | zeros | columns])


@given(st.integers(15, 65_536), st.integers(0, 65_536), st.sampled_from(["vertical_tcp", "vertical_udp"]))
def test_a_scan_that_is_larger_by_some_percent_scores_higher(ports, swept, column):
    def score(more: int) -> float:
        scan = features(**{column: ports + more, "swept_permille": 1000 * swept})
        return float(np.round(PortScan().score(scan, Tuning())["score"][0], 6))

    assert 0 < score(0) < score(1 + (ports + 2 * swept) // 50) < 1


def test_scores_are_in_order_of_what_was_scanned():
    sizes = list(range(15, 5000))
    scans = pd.concat([features()] * len(sizes), ignore_index=True).assign(vertical_tcp=sizes)
    scores = PortScan().score(scans, Tuning())["score"].tolist()
    assert len(np.unique(np.round(scores, 6))) == len(scores)
    assert scores == sorted(scores)


def test_public_scans(evaluate, public):
    (vertical_scan,) = evaluate(PortScan, public("slips-port-scans/vertical"))
    assert vertical_scan.entity["orig_h"] == "192.168.1.9"
    assert vertical_scan.context["resp_h"] == "45.33.32.156"
    assert (vertical_scan.evidence["ports"], vertical_scan.evidence["refused"]) == (44, 42)
    (weak,) = evaluate(PortScan, public("slips-port-scans/horizontal"))
    assert (weak.entity["orig_h"], weak.context["resp_p"]) == ("10.0.2.112", 80)
    assert (weak.evidence["hosts"], weak.evidence["most_failed_share"]) == (10, 0.4)
    assert weak.score < 0.3
    nmap = evaluate(PortScan, public("strato-002"))
    assert {f.entity["orig_h"] for f in nmap} == {"172.16.1.11"}
    assert max(f.evidence["icmp_hosts"] for f in nmap) == 180


@pytest.mark.parametrize(
    "folder",
    ["ctu-botnet-4", "strato-001", "strato-005", "rita-proxy", "rita-json-all-fields", "dnscat2-txt", "slips-test9"],
)
def test_public_logs_without_a_scan_are_quiet(evaluate, public, folder):
    assert evaluate(PortScan, public(folder)) == []


def test_a_host_on_the_internet_is_no_scanner(evaluate, public):
    assert "147.32.81.167" not in {f.entity["orig_h"] for f in evaluate(PortScan, public("strato-008"))}
