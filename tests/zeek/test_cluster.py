"""Two workers' halves of a scan become one picture: in the row of a cluster's proxy, or else in the engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from zeek.cluster import alone, in_parts, together

CAPTURES = Path(__file__).parents[1] / "data" / "pcap"
SUMMED = ("attempts", "refused", "half_open", "unanswered")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("zeek") is None, reason="no zeek on PATH")]


def sums(rows: list[dict[str, Any]], names: tuple[str, ...] = SUMMED) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in names}


@pytest.mark.parametrize("backend", ["broker", "zeromq"])
@pytest.mark.parametrize("scenario", ["scan_vertical", "scan_horizontal"])
def test_halves_are_one_row(tmp_path: Path, backend: str, scenario: str) -> None:
    capture = CAPTURES / f"{scenario}.pcap.gz"
    expected = alone(capture, tmp_path / "alone")
    (row,) = together(capture, tmp_path, backend, sums(expected)["attempts"])
    assert row.pop("node") == "proxy-1"
    varying = ("node", "sample")
    assert {k: v for k, v in row.items() if k not in varying} == {
        k: v for k, v in expected[0].items() if k not in varying
    }


@pytest.mark.parametrize("backend", ["broker", "zeromq"])
def test_two_rows_are_one_alert(tmp_path: Path, backend: str) -> None:
    """The proxy has gone before the second half is seen: the manager writes a row of it."""
    capture = CAPTURES / "scan_vertical.pcap.gz"
    expected = sums(alone(capture, tmp_path / "alone"))
    rows = in_parts(capture, tmp_path, backend, expected["attempts"])
    assert sorted(row["node"] for row in rows) == ["manager", "proxy-1"]
    assert all(row["attempts"] < expected["attempts"] for row in rows) and sums(rows) == expected

    logs = tmp_path / "logs"
    logs.mkdir()
    shutil.copy(tmp_path / "logger-1" / "aegis_scan.log", logs)
    command = [sys.executable, "-m", "aegis_enrich", "analyze", str(logs), "-o", str(tmp_path / "alerts.ndjson")]
    subprocess.run(command, check=True, capture_output=True)
    (alert,) = [json.loads(line) for line in (tmp_path / "alerts.ndjson").read_text().splitlines()]
    assert alert["rule"]["id"] == "port_scan"
    evidence = alert["aegis"]["evidence"]
    assert (evidence["attempts"], evidence["ports"], evidence["nodes"]) == (expected["attempts"], 1000, 2)
