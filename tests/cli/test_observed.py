"""SIGHUP on a real `watch`: what is taken up, what is refused, what takes a restart; and an end within its bound."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from aegis_enrich.cli.observed import differing
from aegis_enrich.config import shipped_rules

MAIN = "from aegis_enrich.cli import main; main()"


@pytest.fixture
def watching(tmp_path):
    """A `watch` with rules and a configuration of its own; what it says, as it grows."""
    rules, logs, config = tmp_path / "rules", tmp_path / "logs", tmp_path / "aegis.yml"
    (rules / "detectors").mkdir(parents=True)
    shutil.copy(shipped_rules() / "detectors" / "port_scan.yml", rules / "detectors")
    shutil.copy(shipped_rules() / "networks.yml", rules)
    logs.mkdir()
    config.write_text(f"rules: {rules}\nidle_after_s: 600\n", encoding="utf-8")
    err = tmp_path / "err"
    command = [sys.executable, "-c", MAIN, "watch", str(logs), "--state", str(tmp_path / "s"), "--config", str(config)]
    with err.open("wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stream)

    def said(wanted: str) -> str:
        until_s = time.monotonic() + 90
        while wanted not in err.read_text(encoding="utf-8"):
            assert process.poll() is None and time.monotonic() < until_s, err.read_text(encoding="utf-8")
            time.sleep(0.05)
        return err.read_text(encoding="utf-8")

    said("waiting for the sensor")
    process.said, process.root = said, tmp_path
    yield process
    process.kill()
    process.wait()


def test_sighup_says_what_is_in_force(watching):
    watching.send_signal(signal.SIGHUP)
    told = watching.said("row rules are in force")
    assert "reload: lists are as they were" in told
    assert "reload: 1 detectors and 0 row rules are in force" in told
    assert "restart" not in told


def test_sighup_refuses_rules_that_do_not_check_and_says_which_setting_takes_a_restart(watching):
    (watching.root / "rules" / "detectors" / "port_scan.yml").write_text("enabled: perhaps\n", encoding="utf-8")
    config = watching.root / "aegis.yml"
    config.write_text(config.read_text(encoding="utf-8").replace("600", "300") + "elasticsearch: {password: x}\n")
    watching.send_signal(signal.SIGHUP)
    told = watching.said("what is on the disk is refused")
    assert "reload: 1 detectors and 0 row rules are in force; what is on the disk is refused:" in told
    assert f"reload: {config}: idle_after_s was changed; it takes a restart" in told
    assert "elasticsearch.password was changed" in told and "password: x" not in told
    watching.send_signal(signal.SIGTERM)
    assert watching.wait(60) == 0


def test_sighup_takes_up_lists_at_once_and_says_where_the_next_start_would_fail(watching):
    (watching.root / "rules" / "networks.yml").write_text("internal: [192.0.2.0/24]\n", encoding="utf-8")
    (watching.root / "aegis.yml").write_text("idle_after: 3\n", encoding="utf-8")
    watching.send_signal(signal.SIGHUP)
    told = watching.said("row rules are in force")
    assert "reload: lists renewed" in told or "could not take up its files" in told
    assert (
        "the configuration does not check, so the next start would fail" in told
        and "unknown setting idle_after" in told
    )


def test_a_port_that_is_taken_is_said_before_anything_is_done(aegis, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = aegis("watch", tmp_path, "--metrics", f":{port}", "--state", tmp_path / "s")
    assert ran.code == 1
    assert f"127.0.0.1:{port}: cannot listen" in ran.err
    assert not (tmp_path / "s").exists()


def test_metrics_of_a_run_that_ends_are_wrong_usage(aegis, tmp_path):
    ran = aegis("watch", tmp_path, "--once", "--metrics", ":0")
    assert ran.code == 2
    assert "--once ends before anybody asks" in ran.err


def test_what_only_a_listener_needs_is_imported_for_one_only():
    code = "import sys, aegis_enrich.cli.watch; print([m for m in sys.modules if m.startswith('prometheus_client')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_names_of_settings_that_differ():
    one = {"a": 1, "b": {"c": 2, "d": [1]}, "e": 5}
    assert list(differing(one, {**one, "b": {"c": 3, "d": [1]}, "e": None})) == ["b.c", "e"]
    assert list(differing(one, dict(one))) == []


@pytest.mark.slow
def test_sigterm_ends_it_in_30_s_though_a_sink_hangs(tmp_path):
    """A webhook that takes the request and never answers; what is not delivered is said and stays in the outbox."""
    logs, out = tmp_path / "logs", tmp_path / "err"
    logs.mkdir()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        taken = threading.Event()

        def take() -> None:
            held = []
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return
                taken.set()

        threading.Thread(target=take, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        notice = {"ts": time.time(), "note": "Scan::Port_Scan", "msg": "x", "src": "10.0.0.1", "dst": "10.0.0.2"}
        (logs / "notice.log").write_text(json.dumps({**notice, "actions": ["Notice::ACTION_LOG"]}) + "\n")
        command = [sys.executable, "-c", MAIN, "watch", str(logs), "--state", str(tmp_path / "s"), "--es", url]
        with out.open("wb") as stream:
            watch = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
        try:
            assert taken.wait(90), out.read_text(encoding="utf-8")
            begun_s = time.monotonic()
            watch.send_signal(signal.SIGTERM)
            code = watch.wait(60)
            assert time.monotonic() - begun_s < 30
            assert code == 1
            assert "not delivered" in out.read_text(encoding="utf-8")
        finally:
            watch.kill()
            watch.wait()
