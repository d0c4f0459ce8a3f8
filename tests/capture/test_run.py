"""Sensors over captures: what goes wrong, with sensors that do so; and what they find, with those that are here."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from aegis_enrich.capture import Fed, Sensor, choose, run
from aegis_enrich.errors import CaptureError

SCAN = Path(__file__).parents[1] / "data" / "pcap" / "scan_vertical.pcap.gz"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.fixture
def capture(made, tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(made["pcap"](5_000))
    return path


def test_it_gets_the_capture_and_runs_in_the_folder(fake, capture, folder):
    assert run(fake("cat >copy"), capture, folder) == Fed(5_000)
    assert (folder / "copy").read_bytes() == capture.read_bytes()


def test_a_sensor_that_fails_is_told_of_with_its_last_error(fake, capture, folder):
    zeek = fake("cat >/dev/null; echo fatal error: no such thing >&2; echo bye; exit 3")
    with pytest.raises(CaptureError) as raised:
        run(zeek, capture, folder)
    assert str(raised.value) == f"{capture}: Zeek ({zeek.path}) ended with exit code 3: fatal error: no such thing"


def test_one_that_cannot_be_run(fake, capture, folder):
    zeek = fake("exit 0")
    zeek.path.write_bytes(b"\x7fELF of another machine")
    with pytest.raises(CaptureError, match="Exec format error"):
        run(zeek, capture, folder)


def test_one_that_never_reads_too(fake, capture, folder):
    with pytest.raises(CaptureError, match=r"ended with exit code 1: error in x\.zeek, line 3: unknown identifier"):
        run(fake("echo error in x.zeek, line 3: unknown identifier; exit 1"), capture, folder)


@pytest.mark.parametrize("said", ["", "echo last words;"])
def test_one_that_crashes(fake, capture, folder, said):
    with pytest.raises(CaptureError, match=f"was killed by SIGSEGV: {'last words' if said else 'it said nothing'}"):
        run(fake(f"{said} kill -SEGV $$"), capture, folder)


def test_one_that_reads_no_further(fake, capture, folder):
    assert "stopped reading" in run(fake("exit 0"), capture, folder).problem


def test_an_empty_capture_is_not_waited_for(fake, made, folder, tmp_path):
    (tmp_path / "a.pcap").write_bytes(made["pcap"](0))
    with pytest.raises(CaptureError, match="holds no packet, so there is nothing to analyze"):
        run(fake("cat >/dev/null; sleep 600"), tmp_path / "a.pcap", folder)


def test_an_interrupt_leaves_nothing_running(fake, capture, folder):
    zeek = fake("sleep 600 & echo $! >child; echo $$ >own; cat >/dev/null; wait")

    def interrupt(done: int, size: int) -> None:
        if (folder / "own").exists() and (folder / "own").read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(zeek, capture, folder, progress=interrupt)
    for name in ("own", "child"):
        assert _ends(int((folder / name).read_text(encoding="utf-8")))


def _ends(process: int) -> bool:
    """Whether a process that was killed is gone, or waits only for its parent to take note."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
    return False


@pytest.fixture(params=["zeek", "suricata"])
def sensor(request) -> Sensor:
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on PATH")
    return choose(request.param)


def test_a_real_one_writes_its_logs(sensor, folder):
    assert run(sensor, SCAN, folder, inside=["10.0.0.0/8", "fd00::/8"]) == Fed(2_004)
    assert (folder / {"zeek": "conn.log", "suricata": "eve.json"}[sensor.name]).stat().st_size > 50_000


def test_a_real_one_reads_a_cut_capture(sensor, folder, tmp_path):
    (tmp_path / "cut.pcap.gz").write_bytes(SCAN.read_bytes()[:20_000])
    fed = run(sensor, tmp_path / "cut.pcap.gz", folder)
    assert fed.problem == "it ends in the middle of its gzip stream"
    assert 500 < fed.packets < 2_000
    assert (folder / {"zeek": "conn.log", "suricata": "eve.json"}[sensor.name]).stat().st_size > 20_000


@pytest.mark.skipif(shutil.which("zeek") is None, reason="no zeek on PATH")
def test_zeek_s_uids_are_the_same_in_each_run(folder, tmp_path):
    (tmp_path / "again").mkdir()
    for place in (folder, tmp_path / "again"):
        run(choose("zeek"), SCAN, place)
    first, second = (
        [line for line in (place / "conn.log").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        for place in (folder, tmp_path / "again")
    )
    assert first == second != []
