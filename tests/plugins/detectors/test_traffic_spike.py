"""Hours of hosts in, rises and drops out: against the same hours of the days before, and quiet where nothing is odd.

All rows here are made, by seeded generators: no recorded log of ours is long enough.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.traffic_spike import TrafficSpike
from aegis_plugins.tables.host_hour import HostHour
from aegis_plugins.tables.pair_hour import PairHour

MB, GB = 1_000_000, 1_000_000_000
HOST, END = "10.0.0.5", 24 * 15 + 11  # the last hour is 10:00
Volume = Callable[[int], float]


def hours(host: str | None, volume: Volume, first: int = 0, last: int = END) -> Iterator[dict[str, Any]]:
    """A row an hour in which the host moves anything; packets of 1,000 bytes, connections of 100 kB."""
    for hour in range(first, last):
        size = int(volume(hour))
        if size > 0:
            start = (475_000 + hour) * HOUR_US
            yield {
                "hour": hour,
                "host": host,
                "begun": size // 100_000,
                "served": 0,
                "sent_bytes": size // 10,
                "received_bytes": size - size // 10,
                "packets": size // 1_000,
                "first_us": start + 1,
                "last_us": start + 3_599_000_000,
                "uid": f"C{hour:04}",
            }


def link(volume: Volume = lambda hour: 5 * GB) -> list[dict[str, Any]]:
    return list(hours(None, volume))


def noisy(usual: float, seed: int = 1, spread: float = 0.3) -> Volume:
    """Volumes about `usual`, log-normal."""
    chance = random.Random(seed)
    drawn = [usual * chance.lognormvariate(0, spread) for _ in range(END)]
    return lambda hour: drawn[hour]


def with_last(volume: Volume, last: float) -> Volume:
    return lambda hour: last if hour == END - 1 else volume(hour)


@pytest.fixture
def found(judge) -> Callable[..., Any]:
    """What is found where the link is steady and one host moves so much an hour."""

    def run(volume: Volume, first: int = 0, **tuning: Any) -> Any:
        rows = [*link(), *hours(HOST, volume, first)]
        return judge(TrafficSpike, {HostHour: rows}, END, **tuning)

    return run


def test_a_rise_s_numbers(judge) -> None:
    rows = [*link(), *hours(HOST, lambda hour: 40 * GB if hour == END - 1 else GB)]
    start = (475_000 + END - 1) * HOUR_US
    peer = {"orig_h": HOST, "resp_h": "198.51.100.7", "resp_p": 443, "proto": "tcp", "resp_ip_bytes": 30 * GB}
    pairs = [
        peer | {"hour": END - 1, "orig_ip_bytes": GB, "uid": "Ctop"},
        peer | {"hour": END - 1, "orig_ip_bytes": 1, "resp_ip_bytes": 1, "resp_h": "198.51.100.8"},
        peer | {"hour": END - 2, "orig_ip_bytes": 90 * GB, "resp_h": "198.51.100.9"},
    ]
    (rise,) = judge(TrafficSpike, {HostHour: rows, PairHour: pairs}, END)
    assert rise.entity == {"orig_h": HOST, "key": f"rise of {HOST}"}
    assert (rise.first_us, rise.last_us) == (start + 1, start + 3_599_000_000)
    evidence = rise.evidence
    # log2((40,000 + 200) / (1,000 + 200)) octaves over the least spread, 0.25; packets: (40,000 + 500) / (1,000 + 500)
    assert (evidence["metric"], evidence["value"], evidence["usual"]) == ("bytes", 40 * GB, GB)
    assert evidence["bytes_deviation"] == pytest.approx(5.066 / 0.25, rel=0.001)
    assert evidence["packets_deviation"] == pytest.approx(4.755 / 0.25, rel=0.001)
    assert (evidence["by_hour_of_day"], evidence["past_days"], evidence["compared_hours"]) == (True, 14, 42)
    assert (evidence["beyond_past"], evidence["regular"]) == (True, True)
    assert (evidence["top_peer"], evidence["top_peer_bytes"]) == ("198.51.100.7", 31 * GB)
    assert rise.uids == ("Ctop",)
    assert rise.score == pytest.approx(20.26 / 27.26, abs=0.001)
    assert rise.reason == (
        "10.0.0.5 had 40,000.0 MB in the hour, where the same hour of 14 days before had 1,000.0 MB in the middle and "
        "1,000.0 MB at most (20.3 times the usual deviation); most with 198.51.100.7, 31,000.0 MB"
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_busy_server_as_always_is_nothing(found, seed) -> None:
    assert found(noisy(20 * GB, seed, 0.5)) == []


@pytest.mark.parametrize("seed", range(10))
def test_ten_times_as_much_is_found_in_noise(found, seed) -> None:
    (rise,) = found(with_last(noisy(2 * GB, seed), 30 * GB))
    assert rise.evidence["turn"] == "rise" and rise.evidence["beyond_past"]


def test_a_backup_at_the_same_hour_each_night_is_nothing(found) -> None:
    def nightly(hour: int) -> float:
        return 80 * GB if hour % 24 == (END - 1) % 24 else 10 * MB

    assert found(nightly) == []
    elsewhen = with_last(lambda hour: nightly(hour + 5), 80 * GB)
    assert found(elsewhen) == []  # five hours off its time, as much as always
    assert len(found(with_last(elsewhen, 160 * GB))) == 1


@pytest.mark.parametrize("shift", [-1, 1])
def test_an_hour_more_or_less_as_clocks_are_put_back_is_nothing(found, shift) -> None:
    hour_of_day = (END - 1) % 24
    before = lambda hour: 80 * GB if hour % 24 == (hour_of_day + shift) % 24 else 10 * MB  # noqa: E731
    assert found(with_last(before, 80 * GB)) == []


def test_office_hours_are_no_rise_on_a_monday_morning(found) -> None:
    def office(hour: int) -> float:
        weekday = ((hour - END) // 24) % 7 not in (5, 6)
        return 3 * GB if weekday and 7 <= hour % 24 <= 18 else 20 * MB

    assert found(office) == []


def test_a_quiet_host_s_first_download_is_nothing(found) -> None:
    assert found(with_last(lambda hour: 2 * MB, 190 * MB)) == []
    assert found(with_last(lambda hour: 2 * MB, 1_999 * MB)) == []
    (large,) = found(with_last(lambda hour: 2 * MB, 4 * GB))
    assert not large.evidence["regular"]


def test_a_new_host_has_no_past(found) -> None:
    assert found(with_last(lambda hour: GB, 90 * GB), first=END - 20) == []
    (rise,) = found(with_last(lambda hour: GB, 90 * GB), first=END - 30)
    assert (rise.evidence["by_hour_of_day"], rise.evidence["compared_hours"]) == (False, 28)


def test_a_history_below_the_least_is_null(judge) -> None:
    def young(first: int) -> Any:
        rows = [*hours(None, lambda hour: 5 * GB, first), *hours(HOST, with_last(lambda h: GB, 90 * GB), first)]
        return judge(TrafficSpike, {HostHour: rows}, END)

    assert young(END - 25) == []
    assert [f.entity["orig_h"] for f in young(END - 26)] == [HOST]


def test_hours_in_which_the_sensor_slept_are_no_zeros(judge) -> None:
    awake = [h for h in range(END) if h % 4 == 2]
    rows = [r for r in [*link(), *hours(HOST, lambda hour: 20 * GB)] if r["hour"] in awake]
    assert judge(TrafficSpike, {HostHour: rows}, END) == []


def test_a_busy_host_that_falls_silent_is_a_drop(found) -> None:
    (drop,) = found(with_last(noisy(5 * GB), 0))
    assert drop.entity == {"orig_h": HOST, "key": f"drop of {HOST}"}
    assert (drop.evidence["value"], drop.evidence["beyond_past"]) == (0, None)
    assert drop.last_us == (475_000 + END - 1) * HOUR_US + 3_599_000_000  # the link's: that the sensor was awake
    assert drop.uids == (f"C{END - 2:04}",)
    assert found(with_last(noisy(5 * GB), GB)) == []
    assert found(with_last(lambda hour: 5 * GB * (hour % 2), 0)) == []  # silent every second hour


def test_where_the_whole_link_falls_silent_no_host_is_told(judge) -> None:
    steady = with_last(lambda hour: 5 * GB, 1)
    rows = [*link(steady), *(r for n in range(20) for r in hours(f"10.0.0.{n}", steady))]
    (drop,) = judge(TrafficSpike, {HostHour: rows}, END)
    assert drop.entity == {"orig_h": None, "key": "drop of the whole link"}
    assert drop.reason.startswith("The whole link had 0.0 MB in the hour")


def test_the_whole_link_rises(judge) -> None:
    (rise,) = judge(TrafficSpike, {HostHour: link(with_last(noisy(50 * GB), 900 * GB))}, END)
    assert rise.evidence["scope"] == "link"


def test_a_nat_of_many_clients_is_one_busy_host(found) -> None:
    daily = lambda hour: (30 if 7 <= hour % 24 <= 22 else 3) * GB  # noqa: E731
    assert found(lambda hour: daily(hour) * noisy(1, 3)(hour)) == []


def test_a_rise_that_lies_in_two_hours_is_found_in_the_larger(found) -> None:
    assert len(found(lambda hour: 20 * GB if hour >= END - 2 else GB)) == 1


def test_connections_alone_rise(judge) -> None:
    rows = [*link(), *hours(HOST, lambda hour: GB)]
    rows[-1] |= {"begun": 400_000}
    (rise,) = judge(TrafficSpike, {HostHour: rows}, END)
    assert (rise.evidence["metric"], rise.evidence["bytes_deviation"]) == ("connections", None)


def test_ipv6_and_jumping_clocks(judge) -> None:
    host = "fd00::5"
    rows = [*link(), *hours(host, with_last(lambda hour: GB, 90 * GB))]
    jumped = [r | {"hour": r["hour"] - 400_000} for r in rows]  # as from 1980: another time altogether
    (rise,) = judge(TrafficSpike, {HostHour: [*jumped, *rows]}, END)
    assert rise.entity["orig_h"] == host


def test_the_farther_the_higher(found) -> None:
    scores = [found(with_last(lambda hour: GB, times * GB))[0].score for times in (4, 8, 20, 100, 1_000)]
    assert scores == sorted(set(scores))
