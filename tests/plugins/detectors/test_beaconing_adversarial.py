"""Beacons that hide and traffic that looks like one: rows of conn in, who is named out. Rates are over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from aegis_enrich.detect.replay import Held, Replay
from aegis_enrich.detect.windows import Window
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import HOUR_US, MICROS, Finding
from aegis_enrich.tables import TABLES
from aegis_plugins.detectors.beaconing import Beaconing, Tuning
from aegis_plugins.enrichers.domain import Domain
from aegis_plugins.enrichers.networks import Networks
from aegis_plugins.tables.pair_hour import PairHour
from aegis_plugins.tables.server_hour import ServerHour
from aegis_plugins.tables.server_name_hour import ServerNameHour

Times = NDArray[np.float64]

ENRICHMENT = Enrichment([Networks({}), Domain({})])
REPLAY = Replay(ENRICHMENT.schema, {t.name: t for t in (PairHour, ServerNameHour, ServerHour)})
START = 475_000 * HOUR_US
DAY_S = 86_400.0
SERVER = "198.51.100.7"


def even(gap_s: float, until_s: float, jitter: float, seed: int) -> Times:
    """Seconds of calls from a random start on, each gap within `jitter` of `gap_s`, uniformly."""
    chance = np.random.default_rng(seed)
    gaps = gap_s * chance.uniform(1 - jitter, 1 + jitter, round(2.5 * until_s / gap_s) + 2)
    times = np.cumsum(gaps) - gaps[0] * chance.uniform()
    return times[times < until_s]


def conn(calls: Mapping[str, Times], **columns: Any) -> pa.Table:
    """Rows of conn, a client each; a column may be a value, or an array as long as all calls."""
    ts = np.concatenate([START + np.round(t * MICROS).astype(np.int64) for t in calls.values()])
    n = len(ts)
    given: dict[str, Any] = {"ts": ts, "end_ts": ts + 100_000, "uid": [f"C{i:07}" for i in range(n)], "sensor": "s"}
    given |= {"source": "zeek", "orig_h": np.repeat(list(calls), [len(t) for t in calls.values()]), "resp_h": SERVER}
    given |= {"orig_p": 1_024 + np.arange(n) % 60_000, "resp_p": 443, "proto": "tcp", "conn_state": "SF"}
    given |= {"history": "ShADadFf", "orig_ip_bytes": 900, "resp_ip_bytes": 4_000, "resp_pkts": 7} | columns
    arrays = []
    for field in TABLES["conn"].schema:
        value = given.get(field.name)
        if isinstance(value, (list, np.ndarray)):
            arrays.append(pa.array(value).cast(field.type))
        else:
            arrays.append(pa.array([value], field.type).take(pa.array(np.zeros(n, np.int64))))
    return ENRICHMENT.apply("conn", pa.table(arrays, schema=TABLES["conn"].schema))


def judged(tables: Mapping[str, pa.Table], *ends_h: int, **tuning: Any) -> list[Finding]:
    """What is found in the days that end so many hours after the start."""
    held = {name: Held(rows) for name, rows in tables.items()}
    windows = [Window(START + (end - 24) * HOUR_US, START + end * HOUR_US) for end in ends_h]
    return REPLAY.findings(Beaconing, held, Tuning(**tuning), windows)


def clients(found: Sequence[Finding]) -> set[str]:
    return {f.entity["orig_h"] for f in found}


def best(tables: Mapping[str, pa.Table], *ends_h: int) -> dict[str, float]:
    """The highest score of each client over these windows, as an alert of the day has it."""
    scores: dict[str, float] = {}
    for found in judged(tables, *ends_h):
        client = found.entity["orig_h"]
        scores[client] = max(found.score, scores.get(client, 0.0))
    return scores


def crowd(number: int, make: Callable[[int], Times]) -> dict[str, Times]:
    """So many clients, each with the calls that a seed makes."""
    return {f"10.1.{n // 250}.{n % 250 + 1}": make(n) for n in range(number)}


def apart(calls: Mapping[str, Times], **columns: Any) -> Mapping[str, pa.Table]:
    """Each client calls a server of its own, so that none is common."""
    servers = [f"198.51.{n // 250}.{n % 250 + 1}" for n in range(len(calls))]
    return {"conn": conn(calls, resp_h=np.repeat(servers, [len(t) for t in calls.values()]), **columns)}


def at_visits(visits: Times, seed: int, pages: int = 6) -> Times:
    """A person: visits, and at each some pages, seconds to minutes apart."""
    chance = np.random.default_rng(seed)
    return np.sort(np.concatenate([v + np.cumsum(chance.lognormal(3.0, 1.2, chance.poisson(pages))) for v in visits]))


def independent(mean_s: float, until_s: float, seed: int) -> Times:
    times = np.cumsum(np.random.default_rng(seed).exponential(mean_s, round(3 * until_s / mean_s) + 30))
    return times[times < until_s]


def many(number: int, *makes: Callable[[int], Times]) -> tuple[dict[str, Times], list[list[str]]]:
    """So many seeds of each way to call, in one table; the clients of each way."""
    ways = [{f"10.{way}.{n // 250}.{n % 250 + 1}": make(n) for n in range(number)} for way, make in enumerate(makes)]
    return {client: times for way in ways for client, times in way.items()}, [list(way) for way in ways]


def test_jitter_from_0_to_60_percent_of_a_call_each_five_minutes_over_four_hours() -> None:
    jitters = {0.0: 1.0, 0.1: 1.0, 0.2: 1.0, 0.3: 1.0, 0.4: 1.0, 0.5: 0.97, 0.6: 0.8}
    calls, ways = many(60, *(partial(even, 300, 4 * 3_600, jitter) for jitter in jitters))
    scores = best(apart(calls), 4)
    shares = [sum(client in scores for client in way) / len(way) for way in ways]
    assert all(share >= least for share, least in zip(shares, jitters.values(), strict=True)), shares


def test_less_jitter_scores_more() -> None:
    calls = {f"10.1.0.{n}": even(60, 4 * 3_600, n / 10, seed=n) for n in range(7)}
    scores = best(apart(calls), 4)
    assert [scores[client] for client in calls] == sorted(scores.values(), reverse=True)
    assert (round(scores["10.1.0.0"], 2), round(scores["10.1.0.6"], 1)) == (1.0, 0.8)


def test_a_call_an_hour_or_so_over_a_day() -> None:
    paces = {(3_600, 0.0): 1.0, (3_600, 0.3): 1.0, (3_600, 0.5): 0.85, (5_400, 0.1): 1.0}
    calls, ways = many(30, *(partial(even, gap_s, 26 * 3_600, jitter) for gap_s, jitter in paces))
    scores = best(apart(calls), *range(22, 27))
    shares = [sum(client in scores for client in way) / len(way) for way in ways]
    assert all(share >= least for share, least in zip(shares, paces.values(), strict=True)), shares


def test_office_hours_are_found_on_each_day() -> None:
    def office(seed: int) -> Times:
        return np.concatenate([day * DAY_S + 9 * 3_600 + even(300, 9 * 3_600, 0.2, seed + day) for day in range(2)])

    calls = crowd(20, office)
    found = judged(apart(calls), 18, 38)  # the first day's end; the second at 14, over a night
    first, across = (([f for f in found if f.window_end_us == START + end * HOUR_US]) for end in (18, 38))
    assert clients(first) == clients(across) == set(calls)
    assert ({f.evidence["pauses"] for f in first}, {f.evidence["pauses"] for f in across}) == ({0}, {1})


def test_a_notebook_that_sleeps_between_sessions_of_two_hours() -> None:
    calls = crowd(
        20, lambda seed: np.concatenate([at * 3_600 + even(300, 7_200, 0.2, seed + at) for at in (0, 5, 9, 14)])
    )
    assert len(best(apart(calls), 16)) == len(calls)


@pytest.mark.parametrize(("connections", "within_s"), [(2, 5.0), (3, 20.0), (6, 15.0)])
def test_several_connections_a_call(connections: int, within_s: float) -> None:
    def bursts(seed: int) -> Times:
        chance = np.random.default_rng(seed)
        return np.sort(
            np.concatenate(
                [
                    t + np.append(0, chance.uniform(0, within_s, connections - 1))
                    for t in even(300, 5 * 3_600, 0.2, seed)
                ]
            )
        )

    calls = crowd(20, bursts)
    found = judged(apart(calls), 5)
    assert clients(found) == set(calls)
    assert all(50 <= f.evidence["dials"] <= 75 for f in found)


def test_a_dead_controller_with_its_retries() -> None:
    dials = even(60, 7_200, 0.3, seed=1)
    rows = conn({"10.0.0.1": dials}, conn_state="S0", history="S", resp_pkts=0)
    again = conn({"10.0.0.1": dials + 9}, conn_state="S0", history="S", resp_pkts=0)
    (found,) = judged({"conn": pa.concat_tables([rows, again])}, 2)
    assert (found.evidence["dials"], found.evidence["answered_rows"]) == (len(dials), 0)


def test_lost_calls_are_borne() -> None:
    calls = crowd(
        40, lambda seed: (t := even(300, 10 * 3_600, 0.2, seed))[np.random.default_rng(seed).random(len(t)) > 0.1]
    )
    assert len(best(apart(calls), 10)) >= 0.95 * len(calls)


def test_six_addresses_and_their_names() -> None:
    calls = {"fd00:10::1": even(120, 4 * 3_600, 0.3, seed=1)}
    (found,) = judged({"conn": conn(calls, resp_h="2001:db8::7", resp_p=8443)}, 4)
    assert (found.entity["key"], found.context["resp_h"]) == ("2001:db8::7:8443/tcp", "2001:db8::7")


@pytest.mark.parametrize("jump_s", [-1_800.0, -7.0, 3_600.0, 7_200.0])
def test_a_clock_that_jumps_hides_nothing(jump_s: float) -> None:
    def jumped(seed: int) -> Times:
        times = even(120, 5 * 3_600, 0.2, seed)
        return np.where(times < 2.5 * 3_600, times, times + jump_s)

    calls = crowd(20, jumped)
    assert len(best(apart(calls), 5, 6, 8)) == len(calls)


def test_rows_of_another_century_are_in_no_window_of_today() -> None:
    calls = {"10.0.0.1": np.append(even(60, 7_200, 0.1, seed=1), -START / MICROS + 5)}
    (found,) = judged({"conn": conn(calls)}, 2)
    assert found.evidence["span_s"] < 7_200


def test_independent_calls_are_none() -> None:
    calls, _ = many(80, *(partial(independent, mean_s, 12 * 3_600) for mean_s in (120, 600, 2_400)))
    assert best(apart(calls), 12) == {}


def test_people_are_none() -> None:
    calls = crowd(200, lambda seed: at_visits(independent(2_400, 9 * 3_600, seed), seed))
    assert best(apart(calls), 5, 9) == {}


def test_chatter_under_a_second_is_none_however_even() -> None:
    assert judged({"conn": conn({"10.0.0.1": np.arange(0, 3_500, 0.98)})}, 1) == []


@pytest.mark.parametrize(("proto", "port", "hits"), [("udp", 123, 0), ("udp", 53, 0), ("tcp", 53, 0), ("tcp", 123, 1)])
def test_protocols_that_poll_are_left_out_where_they_run(proto: str, port: int, hits: int) -> None:
    rows = conn({"10.0.0.1": even(64, 7_200, 0.0, seed=1)}, proto=proto, resp_p=port)
    assert len(judged({"conn": rows}, 2)) == hits


def test_a_slow_scan_of_ports_is_none() -> None:
    times = np.arange(0, 43 * 60.0, 60)
    for ports in (np.arange(43) + 20, np.repeat(np.arange(22) + 20, 2)[:43]):  # once each, twice each
        assert judged({"conn": conn({"10.0.0.1": times}, resp_p=ports, conn_state="REJ", history="Sr")}, 1) == []


def test_many_clients_behind_one_address_are_no_beacon_and_hide_none() -> None:
    chance = np.random.default_rng(1)
    browsing = np.sort(chance.uniform(0, 4 * 3_600, 20_000))  # of 5,000 people, to 40 servers
    servers = [f"192.0.2.{n}" for n in chance.integers(1, 41, len(browsing))]
    rows = conn({"10.0.0.1": browsing}, resp_h=servers)
    assert judged({"conn": rows}, 4) == []
    beacon = conn({"10.0.0.1": even(300, 4 * 3_600, 0.3, seed=2)}, resp_h="198.51.100.9")
    (found,) = judged({"conn": pa.concat_tables([rows, beacon])}, 4)
    assert found.context["resp_h"] == "198.51.100.9"


def test_a_busy_server_s_pairs_carry_no_lists() -> None:
    calls = {f"10.0.0.{n}": np.random.default_rng(n).uniform(0, 2 * 3_600, 40_000) for n in range(5)}
    rows = {"conn": Held(conn(calls))}
    assert REPLAY.derive(PairHour, rows)["starts_ms"].null_count == 10
    assert judged({"conn": rows["conn"].rows}, 2) == []


def test_what_half_of_the_clients_poll_is_said_to_be_common() -> None:
    polling = crowd(12, lambda seed: even(300, 4 * 3_600, 0.05, seed))
    browsing = crowd(20, lambda seed: at_visits(independent(900, 4 * 3_600, seed), seed))
    tables = [conn(polling), conn(browsing, resp_h="192.0.2.1")]
    found = judged({"conn": pa.concat_tables(tables)}, 4)
    assert len(found) == 12
    assert {(f.evidence["clients"], f.evidence["clients_share"]) for f in found} == {(12, 0.6)}


def test_in_shards_clients_are_counted_over_all() -> None:
    tables = {"conn": conn(crowd(8, lambda seed: even(300, 3 * 3_600, 0.2, seed)))}
    whole = judged(tables, 3)
    window = Window(START - 21 * HOUR_US, START + 3 * HOUR_US)
    held = {name: Held(rows) for name, rows in tables.items()}
    assert replace(REPLAY, shards=3).findings(Beaconing, held, Tuning(), [window]) == whole
    assert {f.evidence["clients"] for f in whole} == {8}
