"""A live `watch` with several sinks: one that hangs holds up no other, nor the end of the process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time

import pytest
from scripted_server import Answer, serving

from aegis_enrich.store import Store


@pytest.fixture
def watching(tmp_path):
    """Starts `watch` over one notice, which is an alert at once, with these entries under `plugins`; the process, and
    its NDJSON file."""
    running = []
    notice = {"ts": time.time(), "note": "Scan::Port_Scan", "msg": "scanned", "src": "10.0.0.1", "dst": "10.0.0.2"}
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notice.log").write_text(json.dumps(notice) + "\n", encoding="utf-8")

    def start(**plugins):
        path = tmp_path / "aegis.yml"
        settings = {"plugins": plugins, "output": str(tmp_path / "out.ndjson")}
        path.write_text(json.dumps(settings))
        command = [sys.executable, "-m", "aegis_enrich", "watch", str(tmp_path / "logs")]
        running.append(
            subprocess.Popen([*command, "--config", path, "--state", tmp_path / "s"], stderr=subprocess.PIPE, text=True)
        )
        return running[-1], tmp_path / "out.ndjson"

    yield start
    for process in running:
        process.kill()
        process.communicate()


def until(there, process, seconds=60):
    end_s = time.monotonic() + seconds
    while not there():
        assert process.poll() is None and time.monotonic() < end_s, process.poll()
        time.sleep(0.05)


def hook(server, **settings):
    return {"sink": "webhook", "url": server.url, "allow_http": True, "least_severity": "low", **settings}


def test_one_that_hangs_holds_up_no_other_nor_the_end(watching, tmp_path):
    ever = threading.Event()
    with (
        serving(lambda request: Answer(200, late=ever)) as hanging,
        serving(lambda request: Answer(200)) as good,
    ):
        process, output = watching(hangs=hook(hanging, timeout_s=120), good=hook(good, secret="s"))
        try:
            until(lambda: hanging.requests and good.requests and output.stat().st_size, process)
            process.send_signal(signal.SIGTERM)
            begun_s = time.monotonic()
            _, said = process.communicate(timeout=60)
            assert time.monotonic() - begun_s < 30
        finally:
            ever.set()
    assert process.returncode == 1 and "it does not answer; they go out at the next start" in said
    assert "Traceback" not in said
    (first,) = good.requests
    assert first.json["event"] == "open" and "x-aegis-signature" in first.headers
    with Store(tmp_path / "s", read_only=True) as store:
        cursors = dict(store.query("SELECT sink, position FROM cursors"))
    assert sorted(key.split(":")[0] for key, position in cursors.items() if position) == ["good", "ndjson"]


def test_refused_documents_go_again_while_it_runs(watching, tmp_path, aegis):
    mended = threading.Event()
    with serving(lambda request: Answer(200 if mended.is_set() else 422)) as server:
        process, _ = watching(chat=hook(server))
        state = tmp_path / "s"

        def letters():
            ran = aegis("deadletter", "list", "--each", "--state", state, "--json")
            return ran.json if ran.code == 0 else []  # the state is just being made

        until(letters, process)
        mended.set()
        ran = aegis("deadletter", "replay", "--all", "--state", state)
        assert ran.code == 0 and "the running `watch` sends them" in ran.out
        until(lambda: not letters(), process)
    assert server.requests[0].json["delivery"] == server.requests[-1].json["delivery"]
