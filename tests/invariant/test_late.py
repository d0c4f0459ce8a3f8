"""Rows that come as late as sensors write them are in time: `watch` gives what `analyze` gives, and no row is late.

Zeek writes an unanswered TCP attempt 5 s after its last packet, UDP and ICMP 60 s, an idle TCP connection 300 s;
Suricata writes a flow up to 600 s after it.
"""

from __future__ import annotations

import random

import pytest

HOURS = (
    ("beacon_https_60s", 0.2),
    ("scan_udp", 0.9),  # at an hour's end: its rows come in the next one
    ("scan_slow_1min", 1.2),
    ("scan_horizontal", 1.98),
    ("dns_tunnel", 2.4),
)
ZEEK = (*HOURS, ("long_connection_66min", 0.5), ("icmp_sweep", 1.49), ("multistage", 2.6))
EVE = (*HOURS, ("beacon_http_60s", 1.5), ("benign", 2.6))


@pytest.fixture(scope="module")
def parts(tools, parts):
    return tools.with_flush(parts, seconds=60, small_seconds=120)


def watch(tools, parts, root, monkeypatch, scene):
    """What a simulated `watch` gives, of rows in the order of their arrival."""
    write = tools.writes(scene, root / "logs")
    run = tools.Simulated(parts, root / "s", {"sensor": [root / "logs"]}, write, scene.start_us - 1, scene.end_us)
    run.step_s = 15.0
    return run.run(monkeypatch)


@pytest.mark.parametrize("seed", [None, 1])
def test_zeek(tools, parts, tmp_path, monkeypatch, seed):
    """Each row as late as it can be, or up to that by chance."""
    scene = tools.zeek_scene(ZEEK, notices=10, chance=seed)
    want = tools.one_pass(parts, tmp_path / "whole", scene.write(tmp_path / "analyzed"))
    assert watch(tools, parts, tmp_path, monkeypatch, scene) == want
    assert want.late == 0
    assert len(want.alerts) >= 12


@pytest.mark.parametrize("seed", [None, 1])
def test_suricata(tools, parts, tmp_path, monkeypatch, seed):
    scene = tools.eve_scene(EVE, alerts=20, chance=seed)
    want = tools.one_pass(parts, tmp_path / "whole", scene.write(tmp_path / "analyzed"))
    assert watch(tools, parts, tmp_path, monkeypatch, scene) == want
    assert want.late == 0
    rules = [tools.json.loads(text)["rule"]["id"] for text in want.alerts.values()]
    assert {"beaconing", "dns_tunnel", "port_scan", "intel", "suricata_alert"} <= set(rules)


def test_zeek_and_suricata_as_one_sensor(tools, parts, tmp_path, monkeypatch):
    """Zeek's logs that begin later than Suricata's events of the same kind."""
    scene = tools.zeek_scene(HOURS)
    eve = tools.eve_scene([("dns_tunnel", 0.1), *HOURS], alerts=6)
    scene.lines = sorted(scene.lines + eve.lines, key=lambda line: line[0])
    want = tools.one_pass(parts, tmp_path / "whole", scene.write(tmp_path / "analyzed"))
    assert watch(tools, parts, tmp_path, monkeypatch, scene) == want


def test_rows_later_than_any_sensor_writes_them_are_counted(tools, parts, tmp_path, monkeypatch):
    """So that the tests above can fail."""
    scene = tools.zeek_scene(ZEEK)
    rng = random.Random(1)
    held = [(at + 2 * tools.hour_us, name, line) for at, name, line in scene.lines if rng.random() < 0.02]
    scene.lines = sorted(held + [line for line in scene.lines if rng.random() < 0.5], key=lambda line: line[0])
    got = watch(tools, parts, tmp_path, monkeypatch, scene)
    assert got.late > 0
