"""The tests inside rules, as they are read."""

from __future__ import annotations

import pytest

from aegis_enrich.errors import Problems

HEAD = """
id: odd
name: Odd
table: notice
entity: [orig_h]
severity: low
reason: odd
tests:
"""


def test_a_test_as_it_is_read(row_rule):
    rule = row_rule(
        HEAD
        + """
  - name: a
    rows:
      notice:
        - {orig_h: 10.0.0.1, repeat: {count: 3, step: {ts: 1}}}
        - {orig_h: 10.0.0.2, repeat: [{count: 2}, {count: 4, step: [{ts: 1}, {ts: 2}]}]}
      conn: [{orig_h: 10.0.0.1}]
    expect: {alerts: 2, severity: high, entity: {orig_h: 10.0.0.0/8}, evidence: {n: {at_least: 3}}}
  - {name: b, rows: {notice: [{}]}, expect: none}
"""
    )
    first, second = rule.tests
    assert [(r.table, dict(r.columns)) for r in first.rows] == [
        ("notice", {"orig_h": "10.0.0.1"}),
        ("notice", {"orig_h": "10.0.0.2"}),
        ("conn", {"orig_h": "10.0.0.1"}),
    ]
    assert [[(r.count, list(r.steps)) for r in row.repeats] for row in first.rows] == [
        [(3, [{"ts": 1}])],
        [(2, []), (4, [{"ts": 1}, {"ts": 2}])],
        [],
    ]
    assert (first.expect.alerts, first.expect.severity) == (2, 73)
    assert first.expect.parts["entity"].hold({"orig_h": "10.0.0.1"})
    assert (second.expect.alerts, second.expect.severity, dict(second.expect.parts)) == (0, None, {})
    assert [int(r.where.rpartition(":")[2]) for r in first.rows] == [12, 13, 14]
    assert int(first.expect.where.rpartition(":")[2]) == 15


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("a", "a test is a mapping"),
        ("{rows: {notice: [{}]}, expect: none}", "name is missing"),
        ("{name: a, rows: {notice: [{}]}, expect: none, x: 1}", "unknown key 'x' in a test"),
        ("{name: a, expect: none}", "rows: a mapping of tables"),
        ("{name: a, rows: [], expect: none}", "rows: a mapping of tables"),
        ("{name: a, rows: {notes: [{}]}, expect: none}", "there is no table 'notes'"),
        ("{name: a, rows: {notice: {}}, expect: none}", "notice: a list of rows is expected"),
        ("{name: a, rows: {notice: [5]}, expect: none}", "notice: a list of rows is expected"),
        ("{name: a, rows: {notice: [{nots: 5}]}, expect: none}", "there is no column 'nots' here; near to it is note"),
        ("{name: a, rows: {notice: [{repeat: 5}]}, expect: none}", "repeat: write it like"),
        ("{name: a, rows: {notice: [{repeat: {count: 0}}]}, expect: none}", "repeat: write it like"),
        ("{name: a, rows: {notice: [{repeat: {count: 2, steps: 1}}]}, expect: none}", "unknown key 'steps' in repeat"),
        ("{name: a, rows: {notice: [{repeat: {count: 2, step: 1}}]}, expect: none}", "step: columns and the numbers"),
        ("{name: a, rows: {notice: [{repeat: {count: 2, step: {ts: x}}}]}, expect: none}", "step: columns and"),
        ("{name: a, rows: {notice: [{repeat: {count: 100001}}]}, expect: none}", "repeat: 100,001 rows of one"),
        ("{name: a, rows: {notice: [{repeat: [{count: 1000}, {count: 1000}]}]}, expect: none}", "repeat: 1,000,000"),
        ("{name: a, rows: {notice: [{}]}}", "expect: write none"),
        ("{name: a, rows: {notice: [{}]}, expect: 3}", "expect: write none"),
        ("{name: a, rows: {notice: [{}]}, expect: {alert: 3}}", "unknown key 'alert' in expect"),
        ("{name: a, rows: {notice: [{}]}, expect: {alerts: 0}}", "alerts: 0 is not a number from 1"),
        ("{name: a, rows: {notice: [{}]}, expect: {alerts: 1.5}}", "alerts: 1.5 is not a whole number"),
        ("{name: a, rows: {notice: [{}]}, expect: {severity: 47}}", "severity: 47 is not one of"),
        ("{name: a, rows: {notice: [{}]}, expect: {entity: x}}", "conditions are expected"),
        ("{name: a, rows: {notice: [{}]}, expect: {context: {port: 5}}}", "context: the document has no 'port'"),
    ],
)
def test_what_is_no_test_is_told_with_its_line(row_rule, test, said):
    with pytest.raises(Problems) as caught:
        row_rule(HEAD.rstrip("\n") + f"\n  - {test}\n")
    (problem,) = caught.value.problems
    assert problem.where.endswith(":8")
    assert problem.what.startswith(said)


def test_what_is_known_of_addresses(row_rule, rules):
    text = HEAD + "  - {name: a, rows: {notice: [{}]}, expect: none, site: {10.0.0.1: {net: dmz, scope: external}}}\n"
    (case,) = row_rule(text).tests
    assert case.site == {"10.0.0.1": {"network.name": "dmz", "locality": "external"}}
    with pytest.raises(Problems, match="unknown key 'network' of an address; known are scope, net, asset"):
        rules(text.replace("net:", "network:"))
