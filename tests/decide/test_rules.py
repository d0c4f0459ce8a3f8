"""Rules as they are in force: severities, suppressions and the set of them."""

from __future__ import annotations

import pytest

from aegis_enrich.decide.made_rows import START_US
from aegis_enrich.decide.rules import RuleSet
from aegis_enrich.decide.severities import RowSeverity
from aegis_enrich.plugin import DAY_US


def test_a_suppression_holds_through_its_last_day(detector_rule, probe):
    rule = detector_rule(probe + "suppress: [{where: {orig_h: 10.0.0.0/24}, reason: known, expires: 2026-01-05}]\n")
    rules = RuleSet.of([rule])
    inside, outside = {"orig_h": "10.0.0.9"}, {"orig_h": "10.0.1.9"}
    assert rules.suppressed(rule, inside, START_US) is rule.suppress[0]
    assert rules.suppressed(rule, inside, START_US + DAY_US - 1)
    assert not rules.suppressed(rule, inside, START_US + DAY_US)
    assert not rules.suppressed(rule, outside, START_US)


def test_a_suppression_holds_from_its_first_day_on(detector_rule, probe):
    rule = detector_rule(probe + "suppress: [{where: {orig_h: a}, reason: known, begins: 2026-01-05}]\n")
    rules = RuleSet.of([rule])
    assert not rules.suppressed(rule, {"orig_h": "a"}, START_US - 1)
    assert rules.suppressed(rule, {"orig_h": "a"}, START_US)
    assert str(rule.suppress[0]) == "known (from 2026-01-05)"


def test_suppressions_of_the_site_mean_the_rules_they_name_or_all(rules, probe):
    text = "[{rule: [other], where: {orig_h: a}, reason: x}, {rule: [probe], where: {orig_h: b}, reason: x},"
    other = "id: other\nname: O\ntable: conn\nentity: [orig_h]\nseverity: low\nreason: x\n"
    found = rules(probe, other, suppress=text + " {where: {orig_h: c}, reason: x}]")
    rule = found.detectors["probe"]
    assert [bool(found.suppressed(rule, {"orig_h": h}, 0)) for h in "abcd"] == [False, True, True, False]


def test_get_knows_rules_of_both_kinds(rules, probe):
    found = rules(probe)
    assert found.get("probe") is found.detectors["probe"]
    assert found.get("nope") is None


@pytest.mark.parametrize(
    ("value", "severity"), [(None, 21), (0, 21), (39.5, 21), (40, 47), (200, 73), ("x", 21), ([1], 21)]
)
def test_bands_of_a_column(value, severity):
    assert RowSeverity(21, "n", {}, ((40, 47), (70, 73))).of(value) == severity
