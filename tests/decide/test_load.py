"""A folder of rules: what is read, and that every kind of problem is told with its line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_enrich.config import shipped_rules
from aegis_enrich.decide import RowRule, load_rules
from aegis_enrich.errors import ConfigError, Problems

DETECTOR = """
id: probe
name: Probe
detector: probe
severity: [{severity: low}]
"""
ROWS = """
id: odd
name: Odd
table: [notice, weird]
entity: [orig_h]
severity: low
reason: odd
"""


def problems(rules, *texts, **more) -> list[str]:
    """What loading says, as `file:line: what`, without the folder."""
    with pytest.raises(Problems) as caught:
        rules(*texts, **more)
    return [f"{Path(p.where).name}: {p.what}" for p in caught.value.problems]


def test_a_whole_detector_rule(rules):
    rule = rules(
        """
id: probe
name: Probe
title: "Probe by {orig_h}"
description: >-
  Looks
  around.
version: 3
detector: probe
tuning: {least: 5, share: 1, loud: true, ports: [22, 23], names: [], word: y}
severity:
  - {severity: low}
  - {at_least: 0.5, severity: high, when: {evidence.ports: {at_least: 10}}}
attack: [T1046, TA0011/T1071]
per: hour
group_by: [orig_h]
lateness_s: 30
references: ["https://example.com"]
false_positives: [Scanners]
suppress: [{where: {orig_h: 10.0.0.5}, reason: known, author: me, expires: 2027-01-31}]
"""
    ).detectors["probe"]
    assert (rule.title, rule.description, rule.version) == ("Probe by {orig_h}", "Looks around.", "3")
    assert rule.tuning == rule.detector.tuning(least=5, share=1.0, loud=True, ports=(22, 23), names=(), word="y")
    assert rule.attack == ("T1046", "TA0011/T1071")
    assert (rule.period_us, rule.group_by, rule.lateness_s) == (3_600_000_000, ("orig_h",), 30)
    assert rule.levels == [21, 73]
    assert rule.severity(0.6, {"evidence.ports": 12}) == 73
    assert rule.severity(0.6, {"evidence.ports": 2}) == 21
    (suppression,) = rule.suppress
    assert (suppression.reason, suppression.author, str(suppression.expires)) == ("known", "me", "2027-01-31")


def test_what_is_left_out_has_its_default(rules):
    rule = rules(DETECTOR).detectors["probe"]
    assert rule.tuning == rule.detector.tuning()
    assert (rule.title, rule.version, rule.enabled) == ("Probe", "1", True)
    assert (rule.group_by, rule.lateness_s, rule.tests, rule.attack) == (("orig_h", "resp_h"), None, (), ())
    assert rule.period_us == 86_400_000_000


def test_the_last_line_that_holds_counts(rules):
    text = DETECTOR.replace("[{severity: low}]", "[{severity: high}, {at_least: 0.5, severity: medium}]")
    rule = rules(text).detectors["probe"]
    assert [rule.severity(s, {}) for s in (0.0, 0.49, 0.5)] == [73, 73, 47]
    none = rules(DETECTOR.replace("severity: low", "severity: low, at_least: 0.5")).detectors["probe"]
    assert none.severity(0.4, {}) == 0


def test_a_whole_row_rule(rules):
    rule = rules(
        """
id: alert
name: Alert
table: suricata_alert
where: {action: {not: blocked}}
entity: [orig_h, signature_id]
severity: {column: severity, map: {1: high}, otherwise: medium}
score: {column: severity, most: 3}
attack: {column: mitre_technique_id}
context: {service: app_proto}
evidence: [signature]
reason: "{signature} matched"
"""
    ).rows["alert"]
    assert (rule.tables, rule.entity, rule.evidence) == (
        ("suricata_alert",),
        ("orig_h", "signature_id"),
        ("signature",),
    )
    assert (rule.attack_column, rule.score_column, rule.score_most) == ("mitre_technique_id", "severity", 3.0)
    assert [rule.severity.of(v) for v in (1, 9, None)] == [73, 47, 47]
    assert rule.levels == [47, 73]
    assert rule.context == {"service": "app_proto"}


def test_rules_that_are_off_are_kept_apart_and_checked(rules):
    found = rules(DETECTOR + "enabled: false\n", ROWS)
    assert (list(found.detectors), list(found.rows), found.disabled) == ([], ["odd"], ("probe",))
    assert [r.id for r in found] == ["odd", "probe"]
    assert len(found) == 2
    assert problems(rules, DETECTOR + "enabled: false\nper: week\n")[0].startswith("r0.yml:6: per: 'week'")


def lines(text: str, *expected: str) -> object:
    return pytest.param(text, expected, id=expected[0][:60])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        lines(DETECTOR + "zork: 1", "5: unknown key 'zork' in a detector's rule"),
        lines(DETECTOR + "where: {a: 1}", "5: unknown key 'where' in a detector's rule"),
        lines(ROWS + "tuning: {}", "7: unknown key 'tuning' in a rule over rows"),
        lines(DETECTOR.replace("id: probe\n", ""), "1: id is missing; write a text"),
        lines(DETECTOR.replace("id: probe", "id: other"), "1: id 'other': a detector has one rule"),
        lines(DETECTOR.replace("name: Probe", "name: [x]"), "2: name: ['x'] is not a text"),
        lines(DETECTOR.replace("detector: probe", "detector: prob"), "3: detector 'prob' is not installed"),
        lines(DETECTOR.replace("detector: probe", "detector:"), "1: detector is missing"),
        lines(DETECTOR.replace("[{severity: low}]", "[{severity: lowish}]"), "4: severity: 'lowish' is not one of"),
        lines(DETECTOR.replace("[{severity: low}]", "[low]"), "4: severity: 'low'; write it like"),
        lines(DETECTOR.replace("[{severity: low}]", "[{at_least: 0.1}]"), "4: severity: '' is not one of"),
        lines(DETECTOR.replace("[{severity: low}]", "[{severity: low, at_least: -1}]"), "4: at_least: -1 is not"),
        lines(DETECTOR.replace("[{severity: low}]", "[{severity: low, wen: {}}]"), "4: unknown key 'wen'"),
        lines(DETECTOR.replace("severity: [{severity: low}]\n", ""), "1: severity is missing"),
        lines(DETECTOR.replace("severity: low", "severity: low, when: {orig: 1}"), "4: there is no column 'orig' here"),
        lines(DETECTOR + "title: 'x {orig'", "5: title: expected '}'"),
        lines(DETECTOR + "title: 'x {origin}'", "5: there is no column 'origin' here"),
        lines(DETECTOR + "version: '1.0'", "5: version: '1.0' is not a number"),
        lines(DETECTOR + "enabled: maybe", "5: enabled: 'maybe' is not true or false"),
        lines(DETECTOR + "per: week", "5: per: 'week' is not one of hour, day"),
        lines(DETECTOR + "group_by: [orig_p]", "5: group_by: probe has no 'orig_p'; its entity is orig_h, resp_h"),
        lines(DETECTOR + "lateness_s: -1", "5: lateness_s: -1 is not a number from 0"),
        lines(DETECTOR + "attack: [T1046,\n T9999]", "6: attack: 'T9999' is not in the table of ATT&CK"),
        lines(DETECTOR + "attack: T1046", "5: attack: a list is expected"),
        lines(DETECTOR + "attack: {column: x}", "5: attack: a list is expected"),
        lines(DETECTOR + "attack: [{id: T9999, when: {orig_h: x}}]", "5: attack: 'T9999' is not in the table"),
        lines(DETECTOR + "attack: [{id: T1046}]", "5: attack: `when` is missing"),
        lines(DETECTOR + "attack: [{id: T1046, when: {orig: x}}]", "5: there is no column 'orig' here"),
        lines(DETECTOR + "attack: [{id: T1046, wen: {orig_h: x}}]", "5: unknown key 'wen' in attack"),
        lines(DETECTOR + "attack: [{id: T1046, when: {orig_h: x}, instead: 1}]", "5: instead: 1 is not true or false"),
        lines(DETECTOR + "investigate: {check: [x]}", "5: unknown key 'check' in investigate"),
        lines(DETECTOR + "investigate: [x]", "5: investigate: a mapping is expected"),
        lines(DETECTOR + "investigate: {confirm: x}", "5: confirm: a list of texts is expected"),
        lines(DETECTOR + "investigate:\n  refute:\n    - x\n    - 'x {orig_h'", "8: refute: expected '}'"),
        lines(DETECTOR + "investigate:\n  respond:\n    - x\n    - 'x {orig}'", "8: there is no column 'orig' here"),
        lines(ROWS + "attack: [{id: T1046, when: {notes: x}}]", "7: there is no column 'notes' here"),
        lines(ROWS + "investigate: {confirm: ['{evidence.msg}']}", "7: there is no column 'evidence.msg' here"),
        lines(DETECTOR + "attack: [TA0001/T1046]", "5: attack: 'TA0001/T1046' is not in the table"),
        lines(DETECTOR + "references: x", "5: references: a list of texts"),
        lines(DETECTOR + "suppress: [{where: {orig_h: x}}]", "5: reason is missing"),
        lines(DETECTOR + "suppress: [{reason: x}]", "5: conditions are expected"),
        lines(DETECTOR + "suppress: [{where: {orig: x}, reason: x}]", "5: there is no column 'orig' here"),
        lines(
            DETECTOR + "suppress: [{where: {orig_h: x}, reason: x, expires: soon}]",
            "5: expires: 'soon' is not a date",
        ),
        lines(
            DETECTOR + "suppress: [{where: {orig_h: x}, reason: x, rule: [a]}]",
            "5: unknown key 'rule' in a suppression",
        ),
        lines(ROWS.replace("[notice, weird]", "[notice, wierd]"), "3: table: there is no table 'wierd'"),
        lines(ROWS.replace("[notice, weird]", "[]"), "3: table is missing"),
        lines(ROWS.replace("entity: [orig_h]\n", ""), "1: entity is missing"),
        lines(ROWS.replace("[orig_h]", "[orig]"), "4: there is no column 'orig' here; near to it is orig_"),
        lines(ROWS.replace("[orig_h]", "[actions]"), "4: entity: 'actions' holds lists"),
        lines(ROWS + "where: {note: {know: true}}", "7: 'know' is no condition"),
        lines(ROWS + "where: {note: {not: a}}", "7: where: there is no column 'note' in weird"),
        lines(ROWS + "where: {uid: {at_least: 4}}", "7: where: 'uid' holds no numbers"),
        lines(ROWS + "context: {names: sub}", "7: context: the document has no 'names'"),
        lines(ROWS + "context: {name: subb}", "7: there is no column 'subb' here"),
        lines(ROWS + "evidence: [msgs]", "7: there is no column 'msgs' here"),
        lines(ROWS.replace("reason: odd", "reason: 'odd {msgs}'"), "6: there is no column 'msgs' here"),
        lines(ROWS.replace("reason: odd", ""), "1: reason is missing"),
        lines(ROWS.replace("severity: low", "severity: {column: sevs, map: {1: low}}"), "5: there is no column 'sevs'"),
        lines(ROWS.replace("severity: low", "severity: {map: {1: low}}"), "5: severity: write low, medium"),
        lines(ROWS.replace("severity: low", "severity: {column: n}"), "5: severity: what the column's values mean"),
        lines(ROWS.replace("severity: low", "severity: {column: n, map: {1: l}}"), "5: 1: 'l' is not one of"),
        lines(
            ROWS.replace("severity: low", "severity: {column: uid, at_least: [{at_least: 1, severity: low}]}"),
            "5: severity: 'uid' holds no numbers",
        ),
        lines(ROWS.replace("severity: low", "severity: {column: n, at_least: [5]}"), "5: at_least: write {at_least"),
        lines(ROWS + "score: {column: uid}", "7: score: 'uid' holds no numbers"),
        lines(ROWS + "score: {most: 3}", "7: column is missing"),
        lines(ROWS + "score: n", "7: score: a mapping is expected"),
        lines(ROWS + "attack: {colum: note}", "7: unknown key 'colum' in attack"),
        lines(ROWS + "attack: {column: notes}", "7: there is no column 'notes' here"),
        lines("thresold: 3", "1: a rule names a detector, or the table whose rows it means"),
        lines("- a\n- b", "1: a rule is expected"),
        lines("# nothing", "1: a rule is expected"),
        lines("id: [", "2: not YAML"),
    ],
)
def test_every_kind_of_problem_is_told_with_its_line(rules, text, expected):
    said = problems(rules, text.strip("\n") + "\n")
    for part in expected:
        assert any(s.startswith(f"r0.yml:{part}") for s in said), said


@pytest.mark.parametrize(
    ("tuning", "said"),
    [
        ("leest: 5", "5: tuning: probe has no 'leest'; it has least, share, loud, ports, names, word"),
        ("least: ten", "5: least: 'ten' is not a number; it is: from how many on (rows)"),
        ("least: 0", "5: least: 0 is not in the range 1 to 100; it is"),
        ("least: 1.5", "5: least: 1.5 is not a whole number; it is"),
        ("least: .inf", "5: least: inf is not a number; it is"),
        ("least: true", "5: least: True is not a number; it is"),
        ("share: 1.5", "5: share: 1.5 is not in the range 0.0 to 1.0; it is"),
        ("loud: 1", "5: loud: 1 is not true or false; it is"),
        ("ports: [ssh]", "5: ports: ['ssh'] is not a list of numbers; it is"),
        ("ports: 22", "5: ports: 22 is not a list of numbers; it is"),
        ("names: [1]", "5: names: [1] is not a list of texts; it is"),
        ("word: 5", "5: word: 5 is not a text; it is"),
    ],
)
def test_tuning_is_checked_against_the_detector(rules, tuning, said):
    (problem,) = problems(rules, DETECTOR.strip("\n") + f"\ntuning: {{{tuning}}}\n")
    assert problem.startswith(f"r0.yml:{said}")


TESTED = """
tuning: {least: 5, share: 1}
tests:
  - {name: a, rows: {conn: [{orig_h: 10.0.0.5}]}, expect: none}
  - name: b
    tuning: {least: TEN}
    rows: {conn: [{orig_h: 10.0.0.5}]}
    expect: none
"""


def test_a_test_may_say_a_tuning_of_its_own(rules):
    rule = rules(DETECTOR + TESTED.replace("TEN", "10")).detectors["probe"]
    assert rule.tests[0].tuning == rule.tuning
    assert (rule.tests[1].tuning.least, rule.tests[1].tuning.share) == (10, 1.0)
    (problem,) = problems(rules, DETECTOR.strip("\n") + TESTED)
    assert problem.startswith("r0.yml:9: least: 'TEN' is not a number")


def test_a_test_of_a_row_rule_has_no_tuning(rules):
    tests = "tests: [{name: a, tuning: {}, rows: {weird: [{orig_h: 10.0.0.5}]}, expect: none}]"
    assert "unknown key 'tuning' in a test" in problems(rules, ROWS + tests)[0]


def test_all_problems_of_all_files_come_at_once_in_order(rules):
    said = problems(rules, DETECTOR + "zork: 1\nper: week\n", ROWS + "per: week\n", suppress="[{reason: x}]")
    assert [s.partition(": ")[0] for s in said] == ["r0.yml:5", "r0.yml:6", "r1.yml:7", "suppress.yml:1"]


def test_two_rules_of_one_id(rules):
    (problem,) = problems(rules, ROWS, ROWS)
    assert problem.startswith("r1.yml:1: id 'odd' is that of")


def test_suppressions_of_the_site(rules, folder):
    text = "- rule: [odd]\n  where: {orig_h: 10.0.0.5}\n  reason: known\n- {where: {evidence.ports: 3}, reason: x}\n"
    found = rules(ROWS, suppress=text)
    assert [s.rules for s in found.suppress] == [("odd",), ()]
    assert len(found.suppressions(found.rows["odd"])) == 2
    wrong = "- rule: [od]\n  where: {orig: 10.0.0.5}\n  reason: known\n"
    assert problems(rules, ROWS, suppress=wrong) == [
        "suppress.yml:1: rule: there is no rule 'od'; there are odd",
        "suppress.yml:2: there is no column 'orig' here; near to it is origin, orig_p, orig_h",
    ]
    assert problems(rules, ROWS, suppress="a: 1") == [
        "suppress.yml:1: a list of suppressions is expected; rules/README.md shows one"
    ]
    assert problems(rules, ROWS, suppress="[5]")[0].startswith("suppress.yml:1: a suppression is a mapping")


def test_a_folder_of_other_files(folder, tmp_path):
    path = folder({"networks.yml": "internal: []\n", "README.md": "x", "a/rule.yaml": "id: x\n"})
    with pytest.raises(Problems, match=r"rule\.yaml: a rule's file ends in \.yml; rename it"):
        load_rules(path, {})
    with pytest.raises(ConfigError, match="no such folder of rules"):
        load_rules(tmp_path / "none", {})


def test_the_hash_changes_with_what_rules_mean(rules):
    plain = rules(DETECTOR)
    assert rules(DETECTOR + "# a comment\n").hash == plain.hash
    tests = "tests: [{name: a, rows: {conn: [{}]}, expect: none}]\n"
    assert rules(DETECTOR + tests).hash == plain.hash
    assert rules(DETECTOR + "tuning: {least: 5}\n").hash != plain.hash
    assert rules(DETECTOR + "enabled: false\n").hash != plain.hash
    suppress = "[{where: {orig_h: 10.0.0.5}, reason: known}]"
    assert rules(DETECTOR, suppress=suppress).hash != plain.hash


def test_every_shipped_rule_has_a_hit_and_a_miss_and_says_what_it_is():
    from aegis_enrich.registry import load

    for rule in load_rules(shipped_rules(), load().detectors):
        if isinstance(rule, RowRule) and rule.sigma is not None:
            continue  # Sigma has no tests inside rules
        assert {case.expect.alerts > 0 for case in rule.tests} == {True, False}, rule.id
        assert len({case.name for case in rule.tests}) == len(rule.tests), rule.id
        assert rule.description
        assert rule.references, rule.id
