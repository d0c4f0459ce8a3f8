"""What a rule means at some places and times: of findings and of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.decide import Decider, evaluate_rows
from aegis_enrich.decide.made_rows import START_US
from aegis_enrich.detect.windows import Window
from aegis_enrich.errors import Problems
from aegis_enrich.plugin import HOUR_US

SERVERS = {"10.0.0.1": {"locality": "internal", "network.name": "servers", "asset.criticality": "high"}}


def describe(kind: str, value: str) -> dict[str, Any]:
    return SERVERS.get(value, {"locality": "external"}) if kind == "address" else {}


@pytest.fixture
def severity(rules, probe, store, finding):
    """What becomes of one finding under these overrides: severity and techniques, or None; and what was counted."""

    def decide(overrides: str, *, score: float = 0.6, hour: int = 12, **changes: Any) -> tuple[Any, int]:
        found = rules(f"{probe}overrides:\n{overrides}")
        made = finding(hour=hour, score=score, **changes)
        with store.transaction() as tx:
            window = Window(made.window_start_us, made.window_end_us)
            Decider(found, describe, "", lambda: 0).window(tx, "probe", "s", window, [made])
        alerts = store.query("SELECT severity, json_extract(fold, '$.best.attack') FROM alerts")
        return (alerts[0] if alerts else None), store.counters().get(("suppressed:probe", "s"), 0)

    return decide


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("severity: critical", 99),
        ("severity: {high: low}", 21),
        ("severity: {medium: low}", 73),
        ("severity: {high: none}", None),
        ("severity: [{severity: medium}, {at_least: 0.9, severity: high}]", 47),
        ("enabled: false", None),
        ("at_least: 0.61", None),
        ("at_least: 0.6", 73),
        ("{where: {orig_net: servers}, severity: low}", 21),
        ("{where: {orig_net: guests}, severity: low}", 73),
        ("{where: {orig_criticality: [high, critical]}, severity: critical}", 99),
        ("{where: {orig_scope: internal, resp_scope: external}, severity: critical}", 99),
        ("{where: {orig_h: 10.0.0.0/24}, enabled: false}", None),
        ("{where: {evidence.ports: {at_most: 20}}, enabled: false}", None),
        ("{hours: 10:00-13:00, severity: low}", 21),
        ("{hours: 22:00-06:00, severity: low}", 73),
    ],
)
def test_one(severity, override, expected):
    item = override if override.startswith("{") else f"{{{override}}}"
    alert, suppressed = severity(f"  - {item}\n")
    assert (alert[0] if alert else None) == expected
    assert suppressed == (expected is None)


def test_each_takes_the_place_of_what_was_before(severity):
    assert severity("  - {severity: low}\n  - {severity: {low: medium}}\n")[0][0] == 47
    assert severity("  - {severity: {high: none}}\n  - {severity: [{severity: medium}]}\n")[0][0] == 47


def test_a_list_may_say_more_than_the_rule(rules, probe):
    quiet = probe.replace("[{severity: low}, ", "[") + "overrides: [{where: {orig_h: a}, severity: [{severity: low}]}]"
    rule = rules(quiet).detectors["probe"]
    assert [rule.verdict(0.1, {"orig_h": h}, 0).severity for h in ("a", "b")] == [21, 0]


def test_what_the_rule_itself_lets_pass_is_not_counted(rules, probe, store, finding):
    found = rules(
        probe.replace("[{severity: low}, ", "[") + "overrides: [{where: {orig_h: 10.0.0.1}, at_least: 0.7}]\n"
    )
    for score in (0.3, 0.6):
        made = finding(score=score)
        with store.transaction() as tx:
            window = Window(made.window_start_us, made.window_end_us)
            Decider(found, describe, "", lambda: 0).window(tx, "probe", "s", window, [made])
    assert store.counters() == {("suppressed:probe", "s"): 1}


def test_techniques(severity):
    assert severity("  - {attack: [T1018, {id: T1498, when: {evidence.ports: {at_least: 5}}}]}\n")[0] == (
        73,
        '["T1018","T1498"]',
    )


def test_the_time_is_that_of_the_last_row(severity, finding):
    assert severity("  - {hours: 11:59-12:00, severity: low}\n", hour=12)[0][0] == 21
    assert finding(hour=12).last_us == START_US + 12 * HOUR_US - 30_000_000


def test_levels_tell_what_may_come(rules, probe):
    rule = rules(probe + "overrides: [{severity: {low: medium}}, {severity: [{severity: critical}]}]\n")
    assert rule.detectors["probe"].levels == [99]
    rule = rules(probe + "overrides: [{hours: 01:00-02:00, severity: {low: medium}}, {severity: {high: critical}}]\n")
    assert rule.detectors["probe"].levels == [21, 47, 99]


ROWS = """
id: odd
name: Odd
table: weird
entity: [orig_h]
severity: medium
reason: odd
attack: [T1046]
overrides:
  - {where: {orig_net: servers}, severity: low, attack: [T1018]}
  - {where: {name: chatter}, enabled: false}
  - {where: {orig_h: 192.0.2.9}, hours: 00:00-00:01, severity: {medium: high}}
"""


def test_rows(rules, table):
    rows = table(
        "weird",
        {"orig_h": "10.0.0.1", "name": "x"},
        {"orig_h": "192.0.2.9", "name": "x"},
        {"orig_h": "192.0.2.9", "name": "chatter"},
        {"orig_h": "192.0.2.9", "name": "y", "ts": 60},
        {"orig_h": "192.0.2.8", "name": "chatter"},
    )
    hits = evaluate_rows(rules(ROWS), "weird", "s", rows, describe)
    assert [(h.entity["orig_h"], h.fold.severity, h.fold.count, h.suppressed) for h in hits] == [
        ("10.0.0.1", 21, 1, False),
        ("192.0.2.9", 73, 2, False),
        ("192.0.2.9", 0, 1, True),
        ("192.0.2.8", 0, 1, True),
    ]
    assert [h.fold.best["attack"] for h in hits[:2]] == [["T1018"], ["T1046"]]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("{where: {orig_h: x}}", "an override changes nothing; write one of enabled, at_least, severity, attack"),
        ("{wher: {orig_h: x}, enabled: false}", "unknown key 'wher' in an override"),
        ("{where: {orig_h: x}, tuning: {least: 5}}", "tuning: it stands in the detector's query for all hosts"),
        ("{where: {orig: x}, enabled: false}", "there is no column 'orig' here"),
        ("{hours: night, enabled: false}", "hours: 'night' is no span of a day"),
        ("{severity: {hihg: low}}", "severity: 'hihg' is not one of low, medium, high, critical"),
        ("{severity: {high: lowish}}", "high: 'lowish' is not one of low, medium, high, critical, none"),
        ("{severity: lowish}", "severity: 'lowish' is not one of"),
        ("{severity: [{severity: low, when: {orig: x}}]}", "there is no column 'orig' here"),
        ("{attack: [T9999]}", "attack: 'T9999' is not in the table"),
        ("{attack: [{id: T1046, when: {orig: x}}]}", "there is no column 'orig' here"),
        ("low", "an override is a mapping with where and what changes"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(rules, probe, override, said):
    with pytest.raises(Problems) as caught:
        rules(f"{probe.strip()}\noverrides:\n  - {override}\n")
    (problem,) = caught.value.problems
    assert Path(problem.where).name == "r0.yml:9"
    assert problem.what.startswith(said)
