"""Busy, odd and harmless: nothing of 47 or more. All of it is made up; what real networks do is in the golden tests."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from adversarial import made
from adversarial.made import told

from aegis_enrich.config import shipped_rules

DATA = Path(__file__).resolve().parents[1] / "data"


def lines(path: Path) -> list[str]:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8", "surrogateescape").splitlines()


def logs(folder: Path) -> dict[str, list[str]]:
    return {p.name.removesuffix(".gz"): lines(p) for p in sorted(folder.glob("*.log*")) if "eve" not in p.name}


def put(folder: Path, found: dict[str, list[str]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in found.items():
        (folder / name).write_text("\n".join(text) + "\n", encoding="utf-8", errors="surrogateescape")
    return folder


def test_a_day_of_one_busy_server(tmp_path, analyze):
    random = np.random.default_rng(1)
    clients = [f"{a}.{b}.{c}.{d}" for a, b, c, d in random.integers((11, 1, 1, 1), (99, 250, 250, 250), (4000, 4))]
    ts = made.through_the_day(random, 200_000, 24)
    rows = made.connections(random, ts, clients, [("10.20.0.5", 443)], failed=0.04)
    made.write(tmp_path, "conn", rows.assign(local_orig="F", local_resp="T"))
    assert told(analyze(tmp_path)) == []


def test_a_translator_with_5000_clients_behind_it(tmp_path, analyze):
    random = np.random.default_rng(2)
    domains = made.names(random, 3000)
    servers = [(f"198.51.{n % 200}.{n % 250 + 1}", 443 if n % 5 else 80) for n in range(2000)]
    times = made.START_S + np.sort(random.uniform(0, 3 * 3600, 150_000))
    made.write(tmp_path, "conn", made.connections(random, times, ["10.0.0.1"], servers))
    made.write(tmp_path, "dns", made.lookups(random, times[::2], ["10.0.0.1"], domains))
    assert told(analyze(tmp_path)) == []


def test_a_scanner_that_is_known_and_wanted(tmp_path, analyze):
    rules = tmp_path / "rules"
    shutil.copytree(shipped_rules(), rules)
    (rules / "suppress.yml").write_text(
        "- {reason: our own vulnerability scanner, expires: 2027-12-31, where: {orig_h: 10.10.0.14}}\n"
    )
    for scenario in ("scan_vertical", "scan_horizontal", "icmp_sweep"):
        assert told(analyze(DATA / "lab" / scenario / "tsv")) != []
        assert told(analyze(DATA / "lab" / scenario / "tsv", rules=rules), least=0) == []


ADDRESS = re.compile(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\d.])")


def in_v6(match: re.Match[str]) -> str:
    net = "fd00:" if match[1] == "10" else "2a00:"
    return f"{net}{match[1]}:{match[2]}:{match[3]}::{match[4]}"


@pytest.mark.parametrize(
    "scenario",
    [
        "scan_vertical",
        "scan_horizontal",
        "ssh_bruteforce",
        "dga",
        "dns_tunnel",
        "exfil_small",
        "beacon_http_60s",
        "syn_flood",
    ],
)
def test_ipv6_only(scenario, tmp_path, analyze):
    """The same acts between addresses of IPv6 give alerts of the same rules and severities."""
    plain = DATA / "lab" / scenario / "tsv"
    moved = {name: [ADDRESS.sub(in_v6, line) for line in text] for name, text in logs(plain).items()}
    found = analyze(put(tmp_path / "v6", moved))
    assert [t[:2] for t in told(found)] == [t[:2] for t in told(analyze(plain))] != []
    assert all(":" in a["source"]["ip"] for a in found if "source" in a)


def shifted(text: list[str], seconds: float, since: int) -> list[str]:
    """The rows from a place on at another time, as after a jump of the sensor's clock."""
    head = [line for line in text if line.startswith("#")]
    rows = [line.split("\t", 1) for line in text if not line.startswith("#")]
    later = len(rows) * since // 10
    moved = [f"{float(ts) + (seconds if n >= later else 0):.6f}\t{rest}" for n, (ts, rest) in enumerate(rows)]
    return [*(line for line in head if not line.startswith("#close")), *moved]


@pytest.mark.parametrize("seconds", [-7200.0, 86_400.0, -1.7e9])
def test_a_clock_that_jumps(seconds, tmp_path, analyze):
    """An hour of nothing, with a clock that jumps in its middle, stays nothing; a scan after it is found as ever."""
    hour = {name: shifted(text, seconds, 5) for name, text in logs(DATA / "zeek" / "benign_hour").items()}
    assert told(analyze(put(tmp_path / "hour", hour))) == []
    scan = logs(DATA / "lab" / "scan_vertical" / "tsv")["conn.log"]
    rows = [line for line in shifted(scan, seconds, 0) if not line.startswith("#")]
    plain = logs(DATA / "lab" / "benign" / "tsv")["conn.log"]
    both = [*(line for line in plain if not line.startswith("#close")), *rows]
    assert [t[0] for t in told(analyze(put(tmp_path / "scan", {"conn.log": both})))] == ["port_scan"]
