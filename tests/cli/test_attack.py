"""`aegis-enrich attack`."""

from __future__ import annotations

import json
import re

from aegis_enrich.decide.attack import attack

OWN = """id: own
name: Own
table: notice
entity: [orig_h]
severity: medium
reason: "{note}"
attack: [T1567.002]
"""


def test_coverage_is_a_table_by_tactic(aegis) -> None:
    ran = aegis("attack", "coverage")
    assert ran.code == 0
    lines = ran.out.splitlines()
    headings = [line.split()[0] for line in lines if line.startswith("TA")]
    assert headings == [t for t in attack().tactics if t in headings] and {"TA0043", "TA0007", "TA0011"} <= {*headings}
    (scan,) = [line for line in lines if line.startswith("  T1595.001 ")]
    assert "Scanning IP Blocks" in scan and "port_scan" in scan and " tests " in scan
    assert any("threat_classifier (off)" in line for line in lines)  # it has no model
    assert "suricata_alert gives whatever technique its row names" in ran.out
    assert f"ATT&CK {attack().version}" in lines[-1]
    assert not any(line.startswith("Traffic can show") for line in lines)


def test_gaps_are_said_when_asked_for(aegis) -> None:
    out = aegis("attack", "coverage", "--gaps").out
    listed = out[out.index("Traffic can show, and no rule sees") :]
    assert "T1041 " in listed and "T1046 " not in listed


def test_coverage_as_json(aegis) -> None:
    told = aegis("attack", "coverage", "--json").json
    assert [t["id"] for t in told["tactics"]] == list(attack().tactics) and told["version"] == attack().version
    by = {(t["tactic"]["id"], t["technique"]["id"]): t["rules"] for t in told["techniques"]}
    assert {r["id"] for r in by["TA0007", "T1046"]} >= {"port_scan", "threat_classifier"}
    (tunnel,) = [r for r in by["TA0011", "T1071.004"] if r["id"] == "dns_tunnel"]
    assert (tunnel["always"], tunnel["kind"], tunnel["idle"]) == (True, "detector", "") and tunnel["tests"] >= 3
    assert told["from_rows"] == ["suricata_alert"]
    seen = {t["technique"]["id"] for t in told["techniques"] if any(not r["idle"] for r in t["rules"])}
    assert seen.isdisjoint({g["id"] for g in told["gaps"]})


def test_a_folder_of_rules_of_one_s_own_and_a_layer(aegis, tmp_path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "own.yml").write_text(OWN)
    file = tmp_path / "layer.json"
    ran = aegis("attack", "coverage", tmp_path / "rules", "--navigator", file)
    assert "1 technique by 1 rule; of the " in ran.out and "2 are seen" in ran.out  # it and its parent
    assert str(file) in ran.out
    made = json.loads(file.read_text(encoding="utf-8"))
    (entry,) = made["techniques"]
    assert (entry["techniqueID"], entry["tactic"], entry["score"]) == ("T1567.002", "exfiltration", 1)
    assert made["versions"]["layer"] == "4.5" and "of 1 rules" in made["description"]


def test_a_file_that_cannot_be_written(aegis, tmp_path) -> None:
    ran = aegis("attack", "coverage", "--navigator", tmp_path / "none" / "layer.json")
    assert ran.code == 1 and "layer.json: No such file or directory; name a file" in ran.err


def test_show_tells_a_technique_and_its_rules(aegis) -> None:
    out = aegis("attack", "show", "T1071.004").out
    assert out.splitlines()[0] == "T1071.004  Application Layer Protocol: DNS"
    assert "https://attack.mitre.org/techniques/T1071/004/" in out and "TA0011 Command and Control" in out
    assert re.search(r"dns_tunnel: DNS tunnel, low to high, \d tests, always", out)
    assert out.index("seen as T1071.004 DNS,") < out.index("seen as T1071 Application Layer Protocol,")  # its parent


def test_show_says_when_a_rule_gives_it(aegis) -> None:
    out = aegis("attack", "show", "T1595.001").out
    assert "port_scan: Port scan" in out and "when evidence.source_internal: False" in out
    assert "where no other technique takes its place" in aegis("attack", "show", "T1046").out


def test_show_takes_former_ids_and_small_letters(aegis) -> None:
    out = aegis("attack", "show", "t1562.004").out
    assert out.startswith("T1686  Disable or Modify System Firewall\n  was      ")
    assert "T1562.004" in out and "none sees it" in out and "does not show it" in out


def test_show_as_json(aegis) -> None:
    told = aegis("attack", "show", "T1046", "--json").json
    assert (told["name"], told["network"], told["version"]) == ("Network Service Discovery", True, attack().version)
    assert told["tactics"] == ["TA0007"] and told["seen"][0]["rules"]


def test_what_is_no_technique(aegis) -> None:
    ran = aegis("attack", "show", "T9999")
    assert ran.code == 1 and "there is no technique 'T9999' in ATT&CK" in ran.err
