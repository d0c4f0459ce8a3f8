"""Hours of handshakes in, round trips that rose out; what is far away, new or jumpy is none."""

from __future__ import annotations

import random
from typing import Any

import pytest

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.high_latency import HighLatency
from aegis_plugins.tables.rtt_hour import RttHour

CLIENT, SERVER = "10.0.0.9", "198.51.100.30"


def hour(number: int, ms: float, *, answers: int = 20, near_ms: float = 1.0, **columns: Any) -> list[dict[str, Any]]:
    """An hour's handshakes, evenly over it, whose round trip takes so long."""
    given = {"orig_h": CLIENT, "resp_h": SERVER, "resp_p": 443, "proto": "tcp", "duration": 0.5}
    given |= {"orig_rtt": near_ms / 1000, "resp_rtt": (ms - near_ms) / 1000} | columns
    step = 3500 / answers
    return [given | {"ts": 3600 * number + 1 + n * step, "uid": f"C{number}-{n:04}"} for n in range(answers)]


def hours(before: float, now: float, *, length: int = 4, **columns: Any) -> list[dict[str, Any]]:
    made = [row for n in range(length) for row in hour(n, before, **columns)]
    return made + hour(length, now, **columns)


@pytest.fixture
def found(evaluate, rows):
    """What is found in handshakes (and in queries)."""

    def find(conn: list[dict[str, Any]], dns: list[dict[str, Any]] | None = None, **tuning: Any):
        tables = rows("conn", conn) | (rows("dns", dns) if dns else {})
        return evaluate(HighLatency, tables, derived=(RttHour,), **tuning)

    return find


def test_a_peer_s_numbers(found):
    (one,) = found(hours(20, 80))
    assert one.entity == {"orig_h": CLIENT, "key": SERVER}
    assert one.context == {"resp_h": SERVER}
    assert one.score == 0.75
    assert {name: one.evidence[name] for name in ("round_trip_ms", "baseline_ms", "ratio", "baseline_hours")} == {
        "round_trip_ms": 80.0,
        "baseline_ms": 20.0,
        "ratio": 4.0,
        "baseline_hours": 3,
    }
    assert (one.evidence["client_side_ms"], one.evidence["server_side_ms"]) == (1.0, 79.0)
    assert one.evidence["baseline_server_side_ms"] == 19.0
    assert one.evidence["baseline_p90_ms"] == pytest.approx(20, rel=0.1)
    assert (one.evidence["connections"], one.evidence["baseline_connections"]) == (20, 60)
    assert one.reason == (
        "round trips to 198.51.100.30 by 10.0.0.9 take 80.0 ms in the median of 20, "
        "4.0 times the 20.0 ms of 3 hours before"
    )
    assert one.first_us >= (475_000 + 4) * HOUR_US


@pytest.mark.parametrize(("now", "hits"), [(40.1, 1), (39.9, 0), (20, 0), (5, 0)])
def test_twice_is_high(found, now, hits):
    assert len(found(hours(20, now))) == hits


@pytest.mark.parametrize(("before", "now", "hits"), [(0.2, 0.9, 0), (5, 14.9, 0), (5, 15.1, 1)])
def test_a_rise_of_little_is_none(found, before, now, hits):
    assert len(found(hours(before, now, near_ms=0.1))) == hits


def test_the_least_history(found):
    assert found(hours(20, 80, length=2)) == []
    assert len(found(hours(20, 80, length=3))) == 1
    assert found(hour(0, 20) + hour(1, 20) + hour(2, 80)) == []
    assert len(found(hour(0, 20) + hour(1, 20) + hour(3, 80))) == 1
    assert found([row for n in range(4) for row in hour(n, 20)] + hour(4, 80, answers=4)) == []
    assert found([row for n in range(3) for row in hour(n, 20, answers=9)] + hour(3, 80)) == []
    assert len(found([row for n in range(3) for row in hour(n, 20, answers=10)] + hour(3, 80, answers=5))) == 1


def test_the_hour_in_which_it_began_is_no_baseline(found):
    """It had too few answers to be judged, and a fifth of all that there were."""
    made = [row for n in range(4) for row in hour(n, 20, answers=5)] + hour(4, 80, answers=4)
    assert found(made) == []
    assert len(found(made + hour(5, 80, answers=5))) == 1


def test_a_far_peer_is_none_where_it_always_was_or_is_new(found):
    assert found(hours(640, 650)) == []
    assert found(hours(20, 20) + hour(4, 640, resp_h="203.0.113.5")) == []


def test_median_not_mean(found):
    """A third of the handshakes lose their SYN, which is sent again after 1 s."""
    made = hours(20, 20)
    made += hour(4, 1020, answers=9)
    assert found(made) == []


@pytest.mark.parametrize(("slow", "usual", "hits"), [(5, 0, 1), (4, 1, 0), (8, 1, 1), (15, 5, 0), (17, 3, 1)])
def test_nearly_all_have_to_be_slow(found, slow, usual, hits):
    made = [row for n in range(4) for row in hour(n, 20)]
    made += hour(4, 80, answers=slow) + (hour(4, 20, answers=usual) if usual else [])
    assert len(found(made)) == hits


def test_a_network_with_two_sites_may_change_its_mind(found):
    made = [row for n in range(4) for row in [*hour(n, 10, answers=14), *hour(n, 40, answers=6)]]
    assert found(made + hour(4, 40)) == []
    assert len(found(made + hour(4, 90))) == 1


def test_most_peers_are_the_host(found):
    made = [row for n in range(4) for row in hours(20 + n, 70 + n, resp_h=f"198.51.{n}.7", near_ms=1)]
    (one,) = found(made)
    assert one.entity == {"orig_h": CLIENT, "key": "host"}
    assert (one.evidence["peers"], one.evidence["risen_peers"]) == (4, 4)
    assert one.evidence["worst"][0] == "198.51.0.0/24"
    assert 3 < one.evidence["ratio"] < 3.6
    assert "10.0.0.9" in one.reason and "4 networks" in one.reason


def test_a_network_explains_its_servers(found):
    made = [row for n in range(3) for row in hours(20, 80, resp_h=f"198.51.100.{n}", answers=12)]
    (one,) = found(made)
    assert one.entity == {"orig_h": CLIENT, "key": "198.51.100.0/24"}
    assert "resp_h" not in one.context
    few = [row for n in range(8) for row in hours(20, 80, resp_h=f"198.51.100.{n}", answers=4)]
    assert [f.entity["key"] for f in found(few)] == ["198.51.100.0/24"]


def test_a_server_among_others_that_did_not_rise(found):
    made = hours(20, 80, resp_h="198.51.100.1")
    made += [row for n in range(2, 4) for row in hours(20 * n, 20 * n, resp_h=f"198.51.100.{n}")]
    assert [f.entity["key"] for f in found(made)] == ["198.51.100.1"]


def test_few_of_many_peers_are_peers(found):
    steady = [row for n in range(7) for row in hours(20, 20, resp_h=f"203.0.{n}.7")]
    risen = [row for n in range(3) for row in hours(20, 90, resp_h=f"198.51.{n}.7")]
    assert {f.entity["key"] for f in found(steady + risen)} == {f"198.51.{n}.7" for n in range(3)}


def test_another_host_s_baseline_is_none(found):
    made = [row for n in range(4) for row in hour(n, 20, orig_h="10.0.0.8")]
    assert found(made + hour(4, 200)) == []


def test_the_ceiling_needs_no_baseline(found):
    assert found(hour(0, 700)) == []
    (one,) = found(hour(0, 700), ceiling_ms=350)
    assert (one.evidence["baseline_ms"], one.evidence["ratio"], one.evidence["ceiling_ms"]) == (None, None, 350)
    assert one.score == 0.75
    assert "above the ceiling of 350 ms" in one.reason
    assert found(hour(0, 300), ceiling_ms=350) == []


def test_a_resolver(found):
    dns = {"resp_h": "10.0.0.2", "resp_p": 53, "proto": "udp"}
    slow = [r | dns | {"rtt": r["resp_rtt"]} for r in hours(5, 50)]
    (one,) = found([], slow)
    assert (one.entity["key"], one.evidence["kind"], one.context["service"]) == ("resolver 10.0.0.2", "dns", "dns")
    assert one.evidence["client_side_ms"] is None


def test_a_rise_that_lasts_is_told_in_each_of_its_first_hours(found):
    made = [row for n in range(20) for row in hour(n, 20)] + [row for n in range(20, 22) for row in hour(n, 80)]
    assert len(found(made)) == 2


def test_jitter_is_none(found):
    """Times of a radio link, exponential about 30 ms: hours differ, but not by twice."""
    rng = random.Random(7)
    made = [row | {"resp_rtt": 0.005 + rng.expovariate(40)} for n in range(48) for row in hour(n, 30)]
    assert found(made) == []


def test_higher_scores_higher(found):
    scores = [found(hours(20, now))[0].score for now in (40.5, 60, 100, 400)]
    assert scores == sorted(set(scores))
    assert 0.5 <= scores[0] < 0.51 and scores[-1] == 0.95


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_a_recorded_rise_is_found_for_each_client(evaluate, lab, form):
    """Of three servers one goes from 20 to 80 ms; of the others one is always 20, one always 60 ms away."""
    found = evaluate(HighLatency, lab("latency_5h", form), derived=(RttHour,))
    assert {tuple(f.entity.values()) for f in found} == {(f"10.10.0.1{n}", "192.0.2.11") for n in (1, 2, 3)}
    assert all(3.8 < f.evidence["ratio"] < 4.1 and f.evidence["server_side_ms"] > 80 for f in found)


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "dns_tunnel", "loss_20", "multistage", "beacon_http_60s"])
@pytest.mark.parametrize("form", ["tsv", "eve.json.gz"])
def test_recorded_traffic_is_quiet(evaluate, lab, scenario, form):
    assert evaluate(HighLatency, lab(scenario, form), derived=(RttHour,)) == []


@pytest.mark.parametrize("folder", ["strato-008", "ctu-botnet-4", "slips-test9", "strato-005", "rita-proxy"])
def test_public_logs_are_not_loud(evaluate, public, folder):
    """No handshake times in them; of resolvers the rule says low."""
    found = evaluate(HighLatency, public(folder), derived=(RttHour,))
    assert {f.evidence["kind"] for f in found} <= {"dns"}
