"""What is in public recordings of real attacks, and what is not: the check of the detectors on data that others made.

The recordings are not part of this project (their licences differ). Their folder is named by AEGIS_PUBLIC_DATA, else
looked for beside the project; without it these tests are skipped. docs/detections.md says where each comes from.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = Path(os.environ.get("AEGIS_PUBLIC_DATA") or ROOT.parent / "shared" / "data" / "public")

pytestmark = pytest.mark.skipif(not PUBLIC.is_dir(), reason="no public recordings here; AEGIS_PUBLIC_DATA names them")


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory: pytest.TempPathFactory):
    """What `analyze --json` says of a recording, each run once."""
    from click.testing import CliRunner

    from aegis_enrich.cli import group

    known = {}

    def analyze(*names: str) -> dict:
        if names not in known:
            paths = [str(PUBLIC / name) for name in names]
            ran = CliRunner().invoke(group, ["analyze", *paths, "--json"], catch_exceptions=False)
            assert ran.exit_code in (0, None), ran.output
            known[names] = json.loads(ran.stdout)
        return known[names]

    return analyze


@pytest.fixture
def alerts(analyzed):
    """The alerts of a recording, of one rule or of all."""

    def of(*names: str, rule: str | None = None) -> list[dict]:
        return [a for a in analyzed(*names)["alerts"] if rule in (None, a["rule"]["id"])]

    return of


def ends(alert):
    return alert["source"]["ip"], alert["destination"].get("domain") or alert["destination"]["ip"]


def test_a_vertical_scan_is_one_alert_with_its_ports(alerts):
    (alert,) = alerts("slips-port-scans/vertical", rule="port_scan")
    assert ends(alert) == ("192.168.1.9", "45.33.32.156")
    assert (alert["aegis"]["evidence"]["ports"], alert["aegis"]["evidence"]["refused"]) == (44, 42)


def test_a_weak_horizontal_scan_is_no_more_than_medium(alerts):
    (alert,) = alerts("slips-port-scans/horizontal", rule="port_scan")
    assert alert["source"]["ip"] == "10.0.2.112"
    assert alert["event"]["severity"] <= 47
    evidence = alert["aegis"]["evidence"]
    assert (alert["destination"]["port"], evidence["unanswered"]) == (80, 10)


def test_one_scanner_and_nobody_else(alerts):
    found = alerts("strato-002", rule="port_scan")
    assert {a["source"]["ip"] for a in found} == {"172.16.1.11"}
    kinds = {k.strip() for a in found for k in str(a["aegis"]["evidence"]["kinds"]).split(",")}
    assert any("vertical" in k for k in kinds)


def test_a_beacon_to_a_dead_server_and_no_other(alerts):
    found = alerts("strato-001/conn.log", rule="beaconing")
    assert {(a["source"]["ip"], a["destination"]["ip"], a["destination"]["port"]) for a in found} == {
        ("192.168.1.115", "41.108.179.197", 1177)
    }


def test_a_beacon_through_a_proxy_leads_to_its_host(alerts):
    found = alerts("rita-proxy", rule="beaconing")
    assert {a["destination"]["domain"] for a in found} == {"www.honestimnotevil.com"}
    assert max(a["aegis"]["score"] for a in found) >= 0.9


def test_a_tunnel_is_no_scan_and_no_long_connection(alerts):
    assert {a["source"]["ip"] for a in alerts("dnscat2-txt", rule="dns_tunnel")} == {"192.168.68.62"}
    assert not alerts("dnscat2-txt", rule="port_scan") + alerts("dnscat2-txt", rule="long_connection")


def test_open_connections_are_one_alert_each(alerts):
    found = alerts("rita-open-sni", rule="long_connection")
    named = [a for a in found if "ce7.stearns.org" in json.dumps(a)]
    assert len(named) == 3
    assert len(found) >= 9
    assert len({json.dumps(a["aegis"]["entity"], sort_keys=True) for a in found}) == len(found)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("rita-truncated/conn.log", 58, 1),
        ("rita-truncated/conn_top.log", 0, 59),
        ("rita-truncated/conn_json.log", 3, 1),
        ("rita-unknown-field", 4, 1),
        ("slips-test10/notice.log", 12, 1),
        ("slips-test10/conn.log", 141, 0),
    ],
)
def test_odd_logs_are_read_as_far_as_they_can_be(analyzed, name, good, bad):
    if not (PUBLIC / name).exists():
        (found,) = (PUBLIC / name).parent.glob(f"{(PUBLIC / name).stem}*")
        name = str(found.relative_to(PUBLIC))
    said = analyzed(name)
    assert (sum(said["rows"].values()), sum(said["bad"].values())) == (good, bad)


def test_the_benign_pc_does_nothing_loud(alerts):
    """24 hours of a Windows PC on the Internet: nothing of 47 or more about what it does itself."""
    loud = [a for a in alerts("strato-008") if a["event"]["severity"] >= 47 and a["source"]["ip"] == "147.32.81.167"]
    assert loud == []
