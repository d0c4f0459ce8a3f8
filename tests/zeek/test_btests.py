"""The btests in this folder pass: what Zeek's scripts log of the captures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zeek") is None, reason="no zeek on PATH")
def test_btests(tmp_path: Path) -> None:
    """btest and its helpers lie beside Python; what they write goes to a copy."""
    for folder in ("tests/zeek", "tests/data/pcap", "zeek_scripts"):
        shutil.copytree(HERE.parents[1] / folder, tmp_path / folder, ignore=shutil.ignore_patterns(".*"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [str(Path(sys.executable).with_name("btest")), "-d"]
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=tmp_path / "tests" / "zeek", env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
