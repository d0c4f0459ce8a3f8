"""Sequences: order, spans, what must be the same, what must not be there."""

import textwrap

import pytest
from correlate.conftest import made, seen

from aegis_enrich.correlate.load import load_correlation
from aegis_enrich.correlate.sequences import matches

H = 3600
CHAIN = """
id: chain
name: Chain
stages:
  - {name: scan, rules: [port_scan]}
  - {name: guess, rules: [brute_force]}
  - {name: theft, tactics: [TA0010]}
"""
SCAN, GUESS = ("port_scan", ("TA0007/T1046",)), ("brute_force", ("TA0006/T1110.001",))
THEFT = ("exfiltration", ("TA0010/T1048.002",))


def at(kind, hours, actor="10.0.0.5", **more):
    rule, techniques = kind
    return made(rule, actor, at_s=hours * H, techniques=techniques, **more)


@pytest.fixture
def found(tmp_path):
    def of(text, *documents):
        folder = tmp_path / "correlation"
        folder.mkdir(exist_ok=True)
        (folder / "chain.yml").write_text(textwrap.dedent(text))
        return [[s.name for s, _ in m.found] for m in matches(seen(*documents), load_correlation(tmp_path).sequences)]

    return of


def test_all_stages_in_order(found):
    assert found(CHAIN, at(SCAN, 0), at(GUESS, 1), at(THEFT, 2)) == [["scan", "guess", "theft"]]
    assert found(CHAIN, at(THEFT, 0), at(GUESS, 1), at(SCAN, 2)) == []
    assert found(CHAIN, at(SCAN, 0), at(THEFT, 2)) == []


def test_in_any_order_where_the_rule_says_so(found):
    assert found(CHAIN + "ordered: false\n", at(THEFT, 0), at(GUESS, 1), at(SCAN, 2)) == [["scan", "guess", "theft"]]


def test_an_early_alert_that_leads_nowhere_does_not_hide_a_later_one(found):
    assert found(CHAIN, at(GUESS, 0), at(SCAN, 1), at(SCAN, 5), at(GUESS, 6), at(THEFT, 7)) == [
        ["scan", "guess", "theft"]
    ]


def test_within_a_span(found):
    within = CHAIN + "within_h: 10\n"
    assert found(within, at(SCAN, 0), at(GUESS, 1), at(THEFT, 11)) == []
    assert found(within, at(SCAN, 0), at(SCAN, 2), at(GUESS, 3), at(THEFT, 11)) == [["scan", "guess", "theft"]]


def test_optional_stages_and_the_least_number(found):
    optional = CHAIN.replace("[port_scan]}", "[port_scan], optional: true}")
    assert found(optional, at(GUESS, 1), at(THEFT, 2)) == [["guess", "theft"]]
    assert found(optional, at(SCAN, 0), at(THEFT, 2)) == []
    assert found(CHAIN + "least: 2\n", at(SCAN, 0), at(THEFT, 2)) == [["scan", "theft"]]


def test_what_must_be_the_same(found):
    same = CHAIN + "same: [actor]\n"
    assert found(same, at(SCAN, 0), at(GUESS, 1), at(THEFT, 2, actor="10.0.0.6")) == []
    assert found(same, at(SCAN, 0), at(GUESS, 1), at(THEFT, 2)) == [["scan", "guess", "theft"]]
    target = CHAIN + "same: [target]\n"
    spread = at(SCAN, 0, hosts_sample=["10.0.0.7", "10.0.0.8"])
    assert found(target, spread, at(GUESS, 1, target="10.0.0.8"), at(THEFT, 2, target="10.0.0.8")) != []
    assert found(target, spread, at(GUESS, 1, target="10.0.0.8"), at(THEFT, 2, target="10.0.0.9")) == []


def test_what_must_not_be_there(found):
    unless = CHAIN + "unless: [{rules: [long_connection], where: {actor_internal: true}}]\n"
    good = (at(SCAN, 0), at(GUESS, 1), at(THEFT, 2))
    assert found(unless, *good) == [["scan", "guess", "theft"]]
    assert found(unless, *good, made("long_connection", at_s=4 * H)) == []
    assert found(unless, *good, made("long_connection", "198.51.100.1", at_s=4 * H)) != []


def test_conditions_and_severity_of_a_stage(found):
    text = CHAIN.replace("[brute_force]}", "[brute_force], severity: 73, where: {entered: {known: true}}}")
    assert found(text, at(SCAN, 0), at(GUESS, 1), at(THEFT, 2)) == []
    got_in = at(GUESS, 1, severity=73, got_into=["10.0.0.9"])
    assert found(text, at(SCAN, 0), got_in, at(THEFT, 2)) == [["scan", "guess", "theft"]]


def test_one_alert_is_one_stage_only(found):
    twice = """
    id: twice
    name: Twice
    stages: [{name: one, rules: [port_scan]}, {name: two, rules: [port_scan]}]
    """
    assert found(twice, at(SCAN, 0)) == []
    assert found(twice, at(SCAN, 0), at(SCAN, 1)) == [["one", "two"]]
