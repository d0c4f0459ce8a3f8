"""Logs in, alerts out: every recorded scenario by itself, from TSV, JSON and EVE.

`pytest tests/golden --update-golden` writes what is found now; read the difference before it is committed. The truth of
each scenario is in tests/data/README.md; a golden file says what we make of it, so `test_truth` holds against that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
LAB, ZEEK = DATA / "lab", DATA / "zeek"
SCENARIOS = sorted(p.name for p in LAB.iterdir() if p.is_dir())
IN_JSON, IN_EVE = ([s for s in SCENARIOS if (LAB / s / kind).exists()] for kind in ("json", "eve.json.gz"))
SCANS = sorted(p.name for p in ZEEK.iterdir() if (p / "aegis_scan.log").is_file())

# What is loud (47 or more) in a scenario: (rule, source, or the target of many sources). Compressed beacons need a
# tuning of their own, so they are quiet here.
TRUTH = {
    "beacon_http_60s": {("beaconing", "10.10.0.12")},
    "beacon_https_60s": {("beaconing", "10.10.0.11")},
    "dga": {("dga", "10.10.0.14")},
    "dga_nxdomain": {("dga", "10.10.0.14")},
    "dns_tunnel": {("dns_tunnel", "10.10.0.13")},
    "exfil": {("exfiltration", "10.10.0.15")},
    "exfil_small": {("exfiltration", "10.10.0.15")},
    "icmp_sweep": {("icmp_anomaly", "10.10.0.14")},
    "icmp_tunnel": {("icmp_anomaly", "10.10.0.13")},
    "latency_5h": {("high_latency", f"10.10.0.1{n}") for n in (1, 2, 3)},
    "loss_20": {("packet_loss", "10.10.0.12")},
    "loss_download_20": {("packet_loss", "10.10.0.13")},
    "multistage": {
        ("port_scan", "10.10.0.14"),
        ("port_scan", "203.0.113.66"),
        ("brute_force", "10.10.0.14"),
        ("brute_force", "203.0.113.66"),
        ("dns_tunnel", "10.10.0.15"),
        ("exfiltration", "10.10.0.15"),
    },
    "scan_horizontal": {("port_scan", "10.10.0.14")},
    "scan_slow": {("port_scan", "10.10.0.15")},
    "scan_slow_1min": {("port_scan", "10.10.0.15")},
    "scan_udp": {("port_scan", "10.10.0.14")},
    "scan_vertical": {("port_scan", "10.10.0.14")},
    "scan_vertical_v6": {("port_scan", "fd00:10::14")},
    "ssh_bruteforce": {("brute_force", "10.10.0.15")},
    "ssh_bruteforce_success": {("brute_force", "10.10.0.15")},
    "syn_flood": {("syn_flood", "10.10.0.14")},
    "syn_flood_drop": {("syn_flood", "10.10.0.14")},
    "syn_flood_spoofed": {("syn_flood", "10.20.0.20")},
}

# These need the history of a connection or our Zeek scripts. Guesses without a session are low without a log of logins.
NOT_IN_EVE = {"packet_loss", "high_latency"}
QUIET_IN_EVE = {"ssh_bruteforce"}


def together(scenarios: list[str], *values: str) -> list[Any]:
    """A parameter each; one worker has all tests of a scenario, so that it is analyzed once."""
    return [pytest.param(s, *values, marks=pytest.mark.xdist_group(f"golden {s}")) for s in scenarios]


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
    parts = assemble(Config(), load())

    def analyze(scenario: str, kind: str, *more: Path) -> list[dict]:
        paths = [LAB / scenario / kind] if kind else []
        key = (scenario, kind, more)
        if key not in known:
            sources = {"sensor": [*paths, *more]}
            with Store(tmp_path_factory.mktemp(scenario)) as store, Follower(sources, poll=True) as follower:
                Engine(parts, store, follower, {}, live=False).run_to_end()
                known[key] = [contents(d) for d in stored_alerts(store)]
        return known[key]

    return analyze


def contents(document: dict) -> dict:
    """What does not change with a rule's text, a version or how it was delivered."""
    for dotted in ("aegis.config_hash", "aegis.revision", "aegis.status", "rule.description", "rule.reference"):
        head, tail = dotted.split(".")
        document[head].pop(tail, None)
    document["aegis"].pop("false_positives", None)
    return document


@pytest.mark.parametrize("scenario", together(SCENARIOS))
def test_tsv_as_before(scenario, found, update_golden):
    check(Path(__file__).parent / f"{scenario}.json", found(scenario, "tsv"), update_golden)


@pytest.mark.parametrize("scenario", together(IN_JSON))
def test_json_gives_what_tsv_gives(scenario, found):
    assert found(scenario, "json") == found(scenario, "tsv")


@pytest.mark.parametrize("scenario", together(IN_EVE))
def test_eve_as_before(scenario, found, update_golden):
    check(Path(__file__).parent / f"{scenario}.eve.json", found(scenario, "eve.json.gz"), update_golden)


@pytest.mark.parametrize(("scenario", "kind"), [*together(SCENARIOS, "tsv"), *together(IN_EVE, "eve.json.gz")])
def test_truth(scenario, kind, found):
    alerts = [d for d in found(scenario, kind) if d["event"]["severity"] >= 47]
    loud = {(d["rule"]["id"], (d.get("source") or d["destination"])["ip"]) for d in alerts}
    truth = TRUTH.get(scenario, set())
    if kind != "tsv":
        truth = {(r, s) for r, s in truth if r not in NOT_IN_EVE} if scenario not in QUIET_IN_EVE else set()
    assert loud == truth


@pytest.mark.parametrize("scenario", together(SCANS))
def test_the_scan_log_alone_as_before(scenario, found, update_golden):
    """Of a site that keeps no rows of attempts that failed."""
    alerts = found(scenario, "", ZEEK / scenario / "aegis_scan.log")
    scanners = {d["source"]["ip"] for d in alerts if d["event"]["severity"] >= 47}
    assert scanners == {ip for rule, ip in TRUTH.get(scenario, ()) if rule == "port_scan"}
    check(Path(__file__).parent / f"{scenario}.aegis_scan.json", alerts, update_golden)


@pytest.mark.parametrize("scenario", together(SCANS))
def test_the_scan_log_beside_conn_changes_nothing(scenario, found):
    assert found(scenario, "tsv", ZEEK / scenario / "aegis_scan.log") == found(scenario, "tsv")


def check(path: Path, alerts: list[dict], update: bool) -> None:
    text = json.dumps(alerts, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if update:
        path.unlink(missing_ok=True)
        if alerts:
            path.write_text(text, encoding="utf-8")
    assert text == (path.read_text(encoding="utf-8") if path.exists() else "[]\n")
