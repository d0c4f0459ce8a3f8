"""Protocols of hours in, mixes that turned and protocols out of place out. Days are made, by seeded generators."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.protocol_anomaly import ProtocolAnomaly
from aegis_plugins.tables.service_hour import ServiceHour

HOST, END = "10.0.0.5", 24 * 7
OFFICE = {"ssl": 0.5, "dns": 0.3, "http": 0.15, "smb": 0.05}


def spoken(hour: int, label: str = "ssl", connections: int = 1, **columns: Any) -> dict[str, Any]:
    start = (475_000 + hour) * HOUR_US
    given = {"hour": hour, "orig_h": HOST, "label": label, "kind": "usual", "proto": "tcp", "connections": connections}
    given |= {"sent_bytes": 900 * connections, "received_bytes": 5_000 * connections, "first_us": start + 1}
    return given | {"last_us": start + 3_000_000_000, "uid": f"C{hour:04}{label}"} | columns


def odd(hour: int = END - 1, label: str = "ssh", resp_p: int | None = 443, **columns: Any) -> dict[str, Any]:
    given = {"kind": "odd", "resp_p": resp_p, "resp_h": "198.51.100.7", "direction": "outbound"}
    return spoken(hour, label, **given | columns)


def days(
    mix: dict[str, float] = OFFICE,
    total: int = 1_000,
    seed: int = 1,
    first: int = 0,
    last: int = END - 1,
    host: str = HOST,
) -> Iterator[dict[str, Any]]:
    """Hours of a mix whose shares wander by a fifth."""
    chance = random.Random(seed)
    for hour in range(first, last):
        for label, share in mix.items():
            yield spoken(hour, label, max(1, int(total * share * chance.uniform(0.8, 1.2))), orig_h=host)


@pytest.fixture
def found(judge) -> Callable[..., Any]:
    return lambda rows, **tuning: judge(ProtocolAnomaly, {ServiceHour: list(rows)}, END, **tuning)


def now(mix: dict[str, float], total: int = 1_000) -> list[dict[str, Any]]:
    return [spoken(END - 1, label, int(total * share)) for label, share in mix.items()]


def test_a_mix_that_turned(found) -> None:
    turned = {"other tcp": 0.6, "ssl": 0.2, "dns": 0.12, "http": 0.06, "smb": 0.02}
    mixes = found([*days(), *now(turned)])
    assert [f.entity for f in mixes] == [
        {"orig_h": HOST, "key": "mix of protocols"},
        {"orig_h": None, "key": "mix of protocols of the whole network"},  # it is the only host there
    ]
    evidence = mixes[0].evidence
    assert (evidence["protocol"], evidence["share"], evidence["share_before"]) == ("other tcp", 0.6, 0.0)
    assert evidence["shift"] == pytest.approx(0.6, abs=0.01) == mixes[0].score
    assert evidence["past_shift_most"] < 0.15
    assert (evidence["connections"], evidence["compared_hours"]) == (1_000, END - 2)
    assert [f.evidence["scope"] for f in mixes] == ["host", "network"]
    assert "60% of the 1,000 connections of 10.0.0.5" in mixes[0].reason
    assert "other tcp 60% instead of 0%" in mixes[0].reason
    assert mixes[0].uids == (f"C{END - 1:04}other tcp",)


@pytest.mark.parametrize("seed", range(10))
def test_a_mix_as_always_is_nothing(found, seed) -> None:
    assert found(days(seed=seed, last=END)) == []


def test_a_shift_of_less_than_thirty_points_is_nothing(found) -> None:
    assert found([*days(), *now({"ssl": 0.4, "dns": 0.2, "http": 0.1, "smb": 0.05, "other tcp": 0.25})]) == []


def test_a_mix_that_turned_so_before_is_nothing(found) -> None:
    turned = {"other tcp": 0.6, "ssl": 0.2, "dns": 0.2}
    before = [r for r in days() if r["hour"] != 50] + [spoken(50, k, int(1_000 * s)) for k, s in turned.items()]
    assert found([*before, *now(turned)]) == []
    assert found([*before, *now({"other tcp": 0.69, "ssl": 0.2, "dns": 0.11})]) == []  # less than ten points more
    assert found([*before, *now({"other tcp": 1.0})]) != []


def test_few_connections_have_no_mix(found) -> None:
    assert found([*days(), *now({"other tcp": 1.0}, total=199)]) == []


def test_below_the_least_history_there_is_none(found) -> None:
    turned = now({"other tcp": 1.0})
    assert found([*days(first=END - 72), *turned]) == []
    assert len(found([*days(first=END - 73), *turned])) == 2
    few = [r for r in days() if r["hour"] < 23]
    assert found([*few, *turned]) == []


def test_a_nat_of_many_clients_and_ipv6(found) -> None:
    hosts = [r for n in range(5) for r in days(seed=n, host=f"fd00::{n}", total=50_000, last=END)]
    assert found(hosts) == []


def test_ssh_where_tls_belongs(found) -> None:
    (hidden,) = found([*days(last=END), odd()])
    assert hidden.entity == {"orig_h": HOST, "key": "ssh on port 443"}
    assert hidden.score == 0.6
    assert (hidden.evidence["open_port"], hidden.evidence["new_here"]) == (True, True)
    assert hidden.context == {
        "resp_h": "198.51.100.7",
        "resp_p": 443,
        "proto": "tcp",
        "service": "ssh",
        "direction": "outbound",
    }
    assert hidden.reason == (
        "10.0.0.5 spoke SSH on port 443 with 198.51.100.7: 1 connection, 900 bytes out, 5,000 back; so here on 0 of "
        "the 7 days before"
    )


def test_clients_outside_are_one_source(found) -> None:
    (served,) = found([odd(orig_h=None, direction="inbound", resp_h="10.0.0.80")])
    assert served.entity == {"orig_h": None, "key": "ssh on port 443 from outside"}
    assert served.context["resp_h"] == "10.0.0.80"
    assert served.reason.startswith("Clients outside spoke SSH on port 443 with 10.0.0.80")


def test_without_a_past_it_is_not_known_whether_it_is_new(found) -> None:
    (hidden,) = found([odd()])
    assert hidden.evidence["new_here"] is None


def test_what_is_spoken_here_on_three_days_is_usual(found) -> None:
    usual = [odd(END - 1 - 24 * n, resp_p=2222, orig_h="10.0.0.77") for n in (1, 3, 5)]
    assert found([*days(last=END), *usual, odd(resp_p=2222)]) == []
    (two,) = found([*days(last=END), *usual[:2], odd(resp_p=2222)])
    assert (two.evidence["past_days_here"], two.evidence["past_days_of_host"]) == (2, 0)


@pytest.mark.parametrize(
    ("label", "resp_p", "score"),
    [
        ("ssh", 443, 0.6),
        ("ssh", 2222, 0.4),
        ("http", 22, 0.6),
        ("http", 443, 0.3),
        ("dns", 5300, 0.4),
        ("ssl", 22, 0.6),
        ("ssl", 4444, 0.2),
    ],
)
def test_what_hides_is_odder_than_what_is_only_elsewhere(found, label, resp_p, score) -> None:
    (finding,) = found([odd(label=label, resp_p=resp_p)])
    assert finding.score == score


def test_tls_to_hundreds_of_high_ports_is_one(found) -> None:
    many = [odd(label="ssl", resp_p=10_000 + n, resp_h=f"198.51.{n // 250}.{n % 250}") for n in range(500)]
    (one,) = found(many)
    assert one.entity["key"] == "ssl on high ports"
    assert (one.evidence["servers"], len(one.evidence["servers_sample"]), one.context.get("resp_p")) == (500, 5, None)
    assert found([odd(label="ssl", resp_p=10_000, direction="internal")]) == []


def test_unknown_where_the_sensor_tells_what_is_spoken(found) -> None:
    unknown = odd(label="tcp/443", kind="unknown")
    assert found([unknown]) == []  # a sensor that tells no protocols
    (finding,) = found([unknown, *(spoken(h, connections=100, resp_p=443) for h in range(END))])
    assert finding.entity["key"] == "unknown on tcp port 443"
    assert "spoke what is not the protocol of port 443" in finding.reason
    many = [odd(h, label="tcp/443", kind="unknown", connections=50) for h in range(END)]
    assert found([unknown, *many, *(spoken(h, connections=100, resp_p=443) for h in range(END))]) == []


def test_tunnels_of_ours_only(found) -> None:
    tunnel = {"label": "gre", "kind": "tunnel", "proto": None, "resp_p": 0}
    (finding,) = found([odd(**tunnel)])
    assert (finding.entity["key"], finding.score) == ("gre tunnel", 0.4)
    assert finding.reason.startswith("10.0.0.5 tunnelled by GRE with 198.51.100.7")
    assert found([odd(**tunnel, direction="inbound")]) == []


def test_only_the_last_hour_is_told(found) -> None:
    assert found([odd(END - 2), *days(last=END)]) == []


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "multistage", "exfil_small"])
def test_recorded_traffic_is_low_at_most(evaluate, lab, scenario) -> None:
    assert all(f.score < 0.5 for f in evaluate(ProtocolAnomaly, lab(scenario, "tsv"), [ServiceHour]))


def test_a_windows_pc_is_low_at_most(evaluate, public) -> None:
    found = evaluate(ProtocolAnomaly, public("strato-008"), [ServiceHour])
    assert {f.evidence["kind"] for f in found} <= {"odd", "unknown"}
    assert all(f.score < 0.6 for f in found)
