"""All lanes of a run: each sink in a thread of its own, so that one that is down holds up no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..plugin import Sink
from ..store import Store
from .alerts import AlertLane
from .lane import Lane
from .rows import RowLane

log = logging.getLogger(__name__)

IDLE_S = 0.5
GIVE_UP_AFTER = 4  # failures in a row, at the end of a run


@dataclass(frozen=True)
class Undelivered:
    """What a sink has not taken, and why."""

    key: str
    documents: int
    reason: str


class Delivery:
    """The lanes by sink. `start` and `stop` run them beside the reading; `drain` runs them here, to their end."""

    def __init__(self, store: Store, sinks: Mapping[str, Sink], *, index_logs: Sequence[str] = ()) -> None:
        self.sinks = dict(sinks)
        self.lanes: dict[str, list[Lane]] = {}
        for name, sink in self.sinks.items():
            key = f"{name}:{sink.target}"
            lanes: list[Lane] = [AlertLane(store, sink, key)]
            if sink.takes_rows:
                lanes += [RowLane(store, sink, f"{key}#{table}", table) for table in index_logs]
            self.lanes[name] = lanes
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begins to deliver, in a thread a sink."""
        for name, lanes in self.lanes.items():
            thread = threading.Thread(target=self._run, args=(lanes,), name=f"deliver {name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ends the threads; a batch that is under way is finished first."""
        self._stopping.set()
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        self._threads = [t for t in self._threads if t.is_alive()]

    def _run(self, lanes: Sequence[Lane]) -> None:
        while not self._stopping.is_set():
            moved = [_contained(lane) for lane in lanes]
            if not any(moved):
                self._stopping.wait(IDLE_S)

    def drain(self, deadline_s: float) -> list[Undelivered]:
        """Delivers all there is, for at most `deadline_s` seconds; what is left, by sink, with the reason.

        A sink that fails several times in a row is given up at once: the state keeps what it did not take.
        """
        self.stop()
        until_s = time.monotonic() + deadline_s
        left = []
        for lanes in self.lanes.values():
            for lane in lanes:
                while (waits := lane.backlog()) and time.monotonic() < until_s and lane.failures < GIVE_UP_AFTER:
                    if not _contained(lane):
                        time.sleep(0.05)
                if waits:
                    left.append(Undelivered(lane.key, waits, lane.reason or "it took too long"))
        return left

    def backlog(self) -> dict[str, int]:
        """Documents that wait, by lane."""
        return {lane.key: lane.backlog() for lanes in self.lanes.values() for lane in lanes}

    def close(self) -> None:
        """Ends delivery and lets the sinks close."""
        self.stop()
        for sink in self.sinks.values():
            sink.close()


def _contained(lane: Lane) -> bool:
    """A batch of a lane; what a sink raises beside SinkError is a failure like any other."""
    try:
        return lane.run_once()
    except Exception as error:  # noqa: BLE001  a sink is a plugin: what it raises is contained here
        lane.failed(f"{lane.key}: {type(error).__name__}: {error}")
        return False
