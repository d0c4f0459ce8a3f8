"""What an analyst does with an alert, as rules say it."""

from __future__ import annotations

from aegis_enrich.decide.investigate import Investigate

TEXT = """
investigate:
  confirm:
    - "Look whether {orig_h} asks for {evidence.ports} ports
       again."
  respond: ["Ask {orig_owner}."]
"""


def test_a_rule_says_it(rules, probe):
    rule = rules(probe + TEXT).detectors["probe"]
    assert rule.investigate == Investigate(
        ("Look whether {orig_h} asks for {evidence.ports} ports again.",), (), ("Ask {orig_owner}.",)
    )
    assert rule.investigate
    filled = rule.investigate.filled({"orig_h": "10.0.0.1", "evidence.ports": 20})
    assert filled.confirm == ("Look whether 10.0.0.1 asks for 20 ports again.",)
    assert filled.respond == ("Ask ?.",)


def test_it_may_be_left_out(rules, probe):
    assert not rules(probe).detectors["probe"].investigate


def test_a_row_rule_says_it_with_its_columns_and_evidence(rules):
    rule = rules("""
id: odd
name: Odd
table: weird
entity: [orig_h]
evidence: [addl]
severity: low
reason: odd
investigate: {refute: ["{name} of {orig_h} with {evidence.addl} is the printer's."]}
""").rows["odd"]
    assert rule.investigate.filled({"name": "x", "orig_h": "a", "evidence.addl": "b"}).refute == (
        "x of a with b is the printer's.",
    )
