"""A `watch` that feeds a real Elasticsearch from a log that grows at a given rate: how far behind it is, and how soon
an alert of a row rule is there."""

from __future__ import annotations

import itertools
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import made
from measured import Peak

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from elasticsearch_server import Server, running

TICK_S = 0.05  # between two writes to the log
SAMPLE_S = 0.1  # between two looks at what is read, committed and indexed: no figure is finer
MARKS_S = 3.0  # between two rows that a row rule is to tell of; each makes the watch commit at once
INDICATOR = "198.51.100.66"
START_S, DRAIN_S = 60.0, 60.0
PASSING = (AssertionError, OSError, sqlite3.OperationalError)
_READ = re.compile(r'^aegis_read_rows_total\{.*log="conn".*\} (\S+)$', re.MULTILINE)


@dataclass
class Feed:
    """What was written by when, in the order of time."""

    times: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)  # in all
    marks: dict[str, float] = field(default_factory=dict)  # client to when its row was written

    def unread_since(self, done: int, now: float) -> float:
        """For how long the first row after `done` has lain there; 0 where there is none."""
        at = bisect_right(self.rows, done)
        return max(0.0, now - self.times[at]) if at < len(self.times) else 0.0


@dataclass
class Seen:
    """What was read and committed at which time, and when the document of each marked row was there."""

    read: list[tuple[float, int]] = field(default_factory=list)
    committed: list[tuple[float, int]] = field(default_factory=list)
    indexed: dict[str, float] = field(default_factory=dict)


def live(folder: Path, *, rows_per_s: int, seconds: float, networks: int, version: str) -> dict[str, Any]:
    """Figures of one run; raises Unavailable where there is no Elasticsearch, RuntimeError where the watch ends."""
    rows = int(rows_per_s * seconds)
    log = made.write(folder / "live.log", rows, hours=seconds / made.HOUR_S, networks=networks, start_s=time.time())
    logs, state = folder / "live", folder / "live.state"
    logs.mkdir()
    with running(version) as server, _watching(folder, logs, state, server) as (process, metrics):
        feed, seen, over = Feed(), Seen(), threading.Event()
        failed: list[Exception] = []
        looks = [
            _each(lambda: _note_read(metrics, seen), over, failed),
            _each(lambda: _note_indexed(server, seen), over, failed),
            _each(_committed(state / "state.db", seen), over, failed),
        ]
        peak = Peak(process.pid)
        feeder = threading.Thread(target=_grow, args=(log, logs / "conn.log", rows_per_s, feed), daemon=True)
        feeder.start()
        limit = time.monotonic() + seconds + DRAIN_S
        while feeder.is_alive() or (_left(feed, seen) and time.monotonic() < limit):
            if failed:
                raise failed[0]
            if process.poll() is not None:
                raise RuntimeError(f"watch ended with {process.returncode}; see {folder / 'live.txt'}")
            peak.sample()
            time.sleep(SAMPLE_S)
        over.set()
        for look in looks:
            look.join()
    return {"rows": feed.rows[-1], "seconds": seconds, **_figures(feed, seen), "rss_mb": peak.mb, "cpu_s": peak.cpu_s}


def _left(feed: Feed, seen: Seen) -> bool:
    committed = seen.committed[-1][1] if seen.committed else 0
    return committed < feed.rows[-1] or len(seen.indexed) < len(feed.marks)


def _figures(feed: Feed, seen: Seen) -> dict[str, float]:
    """In seconds: how long the oldest unread row has waited, at each look; how long rows waited for their commit, at
    each write; and how long it took from a marked row to its document."""
    end = feed.times[-1]
    read = [feed.unread_since(done, at) for at, done in seen.read if feed.times[0] <= at <= end]
    done = [rows for _, rows in seen.committed]
    commits = [
        seen.committed[at][0] - written
        for written, rows in zip(feed.times, feed.rows, strict=True)
        if (at := bisect_left(done, rows)) < len(done)
    ]
    alerts = [seen.indexed[who] - written for who, written in feed.marks.items() if who in seen.indexed]
    told = {"read_lag": read, "commit_lag": commits, "alert": alerts}
    figures = {f"{what}_{name}_s": value for what, values in told.items() for name, value in _spread(values).items()}
    offered = feed.rows[-1] / (end - feed.times[0])
    return {"rows_per_s": offered, **figures, "marks": len(feed.marks), "missing": len(feed.marks) - len(alerts)}


def _spread(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values) or [float("nan")]
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[int(0.99 * (len(ordered) - 1))], "max": ordered[-1]}


def _grow(log: Path, grown: Path, rows_per_s: int, feed: Feed) -> None:
    """Whole lines, as Zeek writes them, a few times a second; and now and then one that an indicator is in."""
    marks, fields = itertools.count(), made.templates()[0].split("#fields\t")[1].split("\n")[0].split("\t")
    with log.open("rb") as source, grown.open("ab", buffering=0) as file:
        due = mark_due = time.monotonic()
        total = 0
        while lines := list(itertools.islice(source, int(rows_per_s * TICK_S))):
            total += sum(not line.startswith(b"#") for line in lines)
            who = ""
            if due >= mark_due:
                who, mark_due = _client(next(marks)), mark_due + MARKS_S
                lines.append(_mark(fields, who))
                total += 1
            file.write(b"".join(lines))
            now = time.monotonic()
            feed.times.append(now)
            feed.rows.append(total)
            if who:
                feed.marks[who] = now
            due += TICK_S
            time.sleep(max(0.0, due - time.monotonic()))


def _client(number: int) -> str:
    return f"10.200.{number // 250}.{number % 250 + 1}"


def _mark(fields: Sequence[str], client: str) -> bytes:
    known = {"ts": f"{time.time():.6f}", "uid": f"CMark{client.replace('.', '')}", "id.orig_h": client}
    known |= {"id.orig_p": "50000", "id.resp_h": INDICATOR, "id.resp_p": "443", "proto": "tcp", "conn_state": "SF"}
    return ("\t".join(known.get(name, "-") for name in fields) + "\n").encode()


@contextmanager
def _watching(folder: Path, logs: Path, state: Path, server: Server) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A watch that is ready, and the URL of its metrics; ended at the end."""
    (folder / "live.intel.txt").write_text(f"{INDICATOR}\n", encoding="utf-8")
    config = folder / "live.yml"
    port = free_port()
    settings = {"elasticsearch": {"url": server.url}, "intel": [str(folder / "live.intel.txt")]}
    config.write_text(json.dumps(settings), encoding="utf-8")
    ours = [sys.executable, "-m", "aegis_enrich"]
    subprocess.run([*ours, "setup", "elasticsearch", "--config", str(config)], check=True, stdout=subprocess.DEVNULL)
    command = [*ours, "watch", str(logs), "--state", str(state), "--config", str(config), "--metrics", f":{port}"]
    with (folder / "live.txt").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            _await_ready(process, f"http://127.0.0.1:{port}/readyz")
            yield process, f"http://127.0.0.1:{port}/metrics"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _await_ready(process: subprocess.Popen[bytes], url: str) -> None:
    limit = time.monotonic() + START_S
    while time.monotonic() < limit and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(SAMPLE_S)
        else:
            return
    raise RuntimeError("watch is not ready")


def _each(look: Callable[[], None], over: threading.Event, failed: list[Exception]) -> threading.Thread:
    """Looks again and again, until it is over or a look fails other than by what passes."""

    def run() -> None:
        while not over.wait(SAMPLE_S):
            try:
                look()
            except PASSING:  # an index that is being made answers 503, a busy server late
                continue
            except Exception as error:  # noqa: BLE001  raised where it is seen
                failed.append(error)
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _note_read(url: str, seen: Seen) -> None:
    with urllib.request.urlopen(url, timeout=30) as answer:
        now, text = time.monotonic(), answer.read().decode()
    seen.read.append((now, rows_read(text)))


def rows_read(metrics: str) -> int:
    """The rows of conn.log that a watch has read, by its metrics."""
    return int(sum(map(float, _READ.findall(metrics))))


def free_port() -> int:
    """One that nobody listens at just now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _committed(database: Path, seen: Seen) -> Callable[[], None]:
    def look() -> None:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            done = connection.execute("SELECT coalesce(sum(rows), 0) FROM logs").fetchone()[0]
        seen.committed.append((time.monotonic(), done))

    return look


def _note_indexed(server: Server, seen: Seen) -> None:
    """The clients of the row rule's alerts that a search finds, after a refresh."""
    server.call("POST", "/aegis-alerts-*/_refresh")
    query = {"term": {"rule.id": "intel"}}
    body = {"size": 200, "query": query, "_source": ["source.ip"], "sort": [{"@timestamp": "desc"}]}
    found = server.call("POST", "/aegis-alerts-*/_search", body)
    now = time.monotonic()
    for hit in found["hits"]["hits"] if found else ():
        seen.indexed.setdefault(hit["_source"]["source"]["ip"], now)
