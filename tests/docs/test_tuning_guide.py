"""What docs/tuning.md advises does what it says, over the recorded logs that it speaks of."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.cli import main

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "data" / "lab"
GUIDE = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the shipped rules."""
    return Path(shutil.copytree(ROOT / "rules", tmp_path / "rules"))


def alerts(capsys: pytest.CaptureFixture[str], scenario: str, rules: Path) -> list[dict[str, Any]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["analyze", str(LAB / scenario / "tsv"), "--rules", str(rules), "--json"])
    assert ended.value.code == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["alerts"]
    return found


def blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_scanner_is_suppressed(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    assert [a["event"]["severity"] for a in alerts(capsys, "scan_vertical", rules)] == [73]
    (block,) = [b for b in blocks() if b.startswith("# suppress.yml")]
    (rules / "suppress.yml").write_text(block, encoding="utf-8")
    assert alerts(capsys, "scan_vertical", rules) == []


def test_a_named_poller_is_low(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    before = alerts(capsys, "beacon_http_60s", rules)
    assert [(a["source"]["ip"], a["event"]["severity"]) for a in before] == [("10.10.0.12", 47)]
    rule = rules / "detectors" / "beaconing.yml"
    text = rule.read_text(encoding="utf-8")
    rule.write_text(text.replace("  pollers:\n", "  pollers:\n    - c2.test\n"), encoding="utf-8")
    assert [a["event"]["severity"] for a in alerts(capsys, "beacon_http_60s", rules)] == [21]


def test_the_suppressed_pair_is_silent(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    (block,) = [b for b in blocks() if b.startswith("suppress:")]
    rule = rules / "detectors" / "beaconing.yml"
    rule.write_text(rule.read_text(encoding="utf-8") + block, encoding="utf-8")
    assert alerts(capsys, "beacon_http_60s", rules) == []


def site(tmp_path: Path, **files: str) -> Path:
    """A folder of a site's own, which extends the shipped rules."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def block(beginning: str) -> str:
    (found,) = [b for b in blocks() if b.startswith(beginning)]
    return found


def test_a_scanner_is_hushed_at_night(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The recorded scan is of 00:20 UTC, which is 01:20 in Amsterdam."""
    hushed = block("# overrides.yml\nextends")
    assert alerts(capsys, "scan_vertical", site(tmp_path, overrides=hushed)) == []
    (tmp_path / "day").mkdir()
    by_day = site(tmp_path / "day", overrides=hushed.replace("22:00-06:00", "22:00-01:20"))
    assert len(alerts(capsys, "scan_vertical", by_day)) == 1


def test_what_matters_more(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The recorded scans are of 10.20.0.10, among the servers: high, by the map of its tactic critical; and medium."""
    networks = block("# networks.yml")
    folder = site(tmp_path, networks=networks, overrides=block("# overrides.yml: servers and guests"))
    assert [a["event"]["severity"] for a in alerts(capsys, "scan_vertical", folder)] == [99]
    assert [a["event"]["severity"] for a in alerts(capsys, "scan_slow", folder)] == [99]
    guests = networks.replace("servers: 10.20.0.0/16", "servers: 10.30.0.0/16").replace("10.99.0.0/16", "10.10.0.0/16")
    (folder / "networks.yml").write_text(guests, encoding="utf-8")
    assert [a["event"]["severity"] for a in alerts(capsys, "scan_slow", folder)] == [21]
    assert [a["event"]["severity"] for a in alerts(capsys, "scan_vertical", folder)] == [99]
