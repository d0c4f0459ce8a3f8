"""The table of tactics and techniques, and ECS `threat` made of it."""

from __future__ import annotations

import re
from pathlib import Path

from aegis_enrich.decide.attack import attack


def test_the_table_is_whole():
    table = attack()
    assert re.fullmatch(r"\d+\.\d+", table.version)
    assert all(re.fullmatch(r"TA\d{4}", t) and name for t, name in table.tactics.items())
    for technique, entry in table.techniques.items():
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", technique)
        assert entry.keys() == {"name", "tactics"} and entry["name"] == entry["name"].strip()
        assert entry["tactics"]
        assert technique.split(".")[0] in table.techniques
        assert sorted(entry["tactics"], key=list(table.tactics).index) == entry["tactics"], "in the matrix's order"
        assert len(set(entry["tactics"])) == len(entry["tactics"])
    assert list(table.techniques) == sorted(table.techniques)


def test_it_is_version_19():
    """Numbers that ATT&CK 19 gives of itself: 15 tactics, 222 techniques, 475 sub-techniques."""
    table = attack()
    subs = [t for t in table.techniques if "." in t]
    assert (table.version, len(table.tactics)) == ("19.0", 15)
    assert (len(table.techniques) - len(subs), len(subs)) == (222, 475)
    assert list(table.tactics.values()) == [
        *("Reconnaissance", "Resource Development", "Initial Access", "Execution", "Persistence"),
        *("Privilege Escalation", "Stealth", "Defense Impairment", "Credential Access", "Discovery"),
        *("Lateral Movement", "Collection", "Command and Control", "Exfiltration", "Impact"),
    ]


def test_what_traffic_can_show_is_known_with_its_parents():
    table = attack()
    assert table.network <= set(table.techniques) and len(table.network) > 150
    assert {t.split(".")[0] for t in table.network} <= table.network
    assert {"T1046", "T1071.004", "T1048", "T1021.004"} <= table.network
    assert not {"T1055", "T1014", "T1092"} & table.network


def test_former_ids_lead_to_ids_of_now():
    table = attack()
    assert not set(table.renamed) & set(table.techniques)
    assert set(table.renamed.values()) <= set(table.techniques)
    assert table.resolve(["T1562.004", "T1077"]) == [("TA0112", "T1686"), ("TA0008", "T1021.002")]
    assert table.resolve(["TA0005/T1562.001"]) == [("TA0112", "T1685")]
    assert table.knows("T1070.001") and not table.knows("TA9999/T1070.001")


def test_what_is_known():
    table = attack()
    assert table.knows("T1046")
    assert table.knows("TA0007/T1046")
    assert table.knows("T1071.004")
    for wrong in ("T9999", "TA0001/T1046", "TA9999/T1046", "", "T1046/", "/T1046", "t1046", "T1071.999"):
        assert not table.knows(wrong), wrong


def test_a_tactic_goes_by_its_id_and_names():
    table = attack()
    for word in ("TA0011", "ta0011", "Command and Control", "command-and-control", "command_and_control"):
        assert table.tactic(word) == "TA0011", word
    assert all(table.tactic(table.shortname(t)) == t for t in table.tactics)
    assert table.tactic("defense-evasion") == table.tactic("stealth") == "TA0005"
    assert table.tactic("defense-impairment") == "TA0112"
    assert table.tactic("") is None and table.tactic("evasion") is None


def test_links():
    table = attack()
    assert table.link("TA0112") == "https://attack.mitre.org/tactics/TA0112/"
    assert table.link("T1046") == "https://attack.mitre.org/techniques/T1046/"
    assert table.link("T1071.004") == "https://attack.mitre.org/techniques/T1071/004/"


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


def test_the_notice_that_mitre_asks_for_is_there():
    text = " ".join((Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8").split())
    assert "This work is reproduced and distributed with the permission of The MITRE Corporation." in text
