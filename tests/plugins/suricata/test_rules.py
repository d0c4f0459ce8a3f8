"""aegis.rules: Suricata takes them, each fires on scans and on nothing else, and their ATT&CK metadata arrives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis_enrich.decide.attack import attack
from aegis_enrich.decode import decode

RULES = Path(__file__).parents[3] / "plugins" / "suricata" / "aegis.rules"
REFUSED, HALF_OPEN = 1190001, 1190002
FIRES = {
    "scan_vertical": {(REFUSED, "10.10.0.14")},
    "scan_vertical_v6": {(REFUSED, "fd00:10::14")},
    "scan_horizontal": {(REFUSED, "10.10.0.14"), (HALF_OPEN, "10.10.0.14")},
}
QUIET = ("benign_tls_part", "beacon_http", "beacon_https", "dns_tunnel", "ssh_bruteforce", "icmp_sweep")


def signatures() -> list[str]:
    return [line for line in RULES.read_text().splitlines() if line and not line.startswith("#")]


def test_each_has_a_local_sid_of_its_own_and_att_ck() -> None:
    sids = [int(re.findall(r"sid:(\d+);", s)[0]) for s in signatures()]
    assert len(sids) == len(set(sids)) and all(1_190_001 <= sid <= 1_190_099 for sid in sids)
    for signature in signatures():
        (tactic,), (technique,) = (re.findall(rf"mitre_{of}_id (\w+)", signature) for of in ("tactic", "technique"))
        assert attack().knows(f"{tactic}/{technique}")


def test_suricata_takes_them(suricata, tmp_path) -> None:
    done = suricata("-T", "-S", RULES, "-l", tmp_path)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"^(E|W|Error|Warning):", done.stdout + done.stderr, re.MULTILINE), done.stderr


@pytest.mark.parametrize("scenario", [*FIRES, *QUIET])
def test_they_fire_on_scans_alone(replay, scenario: str) -> None:
    data = (replay(scenario, RULES) / "eve.json").read_bytes()
    tables = decode("eve", data, offset=0, context="", sensor="lab").tables
    alerts = tables["suricata_alert"].to_pylist() if "suricata_alert" in tables else []
    assert {(a["signature_id"], a["orig_h"]) for a in alerts} == FIRES.get(scenario, set())
    assert all(a["mitre_technique_id"] == ["T1046"] and a["mitre_tactic_id"] == ["TA0007"] for a in alerts)
    assert all(a["severity"] == 3 for a in alerts)
    assert len(alerts) <= 2  # not one a packet
