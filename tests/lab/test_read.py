"""Golden logs are read without times of their own, and are those that Zeek writes now."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from lab.derived import RECIPES
from lab.lab import SCENARIOS as RECORDED
from lab.read import BIG, ROOT, SCENARIOS, keep, read, timeless

DATA = ROOT / "tests" / "data"
STRETCHED = {"scan_slow_1min"}
LOG = b"#separator \\x09\n#open\t2026-11-25-20-20-36\n#fields\tts\n1.0\n#close\t2026-11-25-20-20-36\n"


def test_only_known_scenarios_are_read() -> None:
    assert set(SCENARIOS) - set(RECORDED) - set(RECIPES) == STRETCHED


def test_times_of_writing_go() -> None:
    assert timeless(LOG) == b"#separator \\x09\n#fields\tts\n1.0\n"


def test_big_logs_are_gzipped_and_the_other_form_goes(tmp_path: Path) -> None:
    source, target = tmp_path / "source.log", tmp_path / "conn.log"
    source.write_bytes(LOG)
    keep(source, target)
    assert target.read_bytes() == timeless(LOG)
    source.write_bytes(LOG + b"1.0\n" * BIG)
    keep(source, target)
    packed = tmp_path / "conn.log.gz"
    assert not target.exists() and gzip.decompress(packed.read_bytes()) == timeless(source.read_bytes())
    keep(source, target)
    assert packed.read_bytes()[4:8] == bytes(4)


def test_each_scenario_has_its_capture_and_its_logs() -> None:
    for name in SCENARIOS:
        assert (DATA / "pcap" / f"{name}.pcap.gz").is_file(), name
        assert list((DATA / "zeek" / name).glob("conn.log*")), name


@pytest.mark.skipif(shutil.which("zeek") is None, reason="no zeek on PATH")
@pytest.mark.parametrize("name", ["scan_horizontal", "loss_20_v6", "loss_20_span", "keepalive"])
def test_zeek_writes_the_golden_logs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.read.suricata", lambda capture, folder: (folder / "eve.json").touch())
    logs, scripts = SCENARIOS[name]
    read(DATA / "pcap" / f"{name}.pcap.gz", tmp_path / name, logs, scripts)
    written = {p.name: contents(p) for p in (tmp_path / name).iterdir() if not p.name.startswith("eve")}
    kept = {p.name: contents(p) for p in (DATA / "zeek" / name).iterdir() if not p.name.startswith("eve")}
    assert written == kept


def contents(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
