"""`overrides.yml`: what a site changes of rules that it does not edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_enrich.decide import Decider, load_rules
from aegis_enrich.detect.windows import Window
from aegis_enrich.errors import Problems
from aegis_enrich.tables import TABLES

ROWS = """
id: odd
name: Odd
table: weird
entity: [orig_h]
severity: medium
reason: odd
attack: [TA0007/T1046]
"""
SITE = """
rules:
  probe:
    enabled: true
    tuning: {least: 20}
    lateness_s: 400
    severity: [{severity: medium}]
    attack: [T1018]
    overrides: [{where: {orig_h: 10.0.0.1}, severity: low}]
    suppress: [{where: {orig_h: 10.0.0.9}, reason: known}]
    reason: few hosts
  odd: {severity: {medium: low}}
"""


@pytest.fixture
def loaded(folder, probe):
    """The rules with this file of the site's."""
    from .conftest import Probe

    def load(site: str):
        where = folder({"probe.yml": probe + "tuning: {share: 0.2}\n", "odd.yml": ROWS, "overrides.yml": site})
        return load_rules(where, {"probe": Probe}, lambda table: TABLES[table].schema)

    return load


def test_what_a_site_changes(loaded):
    rules = loaded(SITE)
    probe, odd = rules.detectors["probe"], rules.rows["odd"]
    assert (probe.tuning.least, probe.tuning.share, probe.lateness_s) == (20, 0.2, 400)
    assert (probe.severity(0.9, {}), probe.attack) == (47, ("T1018",))
    assert probe.verdict(0.9, {"orig_h": "10.0.0.1"}, 0).severity == 21
    assert [s.reason for s in probe.suppress] == ["known"]
    assert odd.levels == [21]


def test_the_rule_as_it_is_written_is_kept_for_its_tests(loaded):
    rule = loaded(SITE).detectors["probe"]
    assert rule.written.tuning.least == 10
    assert rule.written.levels == [21, 73]
    assert loaded("").detectors["probe"].written is None


def test_a_rule_may_be_put_out_of_force(loaded):
    rules = loaded("rules: {probe: {enabled: false}}")
    assert (list(rules.detectors), rules.disabled) == ([], ("probe",))


def test_the_hash_follows(loaded):
    hashes = [loaded(text).hash for text in ("", SITE, SITE.replace("20", "21"), "", "# nothing")]
    assert hashes[0] == hashes[3] == hashes[4]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ("{tactics: {TA0007: {low: medium, high: critical}}}", 99),
        ("{tactics: {Discovery: {high: none}}}", None),
        ("{tactics: {discovery: {low: medium}}}", 73),
        ("{tactics: {TA0040: {high: low}}}", 73),
        ("{rules: {probe: {high: medium}}, tactics: {TA0007: {high: critical}}}", 47),
    ],
)
def test_maps_of_severities(loaded, store, finding, maps, expected):
    made = finding(score=0.6)
    with store.transaction() as tx:
        window = Window(made.window_start_us, made.window_end_us)
        decider = Decider(loaded(f"severities: {maps}"), lambda kind, value: {}, "", lambda: 0)
        decider.window(tx, "probe", "s", window, [made])
    assert store.query("SELECT severity FROM alerts") == ([(expected,)] if expected else [])


def test_of_several_tactics_the_worst_severity_counts(loaded):
    maps = "severities: {tactics: {TA0007: {medium: low}, TA0040: {medium: high}}}"
    rule = loaded(maps + "\nrules: {odd: {attack: [T1046, T1498]}}").rows["odd"]
    assert rule.levels == [21, 47, 73]
    from aegis_enrich.decide.overrides import Verdict

    assert rule.judged(Verdict(47, rule.attack), 0.5, {}, 0).severity == 73


@pytest.mark.parametrize(
    ("site", "line", "said"),
    [
        ("rulez: {}", 1, "unknown key 'rulez' in the site's overrides; known are extends, rules, severities"),
        ("rules:\n  prob: {enabled: false}", 2, "there is no rule 'prob'; there are odd, probe"),
        ("rules:\n  probe: {enable: false}", 2, "unknown key 'enable' in what the site overrides of probe"),
        ("rules:\n  odd: {tuning: {}}", 2, "unknown key 'tuning' in what the site overrides of odd"),
        ("rules:\n  probe: low", 2, "probe: a mapping is expected"),
        ("rules:\n  probe:\n    tuning: {least: 0}", 3, "least: 0 is not in the range 1 to 100"),
        ("rules:\n  probe:\n    severity: [{severity: low, when: {orig: 1}}]", 3, "there is no column 'orig' here"),
        ("rules:\n  probe:\n    overrides: [{where: {orig: 1}, enabled: false}]", 3, "there is no column 'orig'"),
        ("rules:\n  probe:\n    suppress: [{where: {orig_h: x}}]", 3, "reason is missing"),
        ("rules:\n  odd:\n    overrides: [{where: {notes: 1}, enabled: false}]", 3, "there is no column 'notes'"),
        ("severities:\n  rules: {prob: {high: low}}", 2, "there is no rule 'prob'"),
        ("severities:\n  tactics: {Discovring: {high: low}}", 2, "tactics: 'Discovring' is no tactic; there are TA00"),
        ("severities:\n  tactics: {TA0007: {hihg: low}}", 2, "TA0007: 'hihg' is not one of low"),
        ("severities: low", 1, "severities: a mapping is expected"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(loaded, site, line, said):
    with pytest.raises(Problems) as caught:
        loaded(site)
    (problem,) = caught.value.problems
    assert Path(problem.where).name == f"overrides.yml:{line}"
    assert problem.what.startswith(said)
