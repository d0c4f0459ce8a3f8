"""Four sensors through four partitions to two `watch`, of which one is killed: each row once, alerts as from files."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aegis_enrich.store import Store

LAB = Path(__file__).parents[1] / "data" / "lab"
SENSORS = ("beacon_https_60s", "dns_tunnel", "scan_slow_1min", "scan_vertical")
ROWS = int(os.environ.get("AEGIS_KAFKA_ROWS", "6000"))  # the whole: 200000
KILLS = int(os.environ.get("AEGIS_KAFKA_KILLS", "3"))  # the whole: 10
PATIENCE_S = 180.0


class Watching:
    """A `watch` of a topic, as a process over its state."""

    def __init__(self, folder: Path, broker: str, topic: str, name: str) -> None:
        self.state, self.output, self.log = folder / name, folder / f"{name}.ndjson", folder / f"{name}.log"
        self.arguments = ["watch", f"kafka://{broker}/{topic}", "--config", str(folder / "config.yml")]
        self.arguments += ["--state", str(self.state), "-o", str(self.output)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as said:
            command = [sys.executable, "-m", "aegis_enrich", "-v", *self.arguments]
            self.process = subprocess.Popen(command, stdout=said, stderr=said)

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def has(self, partitions: int) -> bool:
        return f": {partitions} partitions: " in (self.log.read_text() if self.log.exists() else "")

    def rows(self) -> int:
        try:
            with closing(Store(self.state, read_only=True)) as store:
                return int(store.query("SELECT coalesce(sum(rows), 0) FROM logs")[0][0])
        except Exception:  # noqa: BLE001  it is just being made
            return 0


def until(what, reached) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.2)


def lab_messages():
    """The four scenarios as tagged messages, by time, with what a sensor's log holds left as it is."""
    found = []
    for partition, sensor in enumerate(SENSORS):
        for path in sorted((LAB / sensor / "json").iterdir()):
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            name = path.name.partition(".")[0].encode()
            for line in text.splitlines():
                value = b'{"' + name + b'": ' + line + b"}"
                found.append((json.loads(line)["ts"], partition, sensor.encode(), value))
    found.sort(key=lambda m: m[0])
    return found[0][0], [m[1:] for m in found]


def filling(count, until_s):
    """Connections before those of the lab."""
    for i in range(count):
        row = {
            "ts": until_s - (count - i) * 0.05,
            "uid": f"C{i}",
            "id.orig_h": f"10.{i % 4}.0.{i % 200}",
            "id.orig_p": 1024,
        }
        row |= {"id.resp_h": f"198.51.100.{i % 250}", "id.resp_p": 443, "proto": "tcp", "conn_state": "SF"}
        row |= {"duration": 0.2, "orig_bytes": 500, "resp_bytes": 900, "history": "ShADadFf", "orig_pkts": 6}
        yield i % 4, SENSORS[i % 4].encode(), json.dumps({"conn": row}).encode()


def run(*arguments: object) -> None:
    command = [sys.executable, "-m", "aegis_enrich", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def uids(state: Path) -> Counter[tuple[str, str, str]]:
    """How often each row is there, by sensor, table and id."""
    found: Counter[tuple[str, str, str]] = Counter()
    with closing(Store(state, read_only=True)) as store:
        for segment in store.living("derived = 0", ()):
            schema = pq.read_schema(segment.path)
            columns = [c for c in ("uid", "fuid", "id", "ts", "query") if c in schema.names]
            for row in pq.read_table(segment.path, columns=columns).to_pylist():
                found[segment.sensor, segment.table, str(list(row.values()))] += 1
    return found


def alerts(*outputs: Path) -> dict[str, dict]:
    """The newest revision of each alert, without what tells of the run."""
    newest: dict[str, dict] = {}
    for output in outputs:
        for line in output.read_text().splitlines():
            document = json.loads(line)
            if document["event"]["kind"] == "alert":
                newest[document["event"]["id"]] = document
    for document in newest.values():
        for key in ("revision", "status", "incident", "told"):
            document["aegis"].pop(key, None)
        for key in ("created", "ingested"):
            document["event"].pop(key, None)
    return newest


@pytest.mark.slow
def test_rows_are_there_once_and_alerts_are_as_from_files(tmp_path, broker, topic, send):
    (tmp_path / "config.yml").write_text("flush: {seconds: 1, small_seconds: 1}\n")
    name = topic(4)
    watches = [Watching(tmp_path, broker, name, of) for of in "ab"]
    for watch in watches:
        watch.start()
    until("both have partitions", lambda: all(w.has(2) for w in watches))

    begun_s, lab = lab_messages()
    messages = [*filling(ROWS - len(lab), begun_s), *lab]
    for kill in range(KILLS):
        send(name, iter(messages[len(messages) * kill // KILLS : len(messages) * (kill + 1) // KILLS]))
        before = watches[0].rows()
        until("it reads", lambda before=before: watches[0].rows() > before)
        assert watches[0].end(signal.SIGKILL) == -signal.SIGKILL
        watches[0].start()
    until("all rows are committed", lambda: sum(w.rows() for w in watches) >= len(messages))
    until("it is up again", lambda: watches[0].log.read_text().count("watching kafka://") == KILLS + 1)
    for watch in watches:
        assert watch.end(signal.SIGTERM) == 0
        run(*watch.arguments, "--once")

    by_sensor: dict[str, list] = {sensor: [] for sensor in SENSORS}
    for _, sensor, value in messages:
        by_sensor[sensor.decode()].append(value)
    arguments: list[object] = []
    for sensor, values in by_sensor.items():
        folder = tmp_path / "files" / sensor
        folder.mkdir(parents=True)
        for value in values:
            tag, _, line = value[2:-1].partition(b'": ')
            with (folder / f"{tag.decode()}.log").open("ab") as file:
                file.write(line + b"\n")
        arguments += ["--sensor", f"{sensor}={folder}"]
    run("watch", "--once", *arguments, "--state", tmp_path / "c", "-o", tmp_path / "c.ndjson")

    assert sum((uids(w.state) for w in watches), Counter()) == uids(tmp_path / "c")
    from_files = alerts(tmp_path / "c.ndjson")
    assert len({d["rule"]["id"] for d in from_files.values()}) >= 3
    assert alerts(*(w.output for w in watches)) == from_files
