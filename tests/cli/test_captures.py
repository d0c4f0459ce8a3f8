"""Captures on the command line: what is read, what is refused, what is kept."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aegis_enrich.capture import sensors

PCAPS = Path(__file__).parents[1] / "data" / "pcap"
SCAN = PCAPS / "scan_vertical.pcap.gz"


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No sensor is installed but what a test puts into this folder."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sensors, "PLACES", {"zeek": (), "suricata": ()})
    return tmp_path / "bin"


@pytest.fixture
def zeek(nowhere, lab, tmp_path):
    """A Zeek that writes the recorded logs of the scan whatever it reads, and notes that it ran."""

    def install(script="cat >/dev/null"):
        version = "case $1 in -v|--version) echo zeek version 8.0.10; exit;; esac"
        text = f"#!/bin/sh\nPATH=/bin:/usr/bin\n{version}\necho ran >>{tmp_path}/ran\n{script}\n"
        text += f"cp {lab}/scan_vertical/tsv/* .\n"
        (nowhere / "zeek").write_text(text, encoding="utf-8")
        (nowhere / "zeek").chmod(0o755)

    install()
    return install


@pytest.fixture
def runs(tmp_path):
    """How often Zeek ran."""
    return lambda: len((tmp_path / "ran").read_text().splitlines()) if (tmp_path / "ran").exists() else 0


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def found(ran):
    return [(a["rule"]["id"], a["source"]["ip"], a["observer"]["name"]) for a in ran.json["alerts"]]


def test_a_capture_gives_what_its_logs_give(aegis, lab, zeek, scratch):
    ran = aegis("analyze", SCAN, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json == aegis("analyze", lab / "scan_vertical/tsv", "--json").json
    assert list(scratch.iterdir()) == []


def test_several_and_folders_too(aegis, lab, zeek, runs):
    """Beside logs, captures are a sensor of their own: the same scan in both is not counted twice."""
    ran = aegis("analyze", SCAN, PCAPS / "scan_udp.pcap.gz", lab / "dns_tunnel/tsv", "--json")
    assert runs() == 2
    assert sorted(found(ran)) == [("dns_tunnel", "10.10.0.13", ["sensor"]), ("port_scan", "10.10.0.14", ["capture"])]


def test_a_named_sensor_s_capture(aegis, zeek):
    assert found(aegis("analyze", "--sensor", f"dmz={SCAN}", "--json")) == [("port_scan", "10.10.0.14", ["dmz"])]


def test_neither_is_installed(aegis, nowhere):
    ran = aegis("analyze", SCAN)
    assert ran.code == 1
    assert ran.err.startswith("aegis-enrich: neither Zeek nor Suricata is installed here; install Zeek 7.0 or newer")
    assert len(ran.err.splitlines()) == 1


def test_the_one_that_is_wanted_is_not(aegis, zeek):
    ran = aegis("analyze", SCAN, "--with", "suricata")
    assert ran.code == 1
    assert "Suricata is not installed here" in ran.err
    assert "or take --with zeek" in ran.err


def test_no_capture(aegis, zeek, runs, tmp_path):
    (tmp_path / "a.pcap").write_text("hello, world", encoding="utf-8")
    ran = aegis("analyze", SCAN, tmp_path / "a.pcap")
    assert (ran.code, runs()) == (1, 0)
    assert ran.err.startswith(f"aegis-enrich: {tmp_path / 'a.pcap'}: is no capture: it begins with 68 65 6c 6c")


def test_options_for_captures_without_one(aegis, lab):
    ran = aegis("analyze", lab / "scan_vertical/tsv", "--with", "zeek")
    assert ran.code == 2
    assert "--with and --load are for captures" in ran.err


def test_a_sensor_that_fails(aegis, zeek, scratch):
    zeek("echo fatal error: out of luck >&2; exit 7")
    ran = aegis("analyze", SCAN)
    assert ran.code == 1
    assert ran.err.endswith("ended with exit code 7: fatal error: out of luck\n")
    assert list(scratch.iterdir()) == []


def test_a_full_disk_is_named(aegis, zeek, monkeypatch, scratch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    zeek("exit 1")
    assert f"its logs go to {scratch}" in aegis("analyze", SCAN).err


def test_what_one_of_several_lacks_is_said_at_the_end(aegis, zeek, tmp_path):
    (tmp_path / "empty.pcap").write_bytes(gzip.decompress(SCAN.read_bytes())[:24])
    ran = aegis("analyze", tmp_path / "empty.pcap", SCAN, "--json")
    assert (ran.code, len(found(ran))) == (1, 1)
    assert ran.err == f"aegis-enrich: {tmp_path / 'empty.pcap'}: holds no packet, so there is nothing to analyze\n"


def test_a_cut_capture_is_a_warning(aegis, zeek, tmp_path):
    (tmp_path / "cut.pcap").write_bytes(gzip.decompress(SCAN.read_bytes())[:-1])
    ran = aegis("analyze", tmp_path / "cut.pcap", "--json")
    assert (ran.code, len(found(ran))) == (0, 1)
    assert (
        ran.err
        == f"warning: {tmp_path / 'cut.pcap'}: it is cut off after packet 2,003; what comes before is analyzed\n"
    )


def test_a_capture_of_which_nothing_is_written(aegis, zeek):
    zeek("cat >/dev/null; exit 0")
    ran = aegis("analyze", SCAN)
    assert ran.code == 1
    assert "its sensor wrote no log that AegisEnrich reads" in ran.err


def test_a_folder_of_captures(aegis, tmp_path):
    (tmp_path / "pcaps").mkdir()
    shutil.copy(SCAN, tmp_path / "pcaps")
    assert f"such as {tmp_path / 'pcaps' / SCAN.name}" in aegis("analyze", tmp_path / "pcaps").err


def test_watch_says_who_reads_captures(aegis, tmp_path):
    ran = aegis("watch", SCAN, "--state", tmp_path / "s")
    assert ran.code == 1
    assert "is a capture" in ran.err
    assert "`aegis-enrich analyze` reads captures" in ran.err


def test_a_state_reads_a_capture_once(aegis, zeek, runs, tmp_path):
    first = aegis("analyze", SCAN, "--json", "--state", tmp_path / "s")
    again = aegis("analyze", SCAN, "--json", "--state", tmp_path / "s")
    assert (runs(), again.json["rows"]) == (1, {})
    assert again.json["alerts"] == first.json["alerts"]
    assert again.err == f"{SCAN}: already analyzed into this state\n"
    assert not [c for c in aegis("doctor", "--json", "--state", tmp_path / "s").json if c["area"] == "sensor"]


def test_sigterm_ends_the_sensor_and_leaves_nothing(zeek, scratch, tmp_path):
    zeek(f"head -c 1 >/dev/null; echo $$ >{tmp_path}/pid; exec sleep 600")
    env = {**os.environ, "TMPDIR": str(scratch)}
    process = subprocess.Popen(
        [sys.executable, "-m", "aegis_enrich", "analyze", str(SCAN)], env=env, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
        assert process.poll() is None and time.monotonic() < until, process.communicate()[1]
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, "interrupted")
    assert list(scratch.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("name", ["zeek", "suricata"])
def test_a_real_sensor_finds_the_scan(aegis, name):
    if shutil.which(name) is None:
        pytest.skip(f"no {name} on PATH")
    ran = aegis("analyze", SCAN, "--with", name, "--json")
    assert [f for f in found(ran) if f[0] == "port_scan"] == [("port_scan", "10.10.0.14", ["sensor"])]
    assert json.dumps(ran.json).count("aegis-capture") == 0
