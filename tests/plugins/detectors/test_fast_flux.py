"""Answers in, names in flux out; and what has many addresses and is none."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from aegis_plugins.detectors.fast_flux import FastFlux

NAME = "shop.flux.test"


def answers(given: list[list[str]], *, gap_s: float = 60.0, name: str = NAME, **columns: Any) -> list[dict[str, Any]]:
    row = {"orig_h": "10.0.0.1", "orig_p": 40_000, "resp_h": "10.0.0.2", "resp_p": 53, "proto": "udp", "query": name}
    row |= {"qtype_name": "A", "rcode_name": "NOERROR"}
    return [row | {"answers": a, "TTLs": [180.0] * len(a), "ts": 5 + gap_s * n} | columns for n, a in enumerate(given)]


def moving(count: int = 30, each: int = 2) -> list[list[str]]:
    """Ever new addresses, each in a network of its own."""
    return [[f"{45 + k}.{n}.113.{k}" for k in range(each)] for n in range(count)]


@pytest.fixture
def flux(evaluate, rows):
    return lambda asked, **tuning: evaluate(FastFlux, rows("dns", asked), **tuning)


def test_ever_new_addresses_in_ever_new_networks_are_found(flux):
    (found,) = flux(answers(moving()))
    assert found.entity == {"name": NAME}
    assert found.context["orig_h"] == "10.0.0.1"
    evidence = found.evidence
    assert (evidence["addresses"], evidence["networks"], evidence["new_addresses"]) == (60, 60, 30)
    assert (evidence["ttl_s_median"], evidence["clients"], evidence["queries_sample"]) == (180.0, 1, [NAME])
    assert evidence["as_known"] is None and evidence["as_numbers"] is None
    assert found.score > 0.5
    assert found.reason.startswith(f"{NAME} was answered with 60 addresses in 60 networks within 29 min, in 30 answers")


def test_clients_are_taken_together_and_ipv6_counts(flux):
    asked = answers([[f"2a0{n % 10}:{n:x}::1"] for n in range(1, 31)], qtype_name="AAAA")
    for n, row in enumerate(asked):
        row["orig_h"] = f"fd00::{n:x}"
    (found,) = flux(asked)
    assert found.evidence["clients"] == 30
    assert found.context.get("orig_h") is None


def test_the_alias_is_whose_the_addresses_are(flux):
    hidden = [["front.test.", *a] for a in moving()]
    (found,) = flux(answers(hidden, name="www.customer.test") + answers(hidden, name="other.customer.test"))
    assert found.entity == {"name": "front.test"}
    assert found.evidence["queries_sample"] == ["other.customer.test", "www.customer.test"]
    assert flux(answers([["d1.cloudfront.net", *a] for a in moving()])) == []
    assert flux(answers([["a.test", "b.akamaiedge.net", *a] for a in moving()])) == []


@pytest.mark.parametrize(
    "asked",
    [
        answers([[f"45.{n}.113.7" for n in range(40)]] * 20),  # a fixed set
        answers([[f"45.{(n * 7 + k) % 30}.113.7" for k in range(8)] for n in range(40)]),  # of which some are shown
        answers([[f"45.{n % 3}.113.{n}"] for n in range(50)]),  # many in few networks
        answers(moving(30, 1)[:9]),  # few
        answers(moving(2, 12)),  # two answers
        answers([[f"10.{n}.1.1"] for n in range(40)]),  # inside
        answers(moving(), TTLs=[86_400.0, 86_400.0]),
        answers(moving(), resp_p=5353),
        answers(moving(), rcode_name="NXDOMAIN"),
        answers(moving(), qtype_name="TXT"),
        answers(moving(), name="0.pool.ntp.org"),
        answers(moving(), name="printer"),
        answers([["another.test"]] * 30),
    ],
)
def test_what_has_many_addresses_and_is_none(flux, asked):
    assert flux(asked) == []


def test_names_are_apart(flux):
    asked = [row | {"query": f"n{n}.flux.test"} for n, row in enumerate(answers(moving()))]
    assert flux(asked) == []


def test_a_sensor_that_logs_no_time_to_live(flux):
    (found,) = flux(answers(moving(), TTLs=None))
    assert found.evidence["ttl_s_median"] is None
    assert "that live" not in found.reason


def connected(systems: list[int], rows) -> pa.Table:
    row = {"orig_h": "10.0.0.1", "orig_p": 50_000, "resp_p": 443, "proto": "tcp", "conn_state": "SF"}
    table = rows("conn", [row | {"resp_h": f"45.{n}.113.0", "ts": 6 + 60 * n} for n in range(len(systems))])["conn"]
    return table.set_column(table.schema.get_field_index("resp_asn"), "resp_asn", pa.array(systems, pa.int64()))


def test_addresses_of_one_provider_are_none_and_of_many_are(evaluate, rows):
    tables = rows("dns", answers(moving()))
    assert evaluate(FastFlux, {**tables, "conn": connected([64500] * 10, rows)}) == []
    (found,) = evaluate(FastFlux, {**tables, "conn": connected(list(range(64500, 64510)), rows)})
    assert (found.evidence["as_known"], found.evidence["as_numbers"]) == (10, 10)
    assert len(evaluate(FastFlux, {**tables, "conn": connected([64500] * 4, rows)})) == 1  # too few to tell


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "multistage", "dns_tunnel"])
@pytest.mark.parametrize("form", ["tsv", "eve.json.gz"])
def test_recorded_traffic_without_one_is_quiet(evaluate, lab, scenario, form):
    assert evaluate(FastFlux, lab(scenario, form)) == []


@pytest.mark.parametrize(
    "folder", ["rita-proxy", "rita-json-all-fields", "slips-test9", "slips-test10", "strato-005", "ctu-botnet-4"]
)
def test_public_logs_without_one_are_quiet(evaluate, public, folder):
    assert evaluate(FastFlux, public(folder)) == []
