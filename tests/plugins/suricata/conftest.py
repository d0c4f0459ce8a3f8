"""Suricata with the project's configuration, on captures of the lab; skipped where there is none."""

from __future__ import annotations

import functools
import gzip
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "plugins" / "suricata"
DATA = ROOT / "tests" / "data"
BASES = [Path(p) / "suricata/suricata.yaml" for p in ("/etc", "/usr/local/etc", "/opt/homebrew/etc")]

Suricata = Callable[..., "subprocess.CompletedProcess[str]"]
Replay = Callable[..., Path]


@functools.cache
def missing() -> str:
    """Why Suricata cannot be run here; empty where it can."""
    if shutil.which("suricata") is None:
        return "no Suricata here; .ci/sensors installs it"
    said = subprocess.run(["suricata", "-V"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)", said)
    if not version or int(version[1]) < 7:
        return f"needs Suricata 7 or newer: {said.strip()}"
    return "" if any(b.is_file() for b in BASES) else "Suricata's own suricata.yaml is in none of the usual folders"


@pytest.fixture(scope="session")
def base() -> Path:
    """The configuration that came with Suricata."""
    if missing():
        pytest.skip(missing())
    return next(b for b in BASES if b.is_file())


@pytest.fixture(scope="session")
def suricata(base: Path) -> Suricata:
    """Runs Suricata with the project's configuration after the base's (`include`), and more options."""

    def run(*options: str | Path, config: Path = base, include: bool = True) -> subprocess.CompletedProcess[str]:
        included = ["--include", PLUGIN / "aegis.yaml"] if include else []
        command = ["suricata", "-c", config, *included, *options]
        return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120)

    return run


@pytest.fixture(scope="session")
def replay(suricata: Suricata, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """The folder of what Suricata wrote of a scenario's capture; each is read once."""

    @functools.cache
    def run(scenario: str, rules: Path = Path("/dev/null")) -> Path:
        folder = tmp_path_factory.mktemp(scenario)
        capture = folder / "capture.pcap"
        capture.write_bytes(gzip.decompress((DATA / "pcap" / f"{scenario}.pcap.gz").read_bytes()))
        done = suricata("-k", "none", "-S", rules, "-r", capture, "-l", folder)
        assert done.returncode == 0, done.stderr
        assert (folder / "eve.json").is_file(), done.stderr
        return folder

    return run
