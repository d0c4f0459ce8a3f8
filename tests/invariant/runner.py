"""Runs `aegis-enrich` in forked processes, which SIGKILL themselves at a named point; for the tests of crashes only.

Reads a JSON object a line: `arguments`, `point` ("" for none), `passes` (the point's n-th pass is the last), `log` (a
file for what it says). Answers with the process id, and with its exit code once it has ended (-9: killed).
Evaluations run in the process itself, so that starting takes no second.

Points: those of `Store(crash=…)`, and `evaluated` (found, not committed), `decided` (in the transaction that seals),
`half a line` (of the NDJSON file), `delivered` (the cursor is not moved on yet).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import aegis_plugins.sinks.ndjson as ndjson
from aegis_enrich.cli import main, watch
from aegis_enrich.decide.decider import Decider
from aegis_enrich.follow import events
from aegis_enrich.pipeline import engine
from aegis_enrich.store import Store


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


def install(ending: Ending) -> None:
    """Puts the points into the product's code, in this process."""

    class Inline:
        """In the place of `Beside`: evaluates at once."""

        done: tuple[Any, Any] | None = None

        @property
        def busy(self) -> bool:
            return self.done is not None

        def start(self, job: Any) -> None:
            self.done = job, job.work.run()

        def collect(self, timeout_s: float = 0.0) -> bool:
            if self.done is None:
                return False
            (job, result), self.done = self.done, None
            ending("evaluated")
            job.commit(result)
            return True

        def close(self) -> None:
            self.done = None

    def passing(point: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            result = method(*arguments, **named)
            ending(point)
            return result

        return wrapped

    def append(sink: ndjson.Ndjson, data: bytes) -> None:
        if data and ending.next_is_last("half a line"):
            os.write(sink._file, data[: len(data.splitlines()[0]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        appended(sink, data)

    appended = ndjson.Ndjson._append
    ndjson.Ndjson._append = append  # type: ignore[method-assign]
    ndjson.Ndjson.deliver = passing("delivered", ndjson.Ndjson.deliver)  # type: ignore[method-assign]
    Decider.window = passing("decided", Decider.window)  # type: ignore[method-assign]
    engine.IDLE_S = events.SLICE_S = 0.02
    engine.Beside = Inline  # type: ignore[misc, assignment]
    watch.Store = lambda root: Store(root, crash=ending)  # type: ignore[misc, assignment]


def child(order: dict[str, Any]) -> int:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    install(Ending(order["point"], order["passes"]))
    try:
        main(order["arguments"])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            os._exit(child(order))
        answer(pid)
        _, status = os.waitpid(pid, 0)
        answer(os.waitstatus_to_exitcode(status))


def answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
