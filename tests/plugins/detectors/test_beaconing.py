"""Calls in, beacons out: over hours made by hand, and over recorded logs from decoding on."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich.detect.evaluate import Evaluation
from aegis_enrich.detect.windows import Window
from aegis_enrich.plugin import HOUR_US, DerivedTable, Finding
from aegis_enrich.store.views import View
from aegis_enrich.tables import TYPES
from aegis_plugins.detectors.beaconing import Beaconing, Tuning, components
from aegis_plugins.tables.pair_hour import PairHour
from aegis_plugins.tables.server_hour import ServerHour
from aegis_plugins.tables.server_name_hour import ServerNameHour

END = 475_000 * HOUR_US
START = END - 24 * HOUR_US
CLIENT, SERVER = "10.0.0.1", "198.51.100.7"


def every(gap_s: float, count: int, *, jitter: float = 0.0, ends_s: float = 60.0, seed: int = 1) -> list[float]:
    """Times in seconds before the window's end: `count` calls, each gap within `jitter` of `gap_s`, the last recent."""
    chance, times = random.Random(seed), [ends_s]
    while len(times) < count:
        times.append(times[-1] + gap_s * (1 + jitter * chance.uniform(-1, 1)))
    return times


def calls(ago_s: Iterable[float], table: type[DerivedTable] = PairHour, **columns: Any) -> list[dict[str, Any]]:
    """Rows of a derived table that hold calls so many seconds before the window's end."""
    sizes = columns.pop("sizes", [500])
    hours = defaultdict(list)
    for ago in ago_s:
        at_us = END - round(ago * 1_000_000)
        hours[at_us // HOUR_US * HOUR_US].append(at_us)
    rows = []
    for hour_us, times in sorted(hours.items()):
        named = {"name": "c2.test", "proxied": False, "tls": True, "requests": len(times), "acts": len(times)}
        row = {"orig_h": CLIENT, "resp_h": SERVER, "resp_p": 443, "proto": "tcp", "resp_internal": False}
        row |= {"direction": "outbound", "connections": len(times), "dials": len(times), "answered": len(times)}
        row |= {"first_us": min(times), "last_us": max(times), "starts_ms": sorted(t // 1000 for t in times)}
        row |= {"sizes": sorted(sizes[i % len(sizes)] for i in range(len(times))), "uid": f"C{hour_us}", "lookups": 0}
        row |= {"ip_sizes": row["sizes"]}
        rows.append(row | (named if table is ServerNameHour else {}) | columns | {"hour_us": hour_us})
    return rows


def names(ago_s: Iterable[float], **columns: Any) -> list[dict[str, Any]]:
    return calls(ago_s, ServerNameHour, **columns)


def view(table: type[DerivedTable], rows: Sequence[Mapping[str, Any]]) -> View:
    fields = [(c.name, TYPES[c.kind]) for c in table.columns]
    schema = pa.schema([*fields, ("sensor", pa.string()), ("hour_us", pa.int64())])
    held = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}, schema=schema)
    return View(table.name, schema, START, END, derived=True, temporary=held)


def servers(*rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of server_hour: the window's whole span, and what is given."""
    spans = [{"server": "192.0.2.1", "first_us": START, "last_us": END - 1}, *rows]
    return [{"clients": 1, "all_clients": 10, "connections": 1, "hour_us": END - HOUR_US} | row for row in spans]


def found(
    pairs: Sequence[Mapping[str, Any]] = (),
    named: Sequence[Mapping[str, Any]] = (),
    known: Sequence[Mapping[str, Any]] = (),
    shards: int = 1,
    **tuning: Any,
) -> list[Finding]:
    views = (view(PairHour, pairs), view(ServerNameHour, named), view(ServerHour, servers(*known)))
    return Evaluation(Beaconing, "s", Window(START, END), views, Tuning(**tuning), shards=shards).run()


def keys(findings: Sequence[Finding]) -> list[str]:
    return [str(f.entity["key"]) for f in findings]


def test_an_even_call_is_found_with_its_numbers() -> None:
    (beacon,) = found(calls(every(60, 40)))
    assert beacon.entity == {"orig_h": CLIENT, "key": f"{SERVER}:443/tcp"}
    assert beacon.context == {"resp_h": SERVER, "resp_p": 443, "proto": "tcp", "direction": "outbound"}
    assert beacon.score == 1.0
    assert beacon.last_us == END - 60_000_000
    assert beacon.first_us == beacon.last_us - 39 * 60_000_000
    assert beacon.evidence["dials"] == 40
    assert (beacon.evidence["gap_median_s"], beacon.evidence["gap_mad_s"]) == (60.0, 0.0)
    assert (beacon.evidence["span_s"], beacon.evidence["size_median_bytes"]) == (39 * 60.0, 500.0)
    assert beacon.reason == (
        "10.0.0.1 called 198.51.100.7:443/tcp 40 times in 0.7 h, one each 60.0 ± 0.0 s, sending 500 ± 0 bytes"
    )
    assert beacon.uids == (f"C{END - HOUR_US}",)


@pytest.mark.parametrize("jitter", [0.0, 0.2, 0.3])
def test_jitter_is_borne(jitter: float) -> None:
    assert len(found(calls(every(300, 200, jitter=jitter)))) == 1


def test_random_calls_are_none() -> None:
    chance, times = random.Random(2), [60.0]
    while times[-1] < 80_000:
        times.append(times[-1] + chance.expovariate(1 / 300))
    assert found(calls(times)) == []


def test_bursts_are_none() -> None:
    browsing = [60 + visit * 3_000 + page * 7 for visit in range(20) for page in range(10)]
    assert found(calls(browsing)) == []


@pytest.mark.parametrize(("count", "gap_s", "hits"), [(12, 164, 1), (11, 180, 0), (12, 163, 0)])
def test_calls_and_span_must_be_enough(count: int, gap_s: float, hits: int) -> None:
    assert len(found(calls(every(gap_s, count)))) == hits


def test_what_tuning_lowers_is_found() -> None:
    assert len(found(calls(every(3, 40)), min_span_s=60)) == 1


RARE: dict[str, Any] = {"server": SERVER, "clients": 1, "first_us": END - HOUR_US, "last_us": END - 1}


def test_a_short_run_is_told_at_half_the_score() -> None:
    (run,) = found(calls(every(3, 30)), known=[RARE])
    assert (run.evidence["short"], run.evidence["dials"], run.evidence["span_s"], run.score) == (True, 30, 87.0, 0.5)
    assert run.reason == (
        "10.0.0.1 called 198.51.100.7:443/tcp 30 times in 1.4 min, one each 3.0 ± 0.0 s, sending 500 ± 0 bytes: a "
        "rhythm too short to be sure"
    )
    (named,) = found((), names(every(6, 30)), known=[RARE | {"server": "c2.test"}])
    assert (named.entity["key"], named.evidence["short"]) == ("c2.test", True)


@pytest.mark.parametrize(
    ("times", "columns", "known", "hits"),
    [
        (every(3, 21), {}, {}, 1),
        (every(3, 20), {}, {}, 0),  # 57 s
        (every(80, 19), {}, {}, 0),
        (every(80, 20), {}, {}, 1),
        (every(10, 40, jitter=0.3), {}, {}, 1),
        (every(10, 40, jitter=0.8), {}, {}, 0),
        (every(10, 40), {"sizes": [500, 520]}, {}, 1),
        (every(10, 40), {"sizes": [500, 600]}, {}, 0),
        (every(10, 40), {"sizes": [500, 501, 900, 30_000]}, {}, 0),
        (every(10, 40), {"proto": "udp"}, {}, 0),
        (every(10, 40), {"resp_internal": True}, {}, 0),
        (every(10, 40), {"answered": 0}, {}, 0),
        (every(10, 40), {"lookup_name": "v10.poll.test"}, {}, 0),
        (every(10, 40), {}, {"clients": 2}, 1),
        (every(10, 40), {}, {"clients": 3}, 0),
        (every(10, 40), {}, {"server": "192.0.2.7"}, 0),  # nobody counted its clients
        ([*every(10, 40), 40_000.0], {}, {}, 1),  # a visit in the morning
    ],
)
def test_a_short_run_must_be_even_alike_and_rare(
    times: list[float], columns: dict[str, Any], known: dict[str, Any], hits: int
) -> None:
    runs = found(calls(times, **columns), known=[RARE | known], pollers=("poll.test",))
    assert [r.evidence["short"] for r in runs] == [True] * hits


@pytest.mark.parametrize(("servers", "hits"), [(3, 3), (4, 0)])
def test_who_makes_many_short_runs_works_that_way(servers: int, hits: int) -> None:
    places = [f"198.51.100.{i}" for i in range(servers)]
    rows = [row for place in places for row in calls(every(10, 40), resp_h=place)]
    assert len(found(rows, known=[RARE | {"server": place} for place in places])) == hits


def test_a_short_run_takes_nothing_from_a_long_one() -> None:
    long, short = calls(every(60, 120)), calls(every(3, 40), resp_p=8443)
    runs = found(long + short, known=[RARE])
    assert [(f.entity["key"], f.evidence["short"]) for f in runs] == [
        (f"{SERVER}:443/tcp", False),
        (f"{SERVER}:8443/tcp", True),
    ]


def test_calls_over_midnight_s_hours_are_one_rhythm() -> None:
    (beacon,) = found(calls(every(1_000, 80)))
    assert (beacon.evidence["hours"], beacon.evidence["gap_mad_s"]) == (22, 0.0)


def test_only_what_called_in_the_last_hour_is_judged() -> None:
    assert found(calls(every(60, 60, ends_s=3_700))) == []
    assert len(found(calls(every(60, 60, ends_s=3_599)))) == 1


def test_nothing_under_a_second() -> None:
    assert found(calls(every(0.9, 3_500)), min_span_s=60) == []


def test_calls_at_one_moment_are_one() -> None:
    twice = [t + d for t in every(60, 40) for d in (0.0, 0.4)]
    (beacon,) = found(calls(twice))
    assert (beacon.evidence["dials"], beacon.evidence["rows"], beacon.score) == (40, 80, 1.0)


@pytest.mark.parametrize(
    "columns",
    [
        {"resp_p": 123, "proto": "udp"},
        {"resp_p": 53, "proto": "udp"},
        {"resp_p": 853},
        {"proto": "icmp"},
        {"resp_internal": True},
        {"resp_h": "224.0.0.251"},
        {"resp_h": "239.255.255.250"},
        {"resp_h": "255.255.255.255"},
        {"resp_h": "169.254.1.1"},
        {"resp_h": "ff02::1:3"},
        {"resp_h": "fe80::1"},
    ],
)
def test_what_polls_by_design_is_none(columns: dict[str, Any]) -> None:
    assert found(calls(every(60, 40), **columns)) == []


@pytest.mark.parametrize("server", ["223.1.2.3", "12.0.0.1", "2001:db8::1", "fd00:203::50"])
def test_other_addresses_are_judged(server: str) -> None:
    assert len(found(calls(every(60, 40), resp_h=server))) == 1


def test_a_name_leads_over_its_address() -> None:
    times = every(60, 40)
    (beacon,) = found(calls(times), names([t - 0.1 for t in times]))
    assert beacon.entity["key"] == "c2.test"
    assert (beacon.context["name"], beacon.context["resp_h"]) == ("c2.test", SERVER)


def test_an_address_whose_names_tell_of_few_of_its_calls_stays() -> None:
    assert keys(found(calls(every(60, 60)), names(every(127, 20), connections=1))) == [
        f"{SERVER}:443/tcp",
        "c2.test",
    ]


def test_a_name_on_many_addresses_is_one() -> None:
    times = every(60, 40)
    spread = [row for i in range(4) for row in names(times[i::4], resp_h=f"198.51.100.{i}")]
    (beacon,) = found((), spread)
    assert (beacon.entity["key"], beacon.evidence["dials"], "resp_h" in beacon.context) == ("c2.test", 40, False)
    assert beacon.evidence["servers_sample"] == [f"198.51.100.{i}" for i in range(4)]


def test_a_proxy_gives_way_to_the_name_behind_it() -> None:
    proxy = {"resp_h": "192.0.2.9", "resp_p": 3128}
    (beacon,) = found(calls(every(60, 60), **proxy), names(every(60, 60), proxied=True, **proxy))
    assert beacon.context == {"name": "c2.test", "proto": "tcp"}
    assert (beacon.evidence["through_proxy"], beacon.evidence["proxies_sample"]) == (True, ["192.0.2.9"])


def test_a_proxy_of_ours_hides_nothing() -> None:
    proxy = {"resp_h": "10.0.0.9", "resp_p": 3128, "resp_internal": True}
    assert keys(found(calls(every(60, 60), **proxy), names(every(60, 60), proxied=True, **proxy))) == ["c2.test"]
    assert found((), names(every(60, 60), **proxy)) == []


def test_servers_inside_are_judged_where_tuning_says_so() -> None:
    rows = {"resp_internal": True}
    assert len(found(calls(every(60, 40), **rows), inside=True)) == 1
    assert len(found((), names(every(60, 40), **rows), inside=True)) == 1


def test_a_host_header_that_is_an_address_is_one() -> None:
    (beacon,) = found((), names(every(60, 60), name="203.0.113.5", resp_h="192.0.2.9", proxied=True))
    assert (beacon.context.get("name"), beacon.context["resp_h"]) == (None, "203.0.113.5")


def test_a_server_that_never_answered_is_said_so() -> None:
    assert found(calls(every(60, 40), answered=0))[0].reason.endswith(", never answered")


def test_a_crowd_of_peers_is_one_finding() -> None:
    peers = [r for i in range(12) for r in calls(every(1_800, 40, seed=i), resp_h=f"198.51.100.{i}", resp_p=7_000 + i)]
    beacon, crowd = found(peers, names(every(300, 40)))
    assert (beacon.entity["key"], crowd.entity["key"], beacon.evidence["peers"]) == ("c2.test", "peers", 1)
    assert (crowd.evidence["peers"], crowd.evidence["dials"], len(crowd.evidence["ports"])) == (12, 480, 10)
    assert "resp_h" not in crowd.context and "resp_p" not in crowd.context
    assert crowd.reason.startswith("10.0.0.1 called 12 servers without a name 480 times")
    assert len(found(peers, crowd=13)) == 12


def test_known_pollers_are_marked() -> None:
    rows = names(every(60, 40), name="eu.telemetry.example.net")
    assert found((), rows)[0].evidence["known_poller"] is False
    assert found((), rows, pollers=("telemetry.example.net",))[0].evidence["known_poller"] is True
    assert found((), rows, pollers=("try.example.net",))[0].evidence["known_poller"] is False
    socket = calls(every(60, 40), lookups=1, lookup_name="eu.telemetry.example.net")  # DNS told the name, TLS did not
    assert found(socket, pollers=("telemetry.example.net",))[0].evidence["known_poller"] is True


def test_ports_by_turns_are_one_beacon() -> None:
    times, chance = every(300, 60), random.Random(4)
    ports = [chance.choice((443, 8080, 8443)) for _ in times]
    rows = [r for p in set(ports) for r in calls([t for t, q in zip(times, ports, strict=True) if p == q], resp_p=p)]
    (beacon,) = found(rows)
    assert (beacon.entity["key"], beacon.evidence["ports"]) == (f"{SERVER}:*", [443, 8080, 8443])
    assert (beacon.context["resp_h"], "resp_p" in beacon.context) == (SERVER, False)
    assert beacon.reason.startswith(f"10.0.0.1 called {SERVER} on 3 ports by turns 60 times")


def test_a_port_each_is_a_scan() -> None:
    assert found([r for n, t in enumerate(every(60, 60)) for r in calls([t], resp_p=1_000 + n)]) == []


def test_two_programs_on_two_ports_of_a_server_are_two() -> None:
    rows = calls(every(60, 60)) + calls(every(70, 60), resp_p=8443)
    assert keys(found(rows)) == [f"{SERVER}:443/tcp", f"{SERVER}:8443/tcp"]


def test_lookups_are_evidence_of_the_same_beacon() -> None:
    times = every(60, 60, ends_s=1_800)  # half of them in each of two hours
    socket = calls(times, lookups=30, lookup_name="rat.example")
    (nameless,) = found(socket)
    assert (nameless.evidence["dns_queries"], nameless.evidence["dns_per_call"]) == (60, 1.0)
    assert nameless.evidence["dns_name"] == "rat.example"
    assert nameless.reason.endswith(", asking DNS 60 times")
    spread = [r for i in range(2) for r in names(times[i::2], resp_h=f"198.51.100.{i}", lookups=30)]
    (named,) = found((), spread)
    assert (named.entity["key"], named.evidence["dns_queries"]) == ("c2.test", 60)


def test_who_else_calls_it_and_since_when() -> None:
    known = {"server": SERVER, "clients": 4, "all_clients": 8, "first_us": END - 3 * HOUR_US}
    later = known | {"clients": 6, "first_us": END - HOUR_US, "last_us": END - 1}
    (beacon,) = found(calls(every(60, 40)), known=[known | {"last_us": END - 2 * HOUR_US}, later])
    assert (beacon.evidence["clients"], beacon.evidence["all_clients"]) == (6, 10)
    assert beacon.evidence["clients_share"] == 0.6
    assert beacon.evidence["server_seen_h"] == pytest.approx(3 - 1 / 60, abs=1e-6)


def test_what_nobody_told_of_a_server_is_null() -> None:
    (beacon,) = found(calls(every(60, 40)))
    assert [beacon.evidence[n] for n in ("clients", "clients_share", "server_seen_h")] == [None] * 3


def test_rita_s_score_stands_beside() -> None:
    (beacon,) = found(calls(every(300, 280)))
    assert beacon.evidence["rita_score"] > 0.9


def test_an_hour_without_lists_is_left_out() -> None:
    rows = calls(every(300, 100))
    rows[3] |= {"dials": 5_000, "starts_ms": None, "sizes": None}
    assert found(rows)[0].evidence["dials"] == 88


def test_shards_find_the_same() -> None:
    rows = [r for i in range(9) for r in calls(every(60 + i, 40), orig_h=f"10.0.0.{i}")]
    assert found(rows, shards=4) != []
    assert sorted(keys(found(rows, shards=4))) == sorted(keys(found(rows)))


def features(**columns: Any) -> pd.DataFrame:
    """101 calls a minute apart, without sizes or hours that could confirm them."""
    even = {"gap_d1_ms": 60_000.0, "gap_q1_ms": 60_000.0, "gap_median_ms": 60_000.0, "gap_q3_ms": 60_000.0}
    even |= {"gap_d9_ms": 60_000.0, "gap_mad_ms": 0.0, "silence_ms": 1_000.0, "dials": 101, "peers": 1}
    even |= {"span_ms": 6_000_000, "steady_ms": 6_000_000, "pauses": 0, "paused_ms": 0}
    even |= {"size_median": 500.0, "size_mad": 0.0, "hour_median": 60.0, "hour_mad": 0.0}
    return pd.DataFrame([even | columns])


@pytest.mark.parametrize(
    ("columns", "part", "value"),
    [
        ({}, "score", 1.0),
        # as uneven as independent calls are: MAD and deciles over the median, less the silence before each call
        ({"gap_mad_ms": 0.694 * 59_000, "gap_d1_ms": 0, "gap_d9_ms": 3.17 * 59_000}, "timing", 0.0),
        ({"gap_mad_ms": 0.694 * 59_000 / 1.08}, "timing", 0.5),
        ({"gap_mad_ms": 0.347 * 59_000 / 1.08}, "timing", 0.75),
        ({"gap_mad_ms": 0.347 * 59_000 / 1.8, "dials": 11}, "timing", 0.75),  # few gaps count for less
        ({"gap_mad_ms": 0.347 * 59_000 / 1.8, "dials": 110, "peers": 10}, "timing", 0.75),
        ({"gap_d9_ms": 60_000 + 3.17 * 59_000 / 1.08}, "timing", 0.5),
        ({"gap_mad_ms": 0.347 * 30_000 / 1.08, "silence_ms": 30_000}, "timing", 0.75),
        ({"gap_q1_ms": 60_000.0, "gap_q3_ms": 120_000.0}, "skew", 1.0),
        ({"gap_q1_ms": 30_000.0, "gap_q3_ms": 90_000.0}, "skew", 0.0),
        ({"gap_q1_ms": 60_000.0, "gap_q3_ms": 62_000.0}, "skew", 0.0),  # closer than a clock is worth
        ({"size_mad": 125.0}, "size", 0.75),
        ({"size_mad": 0.0, "size_median": 0.0}, "size", 1.0),
        ({"hour_mad": 6.0}, "level", 0.9),
        ({"steady_ms": 3_000_000}, "score", 0.5**0.5),
        ({"steady_ms": 3_000_000, "paused_ms": 3_000_000, "pauses": 1}, "steady", 0.95),
        ({"pauses": 10}, "steady", 0.5),
        ({"size_mad": 500.0, "hour_mad": 60.0}, "score", 0.85**0.5),
        ({"size_mad": 500.0}, "score", 0.925**0.5),
        ({"size_mad": None, "size_median": None}, "score", 1.0),
        ({"size_mad": None, "size_median": None, "hour_mad": None, "hour_median": None}, "score", 0.925**0.5),
    ],
)
def test_the_parts_of_a_score(columns: dict[str, Any], part: str, value: float) -> None:
    assert components(features(**columns))[part].iloc[0] == pytest.approx(value, abs=1e-6)


def test_scores_lie_between_0_and_1() -> None:
    chance = np.random.default_rng(3)
    rows = pd.DataFrame({c: chance.integers(0, 1_000_000, 500).astype(float) for c in features()})
    parts = components(rows.assign(peers=1))
    assert ((parts >= 0) & (parts <= np.inf)).all(axis=None)
    assert parts[["timing", "size", "level", "steady", "score"]].le(1).all(axis=None)
