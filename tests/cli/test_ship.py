"""`aegis-enrich ship`: once, one at a time, and what it says."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from ship.conftest import rows

from aegis_enrich.cli.ship import command
from aegis_enrich.store import Rows, Store, common_lake

PATIENCE_S = 120.0


def in_lake(lake: Path) -> list[str]:
    return sorted(
        u for s in common_lake.segments(lake) for u in pq.read_table(s.path, columns=["uid"])["uid"].to_pylist()
    )


def test_one_at_a_time_and_it_ends_when_it_is_told_to(tmp_path):
    root = tmp_path / "state"
    with Store(root) as store:
        store.flush([Rows("conn", "s", rows(0))], [])
    command = [sys.executable, "-m", "aegis_enrich", "ship", "--state", str(root), "--to"]
    process = subprocess.Popen([*command, str(tmp_path / "lake"), "--every", "1h"])
    deadline_s = time.monotonic() + PATIENCE_S
    while not list((tmp_path / "lake").glob("*/manifest/*.jsonl")):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    second = subprocess.run([*command, str(tmp_path / "lake"), "--once"], capture_output=True, text=True, check=False)
    assert second.returncode == 1 and "is being shipped by another process" in second.stderr
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def invoke(*arguments: object):
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_once_and_dropping(tmp_path):
    with Store(tmp_path / "state") as store:
        store.flush([Rows("conn", "s", rows(0))], [])
    arguments = ["--state", tmp_path / "state", "--to", tmp_path / "lake"]
    assert "1 segments (" in invoke(*arguments, "--once").output
    assert "0 segments (" in invoke(*arguments, "--drop-before", "2030-01-01").output  # the state has them
    with Store(tmp_path / "state") as store, store.transaction() as tx:
        tx.execute("DELETE FROM segments")
    assert "1 segments (" in invoke(*arguments, "--drop-before", "2030-01-01").output
    assert in_lake(tmp_path / "lake") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--drop-before", "yesterday"], "write it as 2026-01-31"),
        (["--drop-derived"], "--drop-derived goes with --drop-before"),
        (["--every", "soon"], "is no length of time"),
    ],
)
def test_wrong_usage_is_said(tmp_path, arguments, said):
    result = invoke("--state", tmp_path, "--to", tmp_path / "lake", *arguments)
    assert result.exit_code == 2 and said in result.output


def test_a_state_without_rows_is_said(tmp_path):
    result = invoke("--state", tmp_path / "none", "--to", tmp_path / "lake", "--once")
    assert "holds no rows; run `aegis-enrich watch`" in str(result.exception)
