"""Places of hours in, those that nobody called before and that are odd out. Days are made, by seeded generators."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.rare_destination import RareDestination
from aegis_plugins.tables.destination_hour import DestinationHour

CLIENT, OTHER, END = "10.0.0.5", "10.0.0.6", 24 * 10


def place(hour: int = END - 1, key: str = "203.0.113.9", **columns: Any) -> dict[str, Any]:
    """A destination that one client calls in an hour, once: an address without a name, on an odd port."""
    start = (475_000 + hour) * HOUR_US
    given = {"hour": hour, "key": key, "by_name": False, "resolved": False, "least_client": CLIENT}
    given |= {"most_client": columns.get("least_client", CLIENT), "least_server": key, "servers": 1, "least_port": 4444}
    given |= {"most_port": columns.get("least_port", 4444), "least_proto": "tcp", "most_proto": "tcp", "connections": 1}
    given |= {"sent_bytes": 5_000, "received_bytes": 90_000, "longest_us": 1_000_000, "self_signed": False}
    given |= {"first_us": start + 1, "last_us": start + 900_000_000, "uid": f"C{hour}{key}"}
    return given | columns


def domain(hour: int = END - 1, key: str = "example.com", **columns: Any) -> dict[str, Any]:
    named = {"by_name": True, "resolved": True, "least_server": "198.51.100.7", "least_port": 443}
    return place(hour, key, **named | columns)


PAST = [domain(hour, "usual.org") for hour in range(END)]


@pytest.fixture
def found(judge) -> Callable[..., Any]:
    def run(*rows: dict[str, Any], past: list[dict[str, Any]] = PAST, **tuning: Any) -> Any:
        return judge(RareDestination, {DestinationHour: [*past, *rows]}, END, **tuning)

    return run


def test_numbers_of_a_new_place(found) -> None:
    (finding,) = found(place())
    assert finding.entity == {"orig_h": CLIENT}
    assert finding.context == {"resp_h": "203.0.113.9", "resp_p": 4444, "proto": "tcp", "direction": "outbound"}
    assert finding.score == 0.5
    assert finding.evidence == {
        "new_destinations": 1,
        "odd_destinations": 1,
        "destinations_sample": ["203.0.113.9"],
        "worst": "203.0.113.9",
        "points": 4,
        "signs": ["odd port", "address without a name"],
        "connections": 1,
        "active_hours": 1,
        "sent_bytes": 5_000,
        "received_bytes": 90_000,
        "longest_s": 1.0,
        "past_h": 216,
    }
    assert finding.reason == (
        "10.0.0.5 called 203.0.113.9:4444, which nobody here called in the 9 days before (odd port, address without a "
        "name; 1 connection, 5,000 bytes out and 90,000 back)"
    )
    assert finding.uids == (f"C{END - 1}203.0.113.9",)


def test_a_new_web_site_is_nothing(found) -> None:
    assert found(domain(), place(least_port=443, resolved=True), domain(key="push.io", longest_us=7_200_000_000)) == []


@pytest.mark.parametrize(
    ("columns", "points"),
    [
        ({"sent_bytes": 1_000_000, "received_bytes": 333_333}, 4),
        ({"sent_bytes": 1_000_000, "received_bytes": 333_334}, 0),
        ({"sent_bytes": 999_999, "received_bytes": 0}, 0),
        ({"longest_us": 3_600_000_000, "self_signed": True}, 6),
        ({"longest_us": 3_599_999_999, "self_signed": True}, 0),
        ({"self_signed": True, "least_port": 444}, 5),
    ],
)
def test_each_sign(found, columns, points) -> None:
    assert [f.evidence["points"] for f in found(domain(**columns))] == ([points] if points else [])


def test_called_again_and_again(found) -> None:
    hours = [domain(END - 1 - n, "c2.example", connections=4, self_signed=True) for n in range(3)]
    (finding,) = found(*hours)
    assert finding.evidence["signs"] == ["called again and again", "self-signed certificate"]
    assert (finding.evidence["connections"], finding.evidence["active_hours"]) == (12, 3)
    assert finding.context["name"] == "c2.example"
    assert found(*hours[1:]) == []


def test_all_signs_together_score_high(found) -> None:
    signs = {"sent_bytes": 10**7, "longest_us": 10**10, "self_signed": True, "connections": 9}
    (finding,) = found(*(place(END - 1 - n, **signs) for n in range(4)))
    assert (finding.evidence["points"], finding.score) == (17, round(17 / 21, 6))


@pytest.mark.parametrize("client", [CLIENT, OTHER])
def test_what_anybody_called_before_is_not_new(found, client) -> None:
    assert found(place(), place(END - 26, least_client=client)) == []
    assert found(place(), domain(END - 26, "known.net", least_server="203.0.113.9", least_client=client)) == []


def test_what_another_calls_too_is_not_rare(found) -> None:
    assert found(place(), place(END - 3, least_client=OTHER)) == []
    assert found(place(most_client=OTHER)) == []


def test_a_history_below_the_least_is_null(found) -> None:
    assert len(found(place(), past=PAST[END - 24 - 72 :])) == 1
    assert found(place(), past=PAST[END - 24 - 71 :]) == []
    assert found(place(), past=[*PAST[100:110], PAST[-1]]) == []  # a sensor that hardly ran
    assert found(place(), past=[]) == []


def test_a_client_is_one_alert_however_many(found) -> None:
    peers = [place(END - 1 - n % 3, f"203.0.{n // 250}.{n % 250}", least_port=6000 + n) for n in range(2_000)]
    (finding,) = found(*peers)
    assert (finding.evidence["new_destinations"], len(finding.evidence["destinations_sample"])) == (2_000, 10)
    assert finding.reason.endswith("and 1,999 more of 2,000 new ones")
    assert len(finding.uids) == 10


def test_only_what_goes_on_is_told_again(found) -> None:
    assert found(place(END - 2)) == []


def test_ipv6_is_told_with_its_port(found) -> None:
    (finding,) = found(place(key="2001:db8::9", least_client="fd00::5"))
    assert finding.entity == {"orig_h": "fd00::5"}
    assert "fd00::5 called [2001:db8::9]:4444, which" in finding.reason


def test_many_clients_that_browse_are_few_alerts(found) -> None:
    """500 clients behind one sensor: half of what they call is new every day, by name, on 443."""
    chance = random.Random(5)
    rows = [
        domain(hour, f"site{chance.randrange(10**6)}.com", least_client=f"10.0.{n // 250}.{n % 250}")
        for n in range(500)
        for hour in chance.sample(range(END), 40)
    ]
    assert found(*rows) == []


def test_rows_without_uid_or_port(found) -> None:
    (finding,) = found(place(uid=None, least_port=None))
    assert (finding.uids, finding.context.get("resp_p")) == ((), None)


def test_a_clock_that_jumped_is_no_past(found) -> None:
    long_ago = [r | {"hour": r["hour"] - 400_000} for r in PAST]
    assert found(place(), past=long_ago) == []
