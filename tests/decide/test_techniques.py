"""Techniques that hold always, under conditions, or instead of the others; in findings, in rows, in alerts."""

from __future__ import annotations

import pytest

from aegis_enrich.decide import Decider, evaluate_rows
from aegis_enrich.decide.conditions import Condition, Conditions
from aegis_enrich.decide.techniques import Technique, all_of, chosen
from aegis_enrich.detect.windows import Window

OUTSIDE = Conditions((Condition("orig_scope", "is", ("external",)),))
LOUD = Conditions((Condition("evidence.ports", "at_least", (100,)),))
ATTACK = """attack:
  - T1046
  - {id: TA0043/T1595.001, when: {orig_scope: external}, instead: true}
  - {id: T1498, when: {evidence.ports: {at_least: 100}}}
"""


def locality(kind: str, value: str) -> dict[str, str]:
    """What the networks enricher says of an address."""
    return {"locality": "internal" if value.startswith("10.") else "external"} if kind == "address" else {}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"orig_scope": "internal"}, ("T1046",)),
        ({"orig_scope": "internal", "evidence.ports": 100}, ("T1046", "T1498")),
        ({"orig_scope": "external"}, ("T1595.001",)),
        ({"orig_scope": "external", "evidence.ports": 100}, ("T1595.001", "T1498")),
        ({}, ("T1046",)),
    ],
)
def test_which_hold(values, expected):
    techniques = (Technique("T1046"), Technique("T1595.001", OUTSIDE, instead=True), Technique("T1498", LOUD))
    assert chosen(techniques, values) == expected
    assert all_of(techniques) == ("T1046", "T1595.001", "T1498")


def test_a_technique_that_is_written_twice_holds_once():
    assert chosen((Technique("T1046"), Technique("T1046", LOUD)), {"evidence.ports": 100}) == ("T1046",)


@pytest.mark.parametrize(
    ("orig_h", "ports", "expected"),
    [
        ("10.0.0.1", 20, [("TA0007", "T1046")]),
        ("10.0.0.1", 200, [("TA0007", "T1046"), ("TA0040", "T1498")]),
        ("192.0.2.7", 20, [("TA0043", "T1595.001")]),
    ],
)
def test_an_alert_has_those_that_its_finding_chooses(rules, probe, store, finding, orig_h, ports, expected):
    found = rules(probe.replace("attack: [T1046]\n", ATTACK))
    assert found.detectors["probe"].attack == ("T1046", "TA0043/T1595.001", "T1498")
    made = finding(entity={"orig_h": orig_h, "resp_h": "10.0.0.9"}, evidence={"ports": ports})
    decider = Decider(found, locality, "", lambda: 0)
    with store.transaction() as tx:
        decider.window(tx, "probe", "s", Window(made.window_start_us, made.window_end_us), [made])
    ((document,),) = store.query("SELECT document FROM alerts")
    import json

    pairs = [(p["tactic"]["id"], p["technique"]["id"]) for p in json.loads(document)["aegis"]["attack"]]
    assert pairs == expected


def test_where_none_holds_the_alert_names_none(rules, probe, store, finding):
    found = rules(probe.replace("[T1046]", "[{id: T1046, when: {orig_scope: external}}]"))
    made = finding()
    with store.transaction() as tx:
        Decider(found, locality, "", lambda: 0).window(
            tx, "probe", "s", Window(made.window_start_us, made.window_end_us), [made]
        )
    ((document,),) = store.query("SELECT document FROM alerts")
    assert '"threat"' not in document


ROWS = """
id: odd
name: Odd
table: weird
entity: [orig_h]
severity: low
reason: odd
attack: [T1046, {id: T1498, when: {name: flood, orig_scope: external}}]
"""


@pytest.mark.parametrize(
    ("orig_h", "name", "expected"),
    [
        ("192.0.2.7", "flood", ["T1046", "T1498"]),
        ("192.0.2.7", "drip", ["T1046"]),
        ("10.0.0.1", "flood", ["T1046"]),
    ],
)
def test_a_row_chooses_too(rules, table, orig_h, name, expected):
    (hit,) = evaluate_rows(rules(ROWS), "weird", "s", table("weird", {"orig_h": orig_h, "name": name}), locality)
    assert hit.fold.best["attack"] == expected
