"""Rules in words."""

from __future__ import annotations

from aegis_enrich.decide import words

RULE = """
id: probe
name: Probe
detector: probe
lateness_s: 60
severity: [{severity: low}, {at_least: 0.5, severity: high, when: {evidence.loud: true, name: {not: [a, b]}}}]
attack: [T1046, {id: T1498, when: {orig_scope: external}, instead: true}]
overrides:
  - {severity: low}
  - {where: {orig_h: 10.0.0.0/8, any: [{resp_p: 22}, {name: {below: example.com}}]}, enabled: false, reason: ours}
  - {days: [sat, sun], at_least: 0.7, severity: {high: medium, low: none}, attack: [T1018]}
  - {hours: 22:00-06:00, severity: [{severity: critical}]}
suppress: [{where: {name: {known: false}, score: {at_most: 0.5}}, reason: known, expires: 2030-01-01}]
per: hour
"""


def test_a_detector_s_rule(detector_rule):
    rule = detector_rule(RULE)
    assert words.ladder(rule.severities) == [
        "low from a score of 0",
        "high from a score of 0.5 where evidence.loud is true and name is not a or b",
    ]
    assert words.techniques(rule.techniques) == ["T1046", "T1498 where orig_scope is external (instead of the others)"]
    assert [words.override(o) for o in rule.overrides] == [
        "always: severity low",
        "where orig_h is 10.0.0.0/8 and (resp_p is 22 or name is example.com or below it): no alert (ours)",
        "at sat sun UTC: no alert below a score of 0.7, low becomes none, high becomes medium, ATT&CK T1018",
        "at 22:00-06:00 UTC: severity anew: critical from a score of 0",
    ]
    assert words.timing(rule) == "7200 s, each 3600 s, decided 60 s after it (the rule's)"
    assert words.period(rule) == "hour"
    assert next(iter(words.tunables(rule)))["value"] == 10


def test_a_suppression(rules):
    found = rules(RULE).detectors["probe"].suppress[0]
    assert words.suppression(found) == "where name is not known and score is at most 0.5: known (until 2030-01-01)"


def test_severities_of_rows(row_rule):
    text = "id: odd\nname: Odd\ntable: suricata_alert\nentity: [orig_h]\nreason: x\nseverity: "
    assert words.row_severity(row_rule(text + "high\n").severity) == ["high"]
    mapped = row_rule(text + "{column: severity, map: {1: high}, otherwise: medium}\n").severity
    assert words.row_severity(mapped) == ["high where severity is 1", "medium otherwise"]
    bands = row_rule(text + "{column: severity, at_least: [{at_least: 2, severity: high}]}\n").severity
    assert words.row_severity(bands) == ["high from severity 2", "low otherwise"]
