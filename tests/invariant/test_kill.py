"""A `watch` is killed again and again while logs grow, seal windows and go out: nothing is lost, nothing doubles.

Fifty kills: most of them at exact points of the protocol, the others at random moments of a process of its own
(AEGIS_KILLS says how many).
"""

from __future__ import annotations

import gzip
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from aegis_enrich.store import Store

KILLS = int(os.environ.get("AEGIS_KILLS", "12"))
POINTS = (
    ("segments written", 2),
    ("segment renamed", 5),
    ("before commit", 6),
    ("after commit", 6),
    ("evaluated", 2),
    ("decided", 2),
    ("half a line", 1),
    ("delivered", 2),
)
ROUNDS = 5  # of all points
CONFIG = """
intel: [{intel}]
idle_after_s: 0.3
flush: {{seconds: 0.05, small_seconds: 0.1}}
"""


class Watched:
    """A folder of growing logs, the state of the `watch` over it, and its NDJSON file."""

    def __init__(self, tools, root: Path, day, intel: Path, parts: int) -> None:
        self.tools, self.day, self.parts = tools, day, day.scene.parts(parts)
        self.logs, self.state, self.out = root / "logs", root / "state", root / "out.ndjson"
        self.said, self.config = root / "said", root / "aegis.yml"
        self.logs.mkdir()
        self.config.write_text(CONFIG.format(intel=intel), encoding="utf-8")

    def arguments(self, *more: str) -> list[str]:
        options = {"--state": self.state, "-o": self.out, "--config": self.config}
        return ["watch", str(self.logs), *(str(x) for pair in options.items() for x in pair), *more]

    def grow(self, lines) -> None:
        self.day.scene.append(self.logs, lines)

    def size_said(self) -> int:
        return self.said.stat().st_size if self.said.exists() else 0

    def rotate(self, number: int) -> None:
        """Every log gets a new file; some of the old ones are compressed."""
        for log in [p for p in self.logs.iterdir() if p.suffix == ".log" and "." not in p.stem]:
            old = log.rename(log.with_name(f"{log.stem}.2024-03-06-{number:02}-00-00.log"))
            if number % 2:
                old.with_name(f"{old.name}.gz").write_bytes(gzip.compress(old.read_bytes()))
                old.unlink()

    def check_rows(self) -> None:
        """The lake holds what lies before the committed positions, each row once."""
        with Store(self.state, read_only=True) as store:
            read = [(p.state.name, Path(p.state.path).read_bytes()[: p.state.position]) for p in store.progress()]
            assert self.tools.lake_rows(store) == sum((self.tools.log_rows(*log) for log in read), Counter())

    def finish(self, runner: Runner) -> None:
        """Reads the rest with `watch --once`; then alerts, lines and rows are those of one pass."""
        runner.start(self, "--once")
        assert runner.code() == 0, self.said.read_text()
        delivered = [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines()]
        lines = Counter((d["event"]["id"], d["aegis"]["revision"]) for d in delivered)
        assert [line for line, times in lines.items() if times > 1] == []
        newest = {d["event"]["id"]: d for d in sorted(delivered, key=lambda d: d["aegis"]["revision"])}
        assert self.tools.contents(newest.values()) == self.day.result.alerts
        with Store(self.state, read_only=True) as store:
            assert self.tools.lake_rows(store) == self.tools.folder_rows(self.day.folder)
            assert store.query("SELECT * FROM late_windows") == []
            assert self.tools.result_of(store, late=0) == self.day.result


class Runner:
    """The forking runner of `runner.py`; one process at a time."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("runner.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def start(self, watched: Watched, *more: str, point: str = "", passes: int = 0) -> int:
        """Begins a process; its id."""
        order = {"arguments": watched.arguments(*more), "point": point, "passes": passes, "log": str(watched.said)}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        return self._answer()

    def ended(self, timeout_s: float) -> bool:
        """Whether it has ended by itself, after this time at most."""
        return bool(select.select([self.process.stdout], [], [], timeout_s)[0])

    def code(self) -> int:
        """How it ended, once it has."""
        return self._answer()

    def _answer(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def runner():
    made = Runner()
    yield made
    made.close()


def test_kills_at_every_point(tools, day, intel_file, runner, tmp_path):
    """Each process goes on, with logs that grow, until it passes its point."""
    rng = random.Random(os.environ.get("AEGIS_SEED", "11"))
    watched = Watched(tools, tmp_path, day, intel_file, parts=400)
    parts = iter(watched.parts)
    points = [(point, rng.randint(1, most)) for _ in range(ROUNDS) for point, most in rng.sample(POINTS, len(POINTS))]
    killed: Counter[str] = Counter()
    for point, passes in points:
        for part in islice(parts, 2):
            watched.grow(part)
        said = watched.size_said()
        pid = runner.start(watched, point=point, passes=passes)
        while not runner.ended(0.1):
            if watched.size_said() > said:  # it has begun to read
                if (part := next(parts, None)) is None:
                    break
                watched.grow(part)
        if not runner.ended(0.5):  # no more rows: a kill at any moment
            os.kill(pid, signal.SIGKILL)
            point = "any"
        assert runner.code() == -signal.SIGKILL, watched.said.read_text()
        killed[point] += 1
        watched.check_rows()
    for part in parts:
        watched.grow(part)
    watched.finish(runner)
    assert killed.total() == len(points)
    assert killed["any"] <= len(points) // 2, killed
    assert {point for point, _ in POINTS} <= killed.keys()


def test_kills_at_random_moments(tools, day, intel_file, runner, tmp_path):
    """Logs grow and are rotated before and while it runs."""
    rng = random.Random(os.environ.get("AEGIS_SEED", "7"))
    watched = Watched(tools, tmp_path, day, intel_file, KILLS)
    command = [sys.executable, "-c", "from aegis_enrich.cli import main; main()", *watched.arguments()]
    for number, part in enumerate(watched.parts):
        cut = rng.randint(0, len(part))
        watched.grow(part[:cut])
        if rng.random() < 0.4:
            watched.rotate(number)
        with watched.said.open("a") as said:
            watch = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        until = time.monotonic() + rng.uniform(0.8, 3.5)
        while time.monotonic() < until:
            watched.grow(part[cut : cut + 40])
            cut += 40
            time.sleep(0.05)
        watched.grow(part[cut:])
        assert watch.poll() is None, watched.said.read_text()
        os.killpg(watch.pid, signal.SIGKILL)
        watch.wait()
    watched.finish(runner)
