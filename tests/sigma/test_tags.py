"""ATT&CK in tags: techniques, with the tactics beside them."""

from __future__ import annotations

from sigma.rule import SigmaRuleTag

from aegis_enrich.sigma.tags import techniques

TACTICS = {"TA0011": "Command and Control", "TA0010": "Exfiltration"}


def test_techniques_come_with_the_tactics_that_are_named() -> None:
    tags = [
        SigmaRuleTag.from_str(t)
        for t in (
            "attack.t1048",
            "attack.command-and-control",
            "attack.command_and_control",
            "cve.2021-1",
            "attack.s0154",
        )
    ]
    assert techniques(tags, TACTICS) == [("T1048", ["TA0011", "TA0011"])]
    assert techniques([], TACTICS) == []
