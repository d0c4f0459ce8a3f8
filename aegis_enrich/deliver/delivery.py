"""All lanes of a run: each sink in threads of its own, so that one that is down or hangs holds up no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import SinkError
from ..plugin import Sink
from ..store import Store
from .alerts import AlertLane
from .lane import Lane
from .replay import Replay
from .rows import RowLane

log = logging.getLogger(__name__)

IDLE_S = 0.5
GIVE_UP_AFTER = 4  # failures in a row, at the end of a run
CLOSE_S = 2.0


@dataclass(frozen=True)
class Undelivered:
    """What a sink has not taken, and why."""

    key: str
    documents: int
    reason: str


@dataclass
class Worker:
    """Lanes that one thread serves in turn: alerts of a sink, or its log rows, so that these do not hold up those."""

    name: str
    lanes: Sequence[Lane]
    replay: Replay | None = None
    thread: threading.Thread | None = field(default=None, compare=False)

    def begin(self, work: Callable[[Worker], None]) -> None:
        self.thread = threading.Thread(target=work, args=(self,), name=f"deliver {self.name}", daemon=True)
        self.thread.start()

    def ended(self, until_s: float) -> bool:
        """Waits for the thread until then (monotonic clock); whether it ended."""
        if self.thread is not None:
            self.thread.join(max(0.0, until_s - time.monotonic()))
            if self.thread.is_alive():
                return False
        self.thread = None
        return True

    def turn(self) -> bool:
        """A batch of each lane; whether anything moved. What a sink raises is a failure like any other."""
        moved = [_contained(lane, lane.run_once) for lane in self.lanes]
        replay, first = self.replay, self.lanes[0]
        if replay is not None and not first.waiting() and not first.abandoned:
            moved.append(_contained(first, lambda: replay.run_once(lambda: first.abandoned)))
        return any(moved)

    def abandon(self) -> None:
        for lane in self.lanes:
            lane.abandoned = True


class Delivery:
    """The lanes by sink. `start` and `stop` run them beside the reading; `drain` runs them to their end."""

    def __init__(self, store: Store, sinks: Mapping[str, Sink], *, index_logs: Sequence[str] = ()) -> None:
        self.sinks = dict(sinks)
        self.lanes: dict[str, list[Lane]] = {}
        self._workers: list[Worker] = []
        self._stopping = threading.Event()
        for name, sink in self.sinks.items():
            key = f"{name}:{sink.target}"
            alerts = AlertLane(store, sink, key)
            rows = [RowLane(store, sink, f"{key}#{t}", t) for t in index_logs] if sink.takes_rows else []
            self.lanes[name] = [alerts, *rows]
            self._workers.append(Worker(name, [alerts], Replay(store, sink, key)))
            if rows:
                self._workers.append(Worker(f"{name} rows", rows))

    def start(self) -> None:
        """Begins to deliver."""
        for worker in self._workers:
            worker.begin(self._run)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ends the threads; a batch that is under way is finished first, if it is in time."""
        self._stopping.set()
        until_s = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.ended(until_s)

    def _run(self, worker: Worker) -> None:
        while not self._stopping.is_set():
            if not worker.turn():
                self._stopping.wait(IDLE_S)

    def drain(self, deadline_s: float) -> list[Undelivered]:
        """Delivers all there is, for at most `deadline_s` seconds; what is left, by lane, with the reason.

        All sinks are served at once. One that fails several times in a row is given up, one that hangs is left where
        it is: the state keeps what they did not take.
        """
        self._stopping.set()
        until_s = time.monotonic() + deadline_s
        emptying = []
        for worker in self._workers:
            last = Worker(worker.name, worker.lanes, worker.replay)
            last.begin(lambda own, before=worker: _empty(own, before, until_s))  # type: ignore[misc]
            emptying.append(last)
        for before, last in zip(self._workers, emptying, strict=True):
            if not last.ended(until_s + 0.5):
                before.thread = before.thread or last.thread
            if before.thread is not None:
                before.abandon()
        lanes = [lane for worker in self._workers for lane in worker.lanes]
        return [Undelivered(lane.key, waits, _why(lane)) for lane in lanes if (waits := lane.backlog())]

    def backlog(self) -> dict[str, int]:
        """Documents that wait, by lane."""
        return {lane.key: lane.backlog() for lanes in self.lanes.values() for lane in lanes}

    def close(self) -> None:
        """Ends delivery and lets the sinks close; one that hangs is left to the end of the process."""
        self.stop(CLOSE_S)
        closing = []
        for worker in self._workers:
            if worker.thread is not None:
                worker.abandon()
        hanging = {id(w.lanes[0].sink) for w in self._workers if w.thread is not None}
        for name, sink in self.sinks.items():
            if id(sink) not in hanging:
                closing.append(threading.Thread(target=_close, args=(sink,), name=f"close {name}", daemon=True))
                closing[-1].start()
        until_s = time.monotonic() + CLOSE_S
        for thread in closing:
            thread.join(max(0.0, until_s - time.monotonic()))


def _empty(worker: Worker, before: Worker, until_s: float) -> None:
    """Delivers what the lanes have, once the thread that served them has ended."""
    if not before.ended(until_s):
        return
    for lane in worker.lanes:
        while _goes_on(lane, until_s) and lane.backlog():
            if not _contained(lane, lane.run_once):
                time.sleep(0.05)
    replay, first = worker.replay, worker.lanes[0]
    while replay is not None and _goes_on(first, until_s) and replay.waits():
        if not _contained(first, lambda: replay.run_once(lambda: first.abandoned)):
            break


def _why(lane: Lane) -> str:
    return lane.reason or ("it does not answer" if lane.abandoned else "it took too long")


def _goes_on(lane: Lane, until_s: float) -> bool:
    return not lane.abandoned and time.monotonic() < until_s and lane.failures < GIVE_UP_AFTER


def _contained(lane: Lane, turn: Callable[[], bool]) -> bool:
    """Whether the turn moved anything; what a sink raises beside SinkError is a failure like any other."""
    try:
        return turn()
    except SinkError as error:
        if not lane.abandoned:
            lane.failed(str(error), someone_must_act=True)
        return False
    except Exception as error:  # noqa: BLE001  a sink is a plugin: what it raises is contained here
        if not lane.abandoned:  # else the state may be closed already
            lane.failed(f"{lane.key}: {type(error).__name__}: {error}", someone_must_act=True)
        return False


def _close(sink: Sink) -> None:
    try:
        sink.close()
    except Exception as error:  # noqa: BLE001  a sink is a plugin: what it raises is contained here
        log.warning("%s: does not close: %s", sink.target, error)
