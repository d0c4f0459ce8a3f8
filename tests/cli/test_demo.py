"""`demo`: what a newcomer sees first."""

from __future__ import annotations

import json


def test_the_demo_finds_what_is_in_its_logs(aegis, tmp_path):
    ran = aegis("demo", "-o", tmp_path / "a.ndjson")
    assert ran.code == 0
    documents = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text(encoding="utf-8").splitlines()]
    found = {(d["rule"]["id"], d["source"]["ip"]) for d in documents if d["event"]["severity"] >= 47}
    assert found == {
        ("beaconing", "10.10.0.11"),
        ("beaconing", "10.10.0.12"),
        ("dns_tunnel", "10.10.0.13"),
        ("port_scan", "10.10.0.14"),
        ("port_scan", "10.10.0.15"),
    }
    assert "T1046" in ran.out
