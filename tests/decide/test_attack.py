"""The table of techniques, and ECS `threat` made of it."""

from __future__ import annotations

import re

from aegis_enrich.decide.attack import attack


def test_the_table_is_whole():
    table = attack()
    assert re.fullmatch(r"\d+\.\d+", table.version)
    assert all(re.fullmatch(r"TA\d{4}", t) and name for t, name in table.tactics.items())
    for technique, entry in table.techniques.items():
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", technique)
        assert entry["name"]
        assert entry["tactics"]
        assert set(entry["tactics"]) <= set(table.tactics)
        assert technique.split(".")[0] in table.techniques


def test_what_is_known():
    table = attack()
    assert table.knows("T1046")
    assert table.knows("TA0007/T1046")
    assert table.knows("T1071.004")
    for wrong in ("T9999", "TA0001/T1046", "TA9999/T1046", "", "T1046/", "t1046", "T1071.999"):
        assert not table.knows(wrong), wrong


def test_the_tactic_that_is_written_is_the_one_that_is_meant():
    table = attack()
    several = next(t for t, e in table.techniques.items() if len(e["tactics"]) > 1)
    first, second = table.techniques[several]["tactics"][:2]
    assert table.resolve([several]) == [(first, several)]
    assert table.resolve([f"{second}/{several}", "T9999"]) == [(second, several)]


def test_threat_keeps_parents_apart_from_their_subtechniques():
    threat = attack().threat(["T1071.004", "T1572", "T1071.004"])
    assert threat["framework"] == "MITRE ATT&CK"
    assert threat["tactic"]["id"] == ["TA0011"]
    assert threat["tactic"]["name"] == ["Command and Control"]
    assert threat["technique"]["id"] == ["T1071", "T1572"]
    assert threat["technique"]["subtechnique"]["id"] == ["T1071.004"]
    assert threat["technique"]["subtechnique"]["reference"] == ["https://attack.mitre.org/techniques/T1071/004/"]
    assert attack().threat(["T9999"]) == {}


def test_pairs_name_technique_and_tactic_together():
    (pair,) = attack().pairs(["T1071.004"])
    assert pair == {
        "tactic": {"id": "TA0011", "name": "Command and Control"},
        "technique": {"id": "T1071.004", "name": "Application Layer Protocol: DNS"},
    }
