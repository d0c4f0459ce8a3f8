"""What the tests of the invariant share: lab logs moved in time, runs of the engine, and what two runs must agree on.

`one_pass` is the reference; `Simulated` is the live engine over a clock that moves when it waits.
"""

from __future__ import annotations

import json
import random
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import scenes
from scenes import INDICATORS, LAB, Scene, contents, zeek_scene

from aegis_enrich.cli.run import stored_alerts
from aegis_enrich.config import Config, Flush
from aegis_enrich.correlate import incident_documents
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline import engine as engine_module
from aegis_enrich.pipeline.engine import Engine, Parts, assemble
from aegis_enrich.pipeline.intake import Intake
from aegis_enrich.plugin import HOUR_US, MICROS
from aegis_enrich.registry import load
from aegis_enrich.store import Store

# Runs


@dataclass(frozen=True)
class Result:
    """What a run came to: alerts by id, what was late, the rows that row rules put into alerts (id -> count), and
    incidents by id."""

    alerts: dict[str, str]
    late: int
    counts: dict[str, int]
    incidents: dict[str, str]


def result_of(store: Store, late: int) -> Result:
    documents = stored_alerts(store)
    counts = {d["event"]["id"]: d["aegis"]["count"] for d in documents}
    return Result(contents(documents), late, counts, contents(incident_documents(store)))


def with_flush(parts: Parts, **changes: Any) -> Parts:
    return replace(parts, config=replace(parts.config, flush=replace(parts.config.flush, **changes)))


def one_pass(
    parts: Parts,
    state: Path,
    *paths: Path,
    limits: Callable[[], int] | None = None,
    **sensors: Sequence[Path],
) -> Result:
    """All that is there, read at once to its end; `limits` gives the size of each read."""
    sources = {**({"sensor": list(paths)} if paths else {}), **{k: list(v) for k, v in sensors.items()}}
    with Store(state) as store, Follower(sources, [p.state for p in store.progress()], poll=True) as follower:
        engine = Engine(parts, store, follower, {}, live=False)
        if limits is not None:
            read_by(engine.intake, limits)
        engine.run_to_end()
        engine.delivery.close()
        return result_of(store, sum(engine.intake.counts.late.values()))


def read_by(intake: Intake, limits: Callable[[], int]) -> None:
    """Makes an intake read as many bytes at a time as `limits` says."""
    read = intake.read
    intake.read = lambda limit=0: read(limits())  # type: ignore[method-assign]


def random_limits(seed: int, most: int = 1 << 20) -> Callable[[], int]:
    """Sizes from 1 byte on, each order of magnitude as likely as any other."""
    rng = random.Random(seed)
    return lambda: min(most, int(2 ** rng.uniform(0, most.bit_length())))


class Inline:
    """Evaluates at once, in this process, in the place of `Beside`."""

    def __init__(self) -> None:
        self.jobs: list[Any] = []

    @property
    def busy(self) -> bool:
        return bool(self.jobs)

    def start(self, job: Any) -> None:
        self.jobs.append((job, job.work.run()))

    def collect(self, timeout_s: float = 0.0) -> bool:
        for job, result in self.jobs:
            self.jobs = []
            job.commit(result)
            return True
        return False

    def close(self) -> None:
        self.jobs = []


class Simulated:
    """`watch` over a clock that stands still while there is anything to read and moves on by a step when it waits.

    `write(before_us, now_us)` is called at each step, to do what the sensor does in it; after `end_us` it goes on for
    `rest_s` in steps of a minute, and stops.
    """

    def __init__(
        self,
        parts: Parts,
        state: Path,
        sources: Mapping[str, Sequence[Path]],
        write: Callable[[int, int], None],
        start_us: int,
        end_us: int,
        *,
        step_s: float = 20.0,
        rest_s: float = 3 * 3600.0,
    ) -> None:
        self.parts, self.state, self.sources, self.write = parts, state, sources, write
        self.start_us, self.end_us, self.rest_us, self.step_s = start_us, end_us, int(rest_s * MICROS), step_s
        self.now_us = start_us
        self.limits: Callable[[], int] | None = None
        self.room: Callable[[int], bool] | None = None  # whether the disk has room, by the time

    def clock(self) -> float:
        return (self.now_us - self.start_us) / MICROS + 1000.0

    def run(self, monkeypatch: pytest.MonkeyPatch, *, until_us: int | None = None) -> Result:
        """To the end, or until then: a stop, after which `run` starts anew on what was committed."""
        faked = SimpleNamespace(
            monotonic=self.clock, time_ns=lambda: self.now_us * 1000, time=lambda: self.now_us / MICROS
        )
        with ExitStack() as stack:
            patch = stack.enter_context(monkeypatch.context())
            patch.setattr(engine_module, "time", faked)
            store = stack.enter_context(Store(self.state))
            known = [p.state for p in store.progress()]
            follower = stack.enter_context(Follower(self.sources, known, poll=True, clock=self.clock))
            engine = Engine(self.parts, store, follower, {}, live=True)
            engine.beside = Inline()  # type: ignore[assignment]
            engine.intake.clock = engine.upkeep.clock = self.clock
            if self.limits is not None:
                read_by(engine.intake, self.limits)

            def wait(timeout_s: float) -> None:
                if not engine.beside.busy:
                    self._step()
                if self.now_us > self.end_us + self.rest_us or (until_us is not None and self.now_us >= until_us):
                    engine.stopping.set()

            patch.setattr(follower, "wait", wait)
            if (room := self.room) is not None:
                patch.setattr(engine, "_room", lambda: room(self.now_us))
            engine.run()
            engine.delivery.close()
            assert not follower.lost
            assert not follower.unreadable
            return result_of(store, sum(engine.intake.counts.late.values()))

    def _step(self) -> None:
        before_us = self.now_us
        self.now_us += int((self.step_s if before_us <= self.end_us else 60.0) * MICROS)
        if before_us <= self.end_us:
            self.write(before_us, self.now_us)


def writes(scene: Scene, folder: Path) -> Callable[[int, int], None]:
    """A sensor that writes each row when it arrives."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [0]

    def write(before_us: int, now_us: int) -> None:
        until = bisect(scene.lines, now_us - 1, key=lambda line: line[0])
        scene.append(folder, scene.lines[written[0] : until])
        written[0] = until

    return write


@pytest.fixture(scope="session")
def intel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("intel") / "lab.csv"
    path.write_text("indicator,source,severity\n" + INDICATORS, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def parts(intel_file: Path) -> Parts:
    """The default configuration and rules, with a list of indicators."""
    return assemble(Config(intel=[str(intel_file)], flush=Flush(small_seconds=30)), load())


@dataclass(frozen=True)
class Whole:
    """A scene that lies in a folder, and what one pass over it gives."""

    scene: Scene
    folder: Path
    result: Result


@pytest.fixture(scope="session")
def day(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Eight hours over a day's end, with beacons, scans, tunnels, intel hits and notices in them."""
    root = tmp_path_factory.mktemp("day")
    scene = zeek_scene(notices=40)
    folder = scene.write(root / "logs")
    result = one_pass(parts, root / "state", folder)
    assert "aegis_scan.log" in scene.names
    rules = Counter(json.loads(text)["rule"]["id"] for text in result.alerts.values())
    assert rules.keys() >= {"beaconing", "dns_tunnel", "port_scan", "intel", "zeek_notice"}
    assert result.late == 0
    return Whole(scene, folder, result)


@pytest.fixture(scope="session")
def lab() -> Path:
    return LAB


@pytest.fixture(scope="session")
def tools() -> Any:
    """The functions and classes of this module and of `scenes`."""
    return SimpleNamespace(**{**vars(scenes), **globals(), "hour_us": HOUR_US})
