"""`watch`: once, live, and what it says where there is nothing or somebody else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scenes import read_log

from aegis_enrich.cli.watch import Span
from aegis_enrich.store import Store


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_once_reads_what_is_there_and_a_second_time_nothing(aegis, lab, tmp_path):
    for _ in range(2):
        ran = aegis("watch", lab / "scan_vertical/tsv", "--once", "--state", tmp_path / "s", "-o", tmp_path / "a")
        assert ran.code == 0
    told = [(d["source"]["ip"], d["aegis"]["revision"], "incident" in d["aegis"]) for d in lines(tmp_path / "a")]
    assert told == [("10.10.0.14", 1, False), ("10.10.0.14", 2, True)]


def test_once_on_a_folder_without_logs_is_an_error(aegis, tmp_path):
    ran = aegis("watch", tmp_path, "--once", "--state", tmp_path / "s")
    assert ran.code == 1
    assert "no log that AegisEnrich reads" in ran.err


def test_a_second_watch_is_told_who_holds_the_state(aegis, lab, tmp_path):
    with Store(tmp_path / "s"):
        ran = aegis("watch", lab / "scan_vertical/tsv", "--once", "--state", tmp_path / "s")
    assert ran.code == 1
    assert "is in use by process" in ran.err


def test_a_duration_ends_it_and_is_no_end_of_the_input(aegis, lab, tmp_path):
    ran = aegis("watch", lab / "scan_vertical/tsv", "--duration", "1s", "--state", tmp_path / "s")
    assert ran.code == 0
    assert aegis("alerts", "list", "--json", "--state", tmp_path / "s").json == []


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5h", 5400), ("2d", 172_800)])
def test_spans(text, seconds):
    assert Span().convert(text, None, None) == seconds


def test_a_wrong_span_is_wrong_usage(aegis, tmp_path):
    ran = aegis("watch", tmp_path, "--duration", "soon")
    assert ran.code == 2
    assert "write it like 90s, 15m, 24h or 7d" in ran.err


def test_live_it_waits_for_logs_alerts_on_a_row_and_ends_on_sigterm(lab, tmp_path):
    """A row rule's alert arrives while it runs: a Zeek notice needs no window to end."""
    logs, out = tmp_path / "logs", tmp_path / "a"
    logs.mkdir()
    command = [sys.executable, "-c", "from aegis_enrich.cli import main; main()", "watch", str(logs), "-o", str(out)]
    watch = subprocess.Popen([*command, "--state", str(tmp_path / "s")], stderr=subprocess.PIPE, text=True)
    try:
        assert watch.stderr is not None
        assert "waiting for the sensor to write" in watch.stderr.readline()
        now = time.time()
        notice = {
            "ts": now,
            "note": "Scan::Port_Scan",
            "msg": "scanned",
            "src": "10.0.0.1",
            "dst": "10.0.0.2",
            "actions": ["Notice::ACTION_LOG"],
        }
        (logs / "notice.log").write_text(json.dumps(notice) + "\n", encoding="utf-8")
        until = time.monotonic() + 60
        while not (out.exists() and out.read_text(encoding="utf-8")) and time.monotonic() < until:
            time.sleep(0.1)
        assert lines(out)[0]["source"]["ip"] == "10.0.0.1"
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(30) == 0
    finally:
        watch.kill()
        watch.communicate()


def test_live_a_row_of_the_scan_log_is_an_alert_within_seconds(lab, tmp_path):
    """No window is sealed, and conn says nothing yet."""
    logs, out, config = tmp_path / "logs", tmp_path / "a", tmp_path / "aegis.yml"
    logs.mkdir()
    config.write_text("flush: {seconds: 0.2, small_seconds: 60}\n", encoding="utf-8")
    command = [sys.executable, "-c", "from aegis_enrich.cli import main; main()", "watch", str(logs), "-o", str(out)]
    command += ["--state", str(tmp_path / "s"), "--config", str(config)]
    recorded = (lab.parent / "zeek" / "scan_vertical" / "aegis_scan.log").read_text(encoding="utf-8")
    *head, row = recorded.splitlines(keepends=True)
    now, cells = time.time(), row.split("\t")
    earlier = [f"{now - 9:.6f}", f"{now - 9:.6f}", "-", *cells[3:7], "overflow", *cells[8:]]
    with (logs / "aegis_scan.log").open("w", encoding="utf-8") as log:
        log.write("".join(head) + "\t".join(earlier))
        log.flush()
        watch = subprocess.Popen([*command], stderr=subprocess.PIPE, text=True)
        try:
            until = time.monotonic() + 60
            while not list((tmp_path / "s").glob("lake/aegis_scan/*/*.parquet")) and time.monotonic() < until:
                time.sleep(0.1)
            log.write("\t".join([f"{now - 5:.6f}", f"{now:.6f}", *cells[2:]]))
            log.flush()
            written = time.monotonic()
            while not (out.exists() and out.read_text(encoding="utf-8")) and time.monotonic() < until:
                time.sleep(0.1)
            seconds = time.monotonic() - written
            (alert,) = lines(out)
            assert (alert["rule"]["id"], alert["source"]["ip"]) == ("port_scan", "10.10.0.14")
            assert alert["aegis"]["evidence"]["ports"] == 1000
            assert seconds < 15, seconds
        finally:
            watch.send_signal(signal.SIGTERM)
            watch.communicate(timeout=60)


def test_a_start_on_a_known_state_leaves_the_archives_that_the_first_one_left(aegis, lab, tmp_path):
    """However the first one ended: the day before the newest archive is read, and nothing that is older."""
    current, days = tmp_path / "logs" / "current", [tmp_path / "logs" / f"2024-03-0{n}" for n in (1, 4, 5)]
    for folder, scenario in zip((current, *days), ("benign", "exfil", "dga", "icmp_sweep"), strict=True):
        folder.mkdir(parents=True)
        name = "conn.log" if folder == current else "conn.20:00:00-21:00:00.log"
        (folder / name).write_bytes(read_log(next((lab / scenario / "tsv").glob("conn.log*"))))
    for _ in range(2):
        ran = aegis("watch", tmp_path / "logs", "--duration", "1s", "--state", tmp_path / "s")
        assert ran.code == 0
    with Store(tmp_path / "s", read_only=True) as store:
        read = {Path(p.state.path).parent.name for p in store.progress()}
    assert read == {"current", "2024-03-04", "2024-03-05"}
