"""The state's upkeep beside the reading, and what the other stages still need of it."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ..deliver import Delivery
from ..deliver.alerts import AlertLane
from ..deliver.rows import RowLane
from ..detect.scheduler import Scheduler
from ..errors import StateError
from ..plugin import MICROS
from ..store import Holds, Store, Upkeep

log = logging.getLogger(__name__)

EVERY_S = 60.0
NOTHING_SEALED_US = -(2**62)


class UpkeepBeside:
    """Runs the steps of an upkeep in a thread, one after the other while there is more to do, else once a minute."""

    def __init__(self, upkeep: Upkeep, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.upkeep, self.clock = upkeep, clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="upkeep")
        self._step: Future[bool] | None = None
        self._due_s = 0.0

    def go_on(self, holds: Callable[[], Holds], *, now_us: int) -> None:
        """Begins the next step where one is due and none is running."""
        if self._step is not None:
            if not self._step.done():
                return
            self._due_s = self.clock() + (0.0 if _contained(self._step.result) else EVERY_S)
            self._step = None
        if self.clock() >= self._due_s:
            self._step = self._pool.submit(self.upkeep.step, holds(), now_us=now_us)

    def run_here(self, holds: Callable[[], Holds], now_us: Callable[[], int], *, until: Callable[[], bool]) -> None:
        """Steps until there is no more to do, or until told."""
        more = True
        while more and not until():
            more = _contained(lambda: self.upkeep.step(holds(), now_us=now_us()))

    def close(self) -> None:
        """Waits for the step that is running."""
        self._pool.shutdown()
        if self._step is not None:
            _contained(self._step.result)
            self._step = None


def _contained(step: Callable[[], bool]) -> bool:
    """Whether there is more to do; what could not be done now (a full disk) is tried again in a minute."""
    try:
        return step()
    except (StateError, OSError, sqlite3.Error) as error:
        log.warning("%s; the upkeep of the state waits", error)
        return False


def holds(store: Store, delivery: Delivery, scheduler: Scheduler, sensors: Sequence[str]) -> Holds:
    """What sinks have not taken and what windows that are not evaluated need, as it is now.

    Cursors of sinks that this run does not have count for log rows, since those sinks may come back.
    """
    rows: dict[str, int] = {}
    outbox: dict[str, int] = {}
    for key, position in store.query("SELECT sink, position FROM cursors WHERE instr(sink, '#') > 0"):
        table = str(key).rpartition("#")[2]
        rows[table] = min(position, rows.get(table, position))
    for lane in (lane for lanes in delivery.lanes.values() for lane in lanes):
        position = lane.cursor.position
        if isinstance(lane, RowLane):
            rows[lane.table] = min(position, rows.get(lane.table, position))
        elif isinstance(lane, AlertLane):
            outbox |= {kind: min(position, outbox.get(kind, position)) for kind in lane.kinds}
    return Holds(rows, outbox, _needs(store, scheduler, sensors))


def _needs(store: Store, scheduler: Scheduler, sensors: Sequence[str]) -> dict[tuple[str, str], int]:
    """The least event time that the next window or hour of each detector and derived table reads."""
    needs: dict[tuple[str, str], int] = {}
    for sensor in sensors:
        for name, watch in scheduler.watches.items():
            kind = watch.detector
            mark = store.sealed(sensor, f"detector:{name}")
            span_us = (kind.window_s - kind.every_s) * MICROS
            for table in kind.reads:
                _lower(needs, table, sensor, mark, span_us + kind.lookback_s * MICROS)
            for table in kind.derived:
                _lower(needs, table, sensor, mark, span_us + (kind.past_s or kind.lookback_s) * MICROS)
        for name, derived in scheduler.tables.items():
            for table in derived.reads:
                _lower(needs, table, sensor, store.sealed(sensor, f"hour:{name}"), 0)
    return needs


def _lower(needs: dict[tuple[str, str], int], table: str, sensor: str, mark: int | None, back_us: int) -> None:
    least_us = NOTHING_SEALED_US if mark is None else mark - back_us
    needs[table, sensor] = min(least_us, needs.get((table, sensor), least_us))
