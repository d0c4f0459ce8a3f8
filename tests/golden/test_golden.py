"""Logs in, alerts out: every recorded scenario by itself, from TSV, JSON and EVE.

`pytest tests/golden --update-golden` writes what is found now; read the difference before it is committed. The truth of
each scenario is in tests/data/README.md; a golden file says what we make of it, so `test_truth` holds against that.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[1] / "data" / "lab"
SCENARIOS = sorted(p.name for p in LAB.iterdir() if p.is_dir())

# What is loud (47 or more) in a scenario: (rule, source). Compressed beacons need a tuning of their own, so they are
# quiet here; brute force, exfiltration, DGA, floods and loss are none of these detectors' business.
TRUTH = {
    "beacon_http_60s": {("beaconing", "10.10.0.12")},
    "beacon_https_60s": {("beaconing", "10.10.0.11")},
    "dns_tunnel": {("dns_tunnel", "10.10.0.13")},
    "multistage": {
        ("port_scan", "10.10.0.14"),
        ("port_scan", "203.0.113.66"),
        ("dns_tunnel", "10.10.0.15"),
    },
    "scan_horizontal": {("port_scan", "10.10.0.14")},
    "scan_slow": {("port_scan", "10.10.0.15")},
    "scan_slow_1min": {("port_scan", "10.10.0.15")},
    "scan_udp": {("port_scan", "10.10.0.14")},
    "scan_vertical": {("port_scan", "10.10.0.14")},
    "scan_vertical_v6": {("port_scan", "fd00:10::14")},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory):
    """The alerts of a scenario in a format, each analyzed once."""
    from aegis_enrich.cli.run import stored_alerts
    from aegis_enrich.config import Config
    from aegis_enrich.follow import Follower
    from aegis_enrich.pipeline.engine import Engine, assemble
    from aegis_enrich.registry import load
    from aegis_enrich.store import Store

    known = {}

    def analyze(scenario: str, kind: str) -> list[dict]:
        if (scenario, kind) not in known:
            path = LAB / scenario / kind
            parts = assemble(Config(), load())
            with Store(tmp_path_factory.mktemp(scenario)) as store, Follower({"sensor": [path]}, poll=True) as follower:
                Engine(parts, store, follower, {}, live=False).run_to_end()
                known[scenario, kind] = [contents(d) for d in stored_alerts(store)]
        return known[scenario, kind]

    return analyze


def contents(document: dict) -> dict:
    """What does not change with a rule's text, a version or how it was delivered."""
    for dotted in ("aegis.config_hash", "aegis.revision", "aegis.status", "rule.description", "rule.reference"):
        head, tail = dotted.split(".")
        document[head].pop(tail, None)
    document["aegis"].pop("false_positives", None)
    return document


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_tsv_as_before(scenario, found, update_golden):
    check(Path(__file__).parent / f"{scenario}.json", found(scenario, "tsv"), update_golden)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_json_gives_what_tsv_gives(scenario, found):
    assert found(scenario, "json") == found(scenario, "tsv")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_eve_as_before(scenario, found, update_golden):
    check(Path(__file__).parent / f"{scenario}.eve.json", found(scenario, "eve.json.gz"), update_golden)


@pytest.mark.parametrize("kind", ["tsv", "eve.json.gz"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_truth(scenario, kind, found):
    loud = {(d["rule"]["id"], d["source"]["ip"]) for d in found(scenario, kind) if d["event"]["severity"] >= 47}
    assert loud == TRUTH.get(scenario, set())


def check(path: Path, alerts: list[dict], update: bool) -> None:
    text = json.dumps(alerts, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if update:
        path.unlink(missing_ok=True)
        if alerts:
            path.write_text(text, encoding="utf-8")
    assert text == (path.read_text(encoding="utf-8") if path.exists() else "[]\n")
