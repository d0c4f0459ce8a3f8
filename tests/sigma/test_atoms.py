"""What is looked up for a rule, before anything is asked of rows."""

from __future__ import annotations

import pytest
from sigma_made import made_rule

from aegis_enrich.sigma.atoms import Number, Probe, Text
from aegis_enrich.sigma.compiled import compiled


def clauses(detection: str):
    return [[_told(a) for a in clause] for clause in compiled(made_rule(detection), {}).clauses]


def _told(atom):
    name = atom.column.name
    if isinstance(atom, Text):
        return (name, atom.side, atom.literal)
    return (name, atom.value) if isinstance(atom, Number) else (name, "test")


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        ("selection: {query: [Evil.test, bad.test]}", [[("query", "is", "evil.test"), ("query", "is", "bad.test")]]),
        ("selection: {query|endswith: .test, qtype: 16}", [[("query", "ends", ".test")], [("qtype", 16)]]),
        ("selection: {query|contains|all: [abc, defg]}", [[("query", "has", "abc")], [("query", "has", "defg")]]),
        ("selection: {query: 'abc*longer*x'}", [[("query", "has", "longer")]]),
        ("selection: {query|re: '^a+\\.evil\\.'}", [[("query", "has", ".evil.")]]),
        ("selection: {query|contains: a}", [[("query", "test")]]),
        ("selection: {query|contains: éabcé}", [[("query", "has", "abc")]]),
        ("{selection: {query: abc}, f: {query: x}, condition: selection and not f}", [[("query", "is", "abc")]]),
        ("{selection: {query: abc}, condition: not selection}", [[("query", "test")]]),
        ("{a: {query: abc}, b: {qtype: 1}, condition: a or not b}", [[("query", "is", "abc"), ("qtype", "test")]]),
        ("{a: {query: abc}, b: {answers: null}, condition: a or b}", []),
        ("{a: {query: abc}, b: {qtype: 1}, condition: not (a and b)}", []),
        (
            "selection: {query|base64offset|contains: foobar}",
            [[("query", "has", w) for w in ("zm9vymfy", "zvb2jhc", "mb29iyx")]],
        ),
    ],
)
def test_clauses(detection, expected) -> None:
    if "base64offset" in detection:
        assert [len(c) for c in clauses(detection)] == [3]
    else:
        assert clauses(detection) == expected


def test_a_test_is_weaker_than_a_number_and_that_than_a_text() -> None:
    rule = compiled(made_rule("selection: {query: abc, qtype: 1, rtt|gt: 1}"), {})
    strengths = [c[0].strength for c in rule.clauses]
    assert strengths == sorted(strengths, reverse=True) and not any(
        isinstance(a, Probe) for c in rule.clauses for a in c
    )
