"""What rules see of ATT&CK, and that the rules which ship claim no technique that none of their tests shows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_enrich import registry
from aegis_enrich.config import shipped_rules
from aegis_enrich.decide import DetectorRule, RowRule, RuleSet, load_rules
from aegis_enrich.decide.attack import attack
from aegis_enrich.decide.conditions import Condition, Conditions
from aegis_enrich.decide.coverage import coverage, gaps, rows, said

HEALTH = ("capture_loss", "high_latency", "packet_loss")  # the network's and the sensor's, no intrusion
UNNAMED = ("anomaly_ensemble", *HEALTH)  # tell of nothing that ATT&CK has a name for
MODELLED = ("threat_classifier",)  # its tests' model knows one class


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    return load_rules(shipped_rules(), registry.load().detectors)


CONDITIONAL = """
attack:
  - TA0007/T1046
  - {id: TA0043/T1595.001, when: {evidence.source_internal: false}, instead: true}
  - {id: T1071, when: {resp_p: 80}}
tests:
  - {name: a, rows: {conn: [{}]}, expect: {attack: [TA0043/T1595.001]}}
  - {name: b, rows: {conn: [{}]}, expect: {severity: low}}
  - {name: c, rows: {conn: [{}]}, expect: none}
"""


def rule(detector_rule, probe: str, block: str):
    return detector_rule(probe.replace("attack: [T1046]\n", "") + block)


def test_techniques_come_in_the_matrix_s_order_with_their_rules(detector_rule, probe):
    made = rule(detector_rule, probe, CONDITIONAL)
    covered = coverage([made])
    assert [(c.tactic, c.technique) for c in covered] == [
        ("TA0043", "T1595.001"),
        ("TA0007", "T1046"),
        ("TA0011", "T1071"),
    ]
    assert [(s.rule.id, s.always, s.tests, s.kind) for c in covered for s in c.sights] == [
        ("probe", False, 1, "detector"),
        ("probe", False, 0, "detector"),
        ("probe", False, 0, "detector"),
    ]
    assert covered[0].sights[0].severities == ["low", "high"]
    assert [c.sights[0].when for c in covered] == [("evidence.source_internal: False",), (), ("resp_p: 80",)]


def test_conditions_in_one_line():
    kind, some = Condition("kind", "is", ("a", "b")), Conditions((Condition("n", "at_least", (3,)),))
    assert said(Conditions((kind,), (some, some))) == "kind: ['a', 'b'] and (n: {at_least: 3} or n: {at_least: 3})"
    assert said(Conditions((), (some,))) == "n: {at_least: 3}"


def test_what_overrides_say_counts_too(detector_rule, probe):
    made = detector_rule(probe + "overrides: [{where: {resp_p: 22}, attack: [T1021.004]}]")
    assert [(c.technique, c.sights[0].always) for c in coverage([made])] == [("T1046", True), ("T1021.004", False)]


def test_a_plain_technique_is_tested_by_every_test_that_expects_an_alert(detector_rule, probe):
    made = rule(detector_rule, probe, "attack: [T1046]\n" + CONDITIONAL[CONDITIONAL.index("tests:") :])
    ((sight,),) = [c.sights for c in coverage([made])]
    assert (sight.always, sight.tests) == (True, 1)  # the first asks for another technique


def test_a_rule_that_is_off_sees_nothing(detector_rule, probe):
    made = detector_rule(probe)
    (item,) = coverage([replace(made, enabled=False)])
    assert (item.seeing, item.sights[0].idle) == ((), "not enabled")
    assert "T1046" in gaps([item]) and "T1046" not in gaps(coverage([made]))


def test_a_subtechnique_shows_its_parent(detector_rule, probe):
    missing = gaps(coverage([detector_rule(probe.replace("T1046", "T1071.004"))]))
    assert "T1071" not in missing and "T1071.001" in missing
    assert len(missing) == len(attack().network) - 2


def test_as_plain_data(detector_rule, probe):
    (row,) = rows(coverage([detector_rule(probe)]))
    assert row["tactic"] == {"id": "TA0007", "name": "Discovery"}
    assert row["technique"]["link"] == "https://attack.mitre.org/techniques/T1046/"
    assert [r["id"] for r in row["rules"]] == ["probe"]


def test_a_sigma_rule_goes_by_its_file(detector_rule, probe):
    made = replace(detector_rule(probe), path="/x/rules/sigma/zone_transfer.yml")
    ((sight,),) = [c.sights for c in coverage([made])]
    assert (sight.kind, sight.label) == ("sigma", "sigma/zone_transfer")


# What ships


def own(shipped: RuleSet) -> list[DetectorRule | RowRule]:
    """Without those in Sigma's form, which say neither what to do nor when a technique holds."""
    return [rule for rule in shipped if "sigma" not in Path(rule.path).parent.parts[-2:]]


def test_what_ships_names_techniques_that_traffic_can_show(shipped):
    covered = coverage(shipped)
    assert {c.technique for c in covered} <= attack().network
    assert len(covered) >= 50


def test_every_detector_and_row_rule_names_techniques_but_those_of_health(shipped):
    for made in own(shipped):
        named = bool(made.attack or getattr(made, "attack_column", ""))
        assert named != (made.id in UNNAMED), made.id


def test_every_technique_is_shown_by_a_test_of_its_rule(shipped):
    ours = {rule.id for rule in own(shipped)}
    untested = [
        f"{sight.rule.id}: {item.technique}"
        for item in coverage(shipped)
        for sight in item.sights
        if sight.rule.id in ours and sight.rule.id not in MODELLED and not sight.tests
    ]
    assert untested == []


def test_every_rule_says_what_to_look_for_and_what_to_do(shipped):
    for made in own(shipped):
        told = made.investigate
        assert told.confirm and told.respond, made.id
        for part in (told.confirm, told.refute, told.respond):
            assert len(part) <= 4, made.id
            assert all(text.endswith((".", "?")) and 20 < len(text) < 300 for text in part), (made.id, part)


def test_every_detector_says_what_would_refute_it(shipped):
    assert all(len(made.investigate.refute) >= 2 for made in own(shipped) if isinstance(made, DetectorRule))


def test_references_to_attack_are_those_of_techniques_that_a_rule_names(shipped):
    site = re.compile(r"https://attack\.mitre\.org/techniques/(T\d{4})(?:/(\d{3}))?/")
    for made in (*shipped.detectors.values(), *shipped.rows.values()):
        named = {technique for _, technique in attack().resolve(made.attack)}
        named |= {technique.split(".")[0] for technique in named}
        for parent, sub in (m.groups() for r in made.references if (m := site.match(r))):
            assert (f"{parent}.{sub}" if sub else parent) in named, (made.id, parent, sub)
