"""A log that grows while `aegis-enrich watch` follows it, and how fast its rows become durable."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from measured import Peak

LIMIT_S = 600.0
BLOCK_BYTES = 2**20
MOST = 0.9


@dataclass(frozen=True)
class Grown:
    """`rows_per_s`: from the first byte written until 90 % of the rows were committed: what is left is waited for."""

    rows_per_s: float
    rss_mb: float
    commits: int
    stop_s: float


def watch(folder: Path, log: Path, rows: int, config: Path, *, offered: float) -> Grown:
    """Writes the log anew at `offered` rows/s while a watch reads it; raises RuntimeError where that does not end."""
    logs, state = folder / "grows", folder / "grows.state"
    logs.mkdir()
    every_s = rows / offered * BLOCK_BYTES / log.stat().st_size
    command = [sys.executable, "-m", "aegis_enrich", "watch", str(logs), "--state", str(state), "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (state / "state.db").exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(1.0)
        begun = time.monotonic()
        threading.Thread(target=_grow, args=(log, logs / "conn.log", every_s), daemon=True).start()
        commits, peak = _committed(process, state / "state.db", rows, begun)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    seconds, done = next(c for c in commits if c[1] >= MOST * rows)
    return Grown(done / seconds, peak.mb, len(commits), time.monotonic() - asked)


def _grow(log: Path, grown: Path, every_s: float) -> None:
    """In blocks of bytes: the last line is mostly a part of one."""
    with log.open("rb") as source, grown.open("ab", buffering=0) as file:
        due = time.monotonic()
        while block := source.read(BLOCK_BYTES):
            file.write(block)
            due += every_s
            time.sleep(max(0.0, due - time.monotonic()))


def _committed(
    process: subprocess.Popen[bytes], database: Path, rows: int, begun: float
) -> tuple[list[tuple[float, int]], Peak]:
    """(seconds since the beginning, rows committed by then) of each commit."""
    commits: list[tuple[float, int]] = []
    peak = Peak(process.pid)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        while not commits or commits[-1][1] < rows:
            now = time.monotonic() - begun
            if process.poll() is not None or now > LIMIT_S:
                raise RuntimeError(f"watch committed {commits[-1][1] if commits else 0} of {rows} rows")
            peak.sample()
            done = connection.execute("SELECT coalesce(sum(rows), 0) FROM logs").fetchone()[0]
            if done > (commits[-1][1] if commits else 0):
                commits.append((now, done))
            time.sleep(0.05)
    return commits, peak
