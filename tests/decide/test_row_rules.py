"""Row rules: which rows hit, what a hit says of them, and that cutting a batch anywhere changes nothing."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_enrich.decide import RowHit, evaluate_rows
from aegis_enrich.decide.fold import Fold
from aegis_enrich.decide.made_rows import START_US
from aegis_enrich.decide.row_rules import filled
from aegis_enrich.plugin import DAY_US, HOUR_US

RULE = """
id: alert
name: Alert
title: "{signature} ({category})"
table: suricata_alert
where: {signature: {known: true}}
entity: [orig_h, signature_id]
per: hour
severity: {column: severity, map: {1: high, 2: medium}, otherwise: low}
attack: {column: mitre_technique_id}
context: {service: app_proto, name: metadata}
evidence: [signature, severity, category, src_port]
reason: "{signature_id} matched {orig_h}"
"""


def alert(**columns):
    return {"orig_h": "10.0.0.1", "resp_h": "192.0.2.1", "signature_id": 7, "signature": "S", "severity": 2} | columns


def test_a_hit_speaks_of_the_worst_row_and_counts_all(rules, table):
    rows = table(
        "suricata_alert",
        alert(ts=30),
        alert(ts=10, uid="B"),
        alert(
            ts=20, uid="A", severity=1, mitre_technique_id=["T1071.004", "T9999"], app_proto="dns", metadata="a.test"
        ),
        alert(ts=40, severity=9, resp_h="192.0.2.9"),
        alert(ts=5, signature=None),
    )
    (hit,) = evaluate_rows(rules(RULE), "suricata_alert", "s", rows)
    assert hit.entity == {"orig_h": "10.0.0.1", "signature_id": 7}
    assert (hit.period_us, hit.suppressed) == (START_US, False)
    fold = hit.fold
    assert (fold.count, fold.severity, fold.score, fold.sensors) == (4, 73, 0.73, ("s",))
    assert (fold.first_us, fold.last_us) == (START_US + 10_000_000, START_US + 40_000_000)
    assert [uid for _, uid in fold.uids] == ["B", "A", "C0", "C3"]
    assert fold.best["context"] == {
        "orig_h": "10.0.0.1",
        "resp_h": "192.0.2.1",
        "service": "dns",
        "name": "a.test",
    }
    assert fold.best["evidence"] == {"signature": "S", "severity": 1}
    assert fold.best["title"] == "S (?)"
    assert fold.best["reason"] == "7 matched 10.0.0.1"
    assert fold.best["attack"] == ["T1071.004"]


def test_an_alert_per_entity_and_period(rules, table):
    rows = table(
        "suricata_alert",
        alert(),
        alert(ts=3600),
        alert(ts=3599),
        alert(orig_h=None),
        alert(signature_id=8),
        alert(ts=-1),
    )
    hits = evaluate_rows(rules(RULE), "suricata_alert", "s", rows)
    found = {(h.entity["orig_h"], h.entity["signature_id"], (h.period_us - START_US) // HOUR_US): h for h in hits}
    assert {key: h.fold.count for key, h in found.items()} == {
        ("10.0.0.1", 7, 0): 2,
        ("10.0.0.1", 7, 1): 1,
        ("10.0.0.1", 7, -1): 1,
        (None, 7, 0): 1,
        ("10.0.0.1", 8, 0): 1,
    }


def test_other_tables_and_rows_without_a_match_give_nothing(rules, table):
    found = rules(RULE)
    assert evaluate_rows(found, "conn", "s", table("conn", {"orig_h": "10.0.0.1"})) == []
    assert evaluate_rows(found, "suricata_alert", "s", table("suricata_alert", alert(signature=None))) == []
    assert evaluate_rows(found, "suricata_alert", "s", table("suricata_alert")) == []


def test_columns_that_a_table_lacks_are_null(rules, table):
    text = """
id: odd
name: Odd
table: [notice, weird]
entity: [orig_h, note, name]
severity: low
evidence: [note, addl]
reason: "{note} {addl}"
"""
    found = rules(text)
    (notice,) = evaluate_rows(found, "notice", "s", table("notice", {"orig_h": "10.0.0.1", "note": "A::B"}))
    assert notice.entity == {"name": None, "note": "A::B", "orig_h": "10.0.0.1"}
    assert notice.fold.best["reason"] == "A::B ?"
    (weird,) = evaluate_rows(found, "weird", "s", table("weird", {"orig_h": "10.0.0.1", "name": "bad", "addl": "x"}))
    assert weird.entity == {"name": "bad", "note": None, "orig_h": "10.0.0.1"}


def test_a_renamed_column_goes_by_its_new_name_everywhere_and_its_own_value_fills_gaps(rules, table):
    text = """
id: notice
name: Notice
title: "from {orig_h}"
table: notice
where: {orig_h: 10.0.0.0/8}
entity: [orig_h]
context: {orig_h: src, resp_p: p}
severity: low
suppress: [{where: {orig_h: 10.0.0.3}, reason: known}]
reason: "{resp_p}"
"""
    rows = table(
        "notice",
        {"src": "10.0.0.1", "orig_h": "192.0.2.1", "p": 22},
        {"orig_h": "10.0.0.2"},
        {"src": "192.0.2.1", "orig_h": "10.0.0.9"},
        {"src": "10.0.0.3"},
    )
    hits = evaluate_rows(rules(text), "notice", "s", rows)
    assert [(h.entity["orig_h"], h.fold.best["title"], h.fold.best["reason"], h.suppressed) for h in hits] == [
        ("10.0.0.3", "from 10.0.0.3", "?", True),  # first, since suppressed rows are put aside
        ("10.0.0.1", "from 10.0.0.1", "22", False),
        ("10.0.0.2", "from 10.0.0.2", "?", False),
    ]


def test_suppressed_rows_are_counted_and_only_those(rules, table):
    suppress = "[{where: {action: blocked}, reason: handled, begins: 2026-01-05, expires: 2026-01-05}]"
    found = rules(RULE, suppress=suppress)
    day = DAY_US // 1_000_000
    rows = table("suricata_alert", alert(action="blocked"), alert(action="blocked", severity=1), alert(), alert())
    hits = evaluate_rows(found, "suricata_alert", "s", rows)
    assert [(h.suppressed, h.fold.count, h.fold.severity) for h in hits] == [(True, 2, 73), (False, 2, 47)]
    (late,) = evaluate_rows(found, "suricata_alert", "s", table("suricata_alert", alert(action="blocked", ts=day)))
    assert not late.suppressed
    (early,) = evaluate_rows(found, "suricata_alert", "s", table("suricata_alert", alert(action="blocked", ts=-1)))
    assert not early.suppressed


@pytest.mark.parametrize(
    ("value", "score", "severity"), [(50, 0.5, 47), (100, 1.0, 73), (250, 1.0, 73), (None, 0.21, 21), (0, 0.0, 21)]
)
def test_the_score_is_what_a_column_says_or_follows_the_severity(rules, table, value, score, severity):
    text = """
id: n
name: N
table: conn
entity: [orig_h]
severity: {column: orig_pkts, at_least: [{at_least: 40, severity: medium}, {at_least: 70, severity: high}]}
score: {column: orig_pkts, most: 100}
reason: x
"""
    rows = table("conn", {"orig_h": "10.0.0.1", "orig_pkts": value})
    (hit,) = evaluate_rows(rules(text), "conn", "s", rows)
    assert (hit.fold.score, hit.fold.severity) == (score, severity)


def test_techniques_of_the_rule_and_of_the_row(rules, table):
    text = "id: a\nname: A\ntable: conn\nentity: [orig_h]\nseverity: low\nreason: x\nattack: {column: service}\n"
    rows = table("conn", {"orig_h": "a", "service": "T1046"}, {"orig_h": "b", "service": "smb"}, {"orig_h": "c"})
    hits = evaluate_rows(rules(text), "conn", "s", rows)
    assert [h.fold.best["attack"] for h in hits] == [["T1046"], [], []]


def test_times_are_texts_in_an_alert(rules, table):
    text = (
        "id: a\nname: A\ntable: ssl\nentity: [not_valid_after]\nseverity: low\nreason: x\nevidence: [not_valid_after]\n"
    )
    rows = table("ssl", {"not_valid_after": START_US}, {})
    hits = evaluate_rows(rules(text), "ssl", "s", rows)
    assert [h.entity for h in hits] == [{"not_valid_after": "2026-01-05T00:00:00.000000Z"}, {"not_valid_after": None}]
    assert hits[0].fold.best["evidence"] == hits[0].entity
    assert hits[0].fold.text()


def test_texts_are_filled():
    values = {"a": 5, "b": ["x", "y"], "c": None}
    assert filled("{a} of {b}: {c} {d} {{e}}", values) == "5 of x, y: ? ? {e}"


SCORED = """
id: alert
name: Alert
table: suricata_alert
entity: [orig_h, signature_id]
per: hour
severity: {column: severity, map: {1: high, 2: medium}, otherwise: low}
score: {column: rev, most: 4}
evidence: [signature]
reason: "{signature}"
"""
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "ts": st.integers(0, 2).map(lambda n: n * 1800),
            "uid": st.sampled_from(["A", "B", "C", None]) | st.integers(0, 40).map(str),
            "orig_h": st.sampled_from(["10.0.0.1", None]),
            "signature_id": st.sampled_from([7, None]),
            "signature": st.sampled_from("xyz"),
            "severity": st.sampled_from([1, 2, 3, None]),
            "rev": st.sampled_from([1, 2, None]),
        }
    ),
    min_size=1,
    max_size=60,
)


def folded(hits: list[RowHit]) -> dict[str, Fold]:
    by_alert: dict[str, list[Fold]] = {}
    for hit in hits:
        by_alert.setdefault(f"{hit.entity} {hit.period_us}", []).append(hit.fold)
    return {key: reduce(Fold.__add__, folds) for key, folds in by_alert.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ROWS, st.data())
def test_batches_may_be_cut_anywhere_and_come_in_any_order(rules, table, rows, data):
    found = rules(SCORED)
    whole = table("suricata_alert", *rows)
    cuts = sorted({0, len(rows), *data.draw(st.lists(st.integers(0, len(rows)), max_size=4))})
    order = data.draw(st.permutations(range(len(rows))))
    mixed = whole.take(pa.array(order))
    parts = [mixed.slice(a, b - a) for a, b in pairwise(cuts)]
    in_parts = [h for part in parts for h in evaluate_rows(found, "suricata_alert", "s", part)]
    assert folded(in_parts) == folded(evaluate_rows(found, "suricata_alert", "s", whole))
