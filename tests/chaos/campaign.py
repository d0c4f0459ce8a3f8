"""One round: a `watch` over a growing folder, killed again and again while everything around it fails."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from chaos.child import POINTS, Order
from chaos.compare import Found, State, compare, compare_index, compare_lines, rows_committed, state_of
from chaos.faults import Disk, Fault, broken_rule, gone, void
from chaos.mmdb import write_mmdb
from chaos.node import Node
from chaos.processes import Child, Nursery, Plain
from chaos.proxy import MODES, Proxy
from chaos.sensor import APPENDED, Sensor, made_scene
from elasticsearch_server import Server
from scenes import INDICATORS

from aegis_enrich.config import shipped_rules
from aegis_enrich.plugin import MICROS

TABLES = ("conn", "dns", "notice")  # whose rows are indexed
PASSES = {"before commit": 15, "after commit": 15, "segment renamed": 8}  # of a point, at most, before the end there
FEW_PASSES = 3
EARLY_S = 1.0  # a process that is killed while it starts lives so long at most
LIFE_S = (0.2, 2.0)  # one that has begun to read, from then on
POINT_S = (1.5, 3.0)  # one that may end at a point before
PLAIN_S = (2.0, 5.0)  # the same of one with evaluations in a process of their own, which is started meanwhile
READING = (b"Ctrl-C stops", b"waiting for the sensor")  # what it says once it reads
READY_S = 60.0  # how long a start may take
BESIDE_ROWS = (1, 16_384)  # from which on a flush is written beside the reading
GRACE_S = (3.0, 60.0)  # how long a renamed file may still be written
PROGRESS = 20  # kills between two lines that tell of them
END_S = 60.0  # how long a stop may take
CLOCKS_S = (-3600.0, 3600.0, 86_400.0, -86_400.0, -20 * 365 * 86_400.0, 20 * 365 * 86_400.0)
KIB = 1024
Say = Callable[[str], None]


class Broken(Exception):
    """It did what it never should, before anything could be compared."""


@dataclass
class Setting:
    """Where a round takes place."""

    root: Path
    disk: Disk
    node: Node


@dataclass(frozen=True)
class Summary:
    """What the disturbed run came to."""

    alerts: int = 0
    closed: int = 0
    incidents: int = 0
    rows: int = 0
    bad: int = 0

    def __str__(self) -> str:
        return (
            f"{self.alerts} alerts ({self.closed} closed), {self.incidents} incidents, {self.rows} rows,"
            f" {self.bad} bad lines"
        )


@dataclass
class Round:
    """`kills` kills over one feed, by this seed; then everything is compared."""

    setting: Setting
    seed: int
    kills: int
    hours: float
    say: Say
    nursery: Nursery
    faults: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    cuts: Counter[str] = field(default_factory=Counter)
    summary: Summary = Summary()

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._points: list[str] = []
        self.sensor_name = f"chaos{os.getpid()}x{self.seed}"
        self.state = self.setting.disk.folder / "state"
        self.out = self.setting.disk.folder / "out.ndjson"
        self.said = self.setting.root / "said"
        self.rules = shutil.copytree(shipped_rules(), self.setting.root / "rules")
        self.intel = self.setting.root / "lab.csv"
        self.intel.write_text("indicator,source,severity\n" + INDICATORS, encoding="utf-8")
        self.mmdb = write_mmdb(self.setting.root / "city.mmdb")
        self.scene = made_scene(self.seed, self.hours)
        self.sensor = Sensor(self.scene, self.setting.root / "logs", self.state, self.rng)
        self.files = (broken_rule(self.rules), gone("no MMDB", self.mmdb))

    @property
    def total(self) -> int:
        return self.killed.total()

    # What is run

    def config(self, name: str, **more: object) -> Path:
        path = self.setting.root / name
        values = {
            "rules": str(self.rules),
            "intel": [str(self.intel)],
            "geo": {"city": str(self.mmdb)},
            "flush": {"seconds": 0.1, "small_seconds": 0.3},
            **more,
        }
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return path

    def arguments(self, config: Path, state: Path, out: Path, logs: Path, *more: str) -> list[str]:
        options = ["--state", str(state), "-o", str(out), "--config", str(config)]
        return ["watch", "--sensor", f"{self.sensor_name}={logs}", *options, *more]

    def undisturbed(self) -> State:
        """One pass over the same rows, each log in one file."""
        root = self.setting.root / "undisturbed"
        self.scene.write(root / "logs")
        config = self.config("undisturbed.yml")
        arguments = self.arguments(config, root / "state", root / "out", root / "logs", "--once")
        self._end(self.nursery.fork(Order(arguments, str(root / "said"))), root / "said")
        return state_of(root / "state")

    def _end(self, child: Child, said: Path) -> None:
        if not child.ended(END_S * 3):
            child.kill()
            raise Broken(f"`watch --once` does not end; it said:\n{tail(said)}")
        if code := child.code():
            raise Broken(f"`watch --once` ends with {code}; it said:\n{tail(said)}")

    def run(self) -> Found:
        want = self.undisturbed()
        with Proxy(address(self.setting.node.server), self.seed) as proxy:
            self.proxy, self.cuts = proxy, proxy.cuts
            elastic = {"elasticsearch": {"url": proxy.url, "index_logs": list(TABLES)}}
            # Room and patience of two kinds: neither changes what is found.
            self.patient = self.config("patient.yml", retention={"min_free": "1MB"}, idle_after_s=1.0, **elastic)
            self.hasty = self.config("hasty.yml", retention={"min_free": "1KB"}, idle_after_s=0.05, **elastic)
            while self.total < self.kills:
                before = self.total
                self.life()
                if self.rng.random() < 0.05:
                    self.power_loss()
                if self.total // PROGRESS > before // PROGRESS:
                    self.say(f"  {self.total} kills, {self.sensor.part:.0%} of the feed is written")
            self.calm()
            while not self.sensor.ended:
                self.sensor.step(time.sleep)
            self.sensor.compress()
            self._end(self._fork("--once"), self.said)
        got = state_of(self.state, TABLES)
        shutil.copytree(self.state, self.setting.root / "state")  # the disk that it lies on goes with the round
        found = compare(want, got, self.sensor.done["restart truncates"])
        compare_lines(found, got, self.out)
        compare_index(found, got, self.setting.node.server, self.sensor_name, TABLES)
        self.summary = Summary(len(got.alerts), got.closed, len(got.incidents), got.rows.total(), got.bad.total())
        return found

    def _fork(self, *more: str, **order: object) -> Child:
        config = self.rng.choice((self.patient, self.hasty))
        arguments = self.arguments(config, self.state, self.out, self.setting.root / "logs", *more)
        return self.nursery.fork(Order(arguments, str(self.said), **order))  # type: ignore[arg-type]

    # A life

    def life(self) -> None:
        """One process, from its start to its end, and what goes wrong meanwhile."""
        rng = self.rng
        if rng.random() < 0.3:
            self.sensor.rotate()
        quota = self._quota()
        begun = min(quota, rng.randint(0, 2))
        if rng.random() < 0.1:  # nobody is there for longer
            self.faults["long absences"] += 1
            begun = 3 * quota
        self.grow(begun)
        plain = rng.random() < 0.06
        bars = self._before()
        point = "" if plain or rng.random() < 0.35 else self._next_point()
        size = self.size_said()
        child = self._start(point, plain)
        try:
            early_s = rng.uniform(0, EARLY_S) if rng.random() < 0.15 else READY_S
            if self._ready(child, size, early_s):
                seconds = rng.uniform(*(PLAIN_S if plain else POINT_S if point else LIFE_S))
                self._live(child, max(0, quota - begun), seconds)
            self._judge(child, point, bars)
        finally:
            child.kill()
        self.setting.disk.free()
        self._check_rows()

    def power_loss(self) -> None:
        """What was read of a log is gone from its end, and more is written to it while the next process runs."""
        self._read_up_to_the_end()
        if not self.sensor.lose_power():
            return
        self.faults["power losses"] += 1
        self.calm()
        size, eve, until_s = self.size_said(), self.sensor.current / APPENDED, time.monotonic() + READY_S
        child = self._fork(grace_s=min(GRACE_S))
        try:
            self._ready(child, size, READY_S)
            self.grow(3)
            while not self.sensor.committed(eve):  # a kill before that, and it would be no log that is known
                if time.monotonic() > until_s or child.ended(0.05):
                    raise Broken(f"{eve} is not read on after it lost its end; it said:\n{tail(self.said)}")
            self.killed["after a power loss"] += 1
        finally:
            child.kill()

    def _read_up_to_the_end(self) -> None:
        """Lets a process read Suricata's log to its end, and kills it."""
        eve, until_s = self.sensor.current / APPENDED, time.monotonic() + READY_S
        if eve.exists() and not self.sensor.committed(eve):
            self.calm()
            child = self._fork(grace_s=min(GRACE_S))
            try:
                while not self.sensor.committed(eve) and time.monotonic() < until_s and not child.ended(0.05):
                    pass
            finally:
                child.kill()

    def _start(self, point: str, plain: bool) -> Child:
        if plain:
            return Plain(self.arguments(self.patient, self.state, self.out, self.setting.root / "logs"), self.said)
        return self._fork(
            point=point,
            passes=self.rng.randint(1, PASSES.get(point, FEW_PASSES)),
            clock=self._clock(),
            beside=self.rng.choice(BESIDE_ROWS),
            grace_s=self.rng.choice(GRACE_S),
        )

    def _ready(self, child: Child, size: int, seconds: float) -> bool:
        """Whether it says that it reads, in this time."""
        until_s = time.monotonic() + seconds
        while not any(words in self._said_since(size) for words in READING):
            if time.monotonic() > until_s or child.ended(0.02):
                return False
        return True

    def _live(self, child: Child, quota: int, seconds: float) -> None:
        """The logs grow by its quota, whether it lives to see it or not."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and not child.ended(self.rng.uniform(0.01, 0.08)):
            self.grow(min(quota, 1))
            quota -= min(quota, 1)
            self._meanwhile(child)
        self.grow(quota)

    def _next_point(self) -> str:
        """Each as often as the others."""
        if not self._points:
            self._points = self.rng.sample(POINTS, len(POINTS))
        return self._points.pop()

    def _quota(self) -> int:
        """How many steps of the feed this life is given, so that it ends with the last kill."""
        return round(self.sensor.steps_left / max(1, self.kills - self.total) * self.rng.uniform(0.5, 1.5))

    def grow(self, steps: int) -> None:
        for _ in range(steps):
            if not self.sensor.ended:
                self.sensor.step(time.sleep)

    def size_said(self) -> int:
        return self.said.stat().st_size if self.said.exists() else 0

    def _said_since(self, size: int) -> bytes:
        return self.said.read_bytes()[size:] if self.said.exists() else b""

    def _clock(self) -> list[tuple[float, float]]:
        """The sensor's time, and by chance steps away from it and back."""
        right = self.sensor.now_us / MICROS - time.time()
        if self.rng.random() < 0.8:
            return [(0.0, right)]
        self.faults["clock steps"] += 1
        wrong = right + self.rng.choice(CLOCKS_S)
        return [(0.0, self.rng.choice((right, wrong))), (self.rng.uniform(0.2, 1.5), self.rng.choice((right, wrong)))]

    def _before(self) -> bool:
        """Sets the scene; whether what was done may keep it from starting."""
        rng, bars = self.rng, False
        self.proxy.mode = rng.choice(MODES) if rng.random() < 0.5 else "pass"
        for fault in self.files:
            fault.undo()
            if rng.random() < 0.06:
                bars |= self._do(fault)
        if rng.random() < 0.05:
            self._fill()
            bars = True
        if self.setting.node.own and self.total >= self.kills // 2 and not self.faults["Elasticsearch killed"]:
            self.faults["Elasticsearch killed"] += 1
            self.setting.node.restart()
            self.proxy.to = address(self.setting.node.server)
        return bars

    def _do(self, fault: Fault) -> bool:
        self.faults[fault.name] += 1
        fault.do()
        return fault.bars

    def _fill(self) -> None:
        if not self.setting.disk.bounded:
            return
        self.faults["disk full"] += 1
        self.setting.disk.fill(self.rng.choice((0, 4 * KIB, 40 * KIB, 200 * KIB, 900 * KIB)))

    def _meanwhile(self, child: Child) -> None:
        """By chance some more of what happens while it runs."""
        for chance, happens in (
            (0.02, self.sensor.rotate),
            (0.02, self.sensor.compress),
            (0.03, self._turn_proxy),
            (0.03, self._calm_proxy),
            (0.01, self._fill),
            (0.02, self.setting.disk.free),
            (0.01, lambda: void(self._do(self.rng.choice(self.files)))),
            (0.02, self._mend),
            (0.005, lambda: self._pause(child)),
            (0.005, self._pause_server),
            (0.005, lambda: self._reload(child)),
            (0.03, lambda: self._kill_worker(child)),
        ):
            if self.rng.random() < chance:
                happens()

    def _turn_proxy(self) -> None:
        self.proxy.mode = self.rng.choice(MODES)

    def _calm_proxy(self) -> None:
        self.proxy.mode = "pass"

    def _mend(self) -> None:
        for fault in self.files:
            fault.undo()

    def _reload(self, child: Child) -> None:
        self.faults["reloads"] += 1
        child.reload()

    def _kill_worker(self, child: Child) -> None:
        self.faults["evaluating process killed"] += isinstance(child, Plain) and child.kill_worker()

    def _pause(self, child: Child) -> None:
        """It stands still for longer than a log may be silent, while the sensor writes."""
        self.faults["pauses"] += 1
        child.signal(signal.SIGSTOP)
        self.grow(1)
        time.sleep(self.rng.uniform(0.2, 1.6))
        self.grow(1)
        child.signal(signal.SIGCONT)

    def _pause_server(self) -> None:
        if not self.setting.node.own:
            return
        self.faults["Elasticsearch paused"] += 1
        self.setting.node.signal(signal.SIGSTOP)
        self.grow(1)
        time.sleep(0.3)
        self.setting.node.signal(signal.SIGCONT)

    def _judge(self, child: Child, point: str, bars: bool) -> None:
        """Ends it, unless its point or a fault that bars the start did."""
        said = tail(self.said, 100_000)
        if "Traceback" in said:
            raise Broken(f"it said:\n{said[max(0, said.index('Traceback') - 500) :][:3000]}")
        if child.ended():
            code = child.code()
            if code == -signal.SIGKILL:
                self.killed[point] += 1
            elif bars and code == 1:
                self.faults["refused to start"] += 1
            else:
                raise Broken(f"it ended by itself with {code}; it said:\n{tail(self.said)}")
            return
        if self.rng.random() < 0.05:
            self._stop(child, point)
            return
        child.kill()
        self.killed["any moment"] += 1

    def _stop(self, child: Child, point: str) -> None:
        """A plain stop, which is no kill; within a bound."""
        self.faults["plain stops"] += 1
        child.signal(signal.SIGTERM)
        if not child.ended(END_S):
            child.kill()
            raise Broken(f"it does not stop; it said:\n{tail(self.said)}")
        code = child.code()
        if code == -signal.SIGKILL:
            self.killed[point] += 1
        elif code not in (0, int("not delivered" in tail(self.said)), -signal.SIGTERM):
            raise Broken(f"a stop ended with {code}; it said:\n{tail(self.said)}")

    def _check_rows(self) -> None:
        """After each kill: rows and positions agree."""
        with contextlib.suppress(sqlite3.Error):  # it was killed before it made one
            counted, held = rows_committed(self.state)
            if counted != held:
                raise Broken(f"logs count {counted} committed rows, segments hold {held}")

    def calm(self) -> None:
        """All is well again."""
        self._calm_proxy()
        self.setting.disk.free()
        self._mend()


def address(server: Server) -> tuple[str, int]:
    host, _, port = server.url.rpartition("/")[2].partition(":")
    return host, int(port)


def tail(path: Path, characters: int = 3000) -> str:
    text = path.read_text(errors="replace") if path.exists() else ""
    return text[max(0, len(text) - characters) :]
