"""Runs `aegis-enrich` in forked processes that can be told to SIGKILL themselves at a point, or to read wrong clocks.

Everything is imported before the fork, so that a start costs what reading rules and state costs. Reads a JSON object a
line (see `Order`), answers with the process id, and with its exit code once it has ended (-9: killed).

Points: those of `Store(crash=…)`; `evaluated` (found, not committed), `decided` (in the transaction that seals),
`half a line` (of the NDJSON file), `delivered` (to it; the cursor is not moved on yet), `indexed` (Elasticsearch has
answered; the cursor is not moved on yet).
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import aegis_plugins.sinks.ndjson as ndjson
from aegis_enrich.cli import COMMANDS, main, watch
from aegis_enrich.config import Config
from aegis_enrich.decide.decider import Decider
from aegis_enrich.follow import events, follower
from aegis_enrich.pipeline import engine, intake
from aegis_enrich.pipeline.parts import assemble
from aegis_enrich.registry import load
from aegis_enrich.store import Store
from aegis_plugins.sinks.elasticsearch import connection

POINTS = (
    "segments written",
    "segment renamed",
    "before commit",
    "after commit",
    "evaluated",
    "decided",
    "half a line",
    "delivered",
    "indexed",
)
LAZY = ("pandas", "numpy", "duckdb", "pyarrow.parquet", "watchdog.observers", "rich.table")


@dataclass(frozen=True)
class Order:
    """`passes`: the point's n-th pass is the last thing that the process does. `clock`: steps of the wall clock, each
    seconds after the start and seconds that it is off from then on. `inline`: evaluations run in the process itself.
    `beside`: the rows from which on a flush is written beside the reading. `grace_s`: of the follower."""

    arguments: Sequence[str]
    log: str
    point: str = ""
    passes: int = 0
    inline: bool = True
    beside: int = intake.BESIDE_ROWS
    grace_s: float = follower.GRACE_S
    clock: Sequence[tuple[float, float]] = field(default_factory=tuple)

    def text(self) -> str:
        return json.dumps(asdict(self))


class Ending:
    """Ends the process at the n-th pass of a point, whatever thread passes it."""

    def __init__(self, point: str, passes: int) -> None:
        self.point, self.left, self.lock = point, passes, threading.Lock()

    def next_is_last(self, point: str) -> bool:
        with self.lock:
            self.left -= point == self.point
            return point == self.point and self.left <= 0

    def __call__(self, point: str) -> None:
        if self.next_is_last(point):
            os.kill(os.getpid(), signal.SIGKILL)


class Inline:
    """In the place of `Beside`: evaluates at once."""

    ending: Ending

    def __init__(self) -> None:
        self._done: tuple[Any, Any] | None = None

    @property
    def busy(self) -> bool:
        return self._done is not None

    def start(self, job: Any) -> None:
        self._done = job, job.work.run()

    def collect(self, timeout_s: float = 0.0) -> bool:
        if self._done is None:
            return False
        (job, result), self._done = self._done, None
        self.ending("evaluated")
        job.commit(result)
        return True

    def close(self) -> None:
        self._done = None


class HalfWritten:
    """In the place of the module `os`: what writes half of what it is given, and ends there."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, file: int, data: bytes | memoryview) -> int:
        if self._ending.next_is_last("half a line"):
            os.write(file, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return os.write(file, data)


def install(order: Order) -> None:
    """Puts points and clock into this process."""
    ending = Ending(order.point, order.passes)
    ndjson.os = HalfWritten(ending)  # type: ignore[attr-defined, assignment]
    ndjson.Ndjson.deliver = passing(ending, "delivered", ndjson.Ndjson.deliver)  # type: ignore[method-assign]
    connection.Connection.bulk = passing(ending, "indexed", connection.Connection.bulk)  # type: ignore[method-assign]
    Decider.window = passing(ending, "decided", Decider.window)  # type: ignore[method-assign]
    engine.IDLE_S = events.SLICE_S = 0.05
    intake.BESIDE_ROWS = order.beside
    (follower.Follower.__init__.__kwdefaults__ or {})["grace_s"] = order.grace_s
    if order.inline:
        Inline.ending = ending
        engine.Beside = Inline  # type: ignore[attr-defined, assignment]
    watch.Store = partial(Store, crash=ending)  # type: ignore[attr-defined, assignment]
    if order.clock:
        turn(order.clock)


def passing(ending: Ending, point: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = method(*arguments, **named)
        ending(point)
        return result

    return wrapped


def turn(steps: Sequence[tuple[float, float]]) -> None:
    """Makes the wall clock of this process step; the monotonic clock stays right."""
    begun_s, seconds, nanoseconds = time.monotonic(), time.time, time.time_ns

    def off_s() -> float:
        return next((off for after, off in reversed(steps) if time.monotonic() - begun_s >= after), 0.0)

    time.time = lambda: seconds() + off_s()
    time.time_ns = lambda: nanoseconds() + int(off_s() * 1e9)


def run(order: Order) -> int:
    os.setsid()
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    install(order)
    try:
        main(list(order.arguments))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def serve() -> None:
    for module in (*LAZY, *(f"aegis_enrich.cli.{name}" for name in COMMANDS)):
        importlib.import_module(module)
    assemble(Config(), load())  # what rules need is imported with the first of them
    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if not pid:
            code = 70
            try:
                code = run(order)
            finally:
                os._exit(code)
        answer(pid)
        _, status = os.waitpid(pid, 0)
        answer(os.waitstatus_to_exitcode(status))


def answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
