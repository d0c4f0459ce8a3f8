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
