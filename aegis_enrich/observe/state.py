"""What the state tells to a scrape: by a connection of its own that only reads, so that nobody waits for it."""

from __future__ import annotations

import copy
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..deliver.lane import Lane
from ..errors import StateError
from ..plugin import MICROS
from ..store import Store

log = logging.getLogger(__name__)

Reading = tuple[str, tuple[str, ...], float]  # metric without `aegis_`, labels, value
Lanes = Mapping[str, Sequence[Lane]]  # sink to its lanes

KEPT_S = 5.0  # readings this young are given again: scrapers cannot make the state busy
COUNTERS = ("future_rows", "overflow_rows", "lost_bytes", "lost_messages", "retention_lost_windows")  # by sensor
WHOLE_COUNTERS = {
    "retention_undelivered_rows": "retention_undelivered_rows_total",
    "refused": "refused_documents_total",
    "outbox_dropped_health": "dropped_health_documents_total",
    "outbox_superseded": "superseded_documents_total",
}
OPENED, SUPPRESSED = "opened:", "suppressed:"


class StateReadings:
    """Reads `state.db` below `root` when asked, by any thread; `lanes`: those of the run, as they are now."""

    def __init__(self, root: Path, lanes: Callable[[], Lanes], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self.lanes, self._clock = root, lanes, clock
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._kept: tuple[Reading, ...] = ()
        self._read_s = float("-inf")
        self.ok = False  # whether the last reading was had

    def take(self) -> Sequence[Reading]:
        """The readings; none where the state cannot be read (it is not there yet, it is being brought up to date)."""
        with self._lock:
            if self._clock() - self._read_s >= KEPT_S:
                self._kept, self.ok = self._read(), self._store is not None
                self._read_s = self._clock()
            return self._kept

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _read(self) -> tuple[Reading, ...]:
        try:
            if self._store is None:
                self._store = Store(self._root, read_only=True)
            return tuple(readings(self._store, self.lanes(), time.time()))
        except (StateError, OSError, sqlite3.Error) as error:
            log.info("%s: no readings of the state: %s", self._root, error)
            self._forget()
            return ()

    def _forget(self) -> None:
        if self._store is not None:
            with suppress(sqlite3.Error, OSError):
                self._store.close()
            self._store = None


def readings(store: Store, lanes: Lanes, now_s: float) -> Iterator[Reading]:
    """All of them, by short queries over indices and small tables."""
    yield from _counters(store.counters())
    kinds = {"rows": (0, 0), "derived": (0, 0)}
    for derived, number, size in store.query(
        "SELECT derived, count(*), total(bytes) FROM segments WHERE tombstone_us IS NULL GROUP BY derived"
    ):
        kinds["derived" if derived else "rows"] = (number, size)
    for kind, (number, size) in kinds.items():
        yield "lake_segments", (kind,), number
        yield "lake_bytes", (kind,), size
    for sensor, detector, number in store.query(
        "SELECT sensor, detector, count(*) FROM windows_failed GROUP BY sensor, detector"
    ):
        yield "failed_windows", (sensor, detector), number
    for sensor, unit, sealed_us in store.query(
        "SELECT sensor, unit, sealed_us FROM sealed WHERE unit NOT LIKE 'rule:%'"
    ):
        yield "sealed_timestamp_seconds", (sensor, unit.partition(":")[2]), sealed_us / MICROS
    for detector, number in store.query(
        "SELECT detector, count(*) FROM alerts WHERE status = 'open' GROUP BY detector"
    ):
        yield "alerts_open", (detector,), number
    yield "incidents_open", (), store.query("SELECT count(*) FROM incidents WHERE status = 'open'")[0][0]
    for sink, its in lanes.items():
        yield from _waiting(store, sink, its, now_s)


def _counters(counters: Mapping[tuple[str, str], int]) -> Iterator[Reading]:
    for (name, sensor), value in counters.items():
        if name in COUNTERS:
            yield f"{name}_total", (sensor,), value
    for name, metric in WHOLE_COUNTERS.items():
        yield metric, (), sum(v for (n, _), v in counters.items() if n == name)
    suppressed: dict[str, int] = {}
    for (name, _), value in counters.items():
        if name.startswith(OPENED):
            rule, _, severity = name.removeprefix(OPENED).rpartition(":")
            yield "alerts_opened_total", (rule, severity), value
        elif name.startswith(SUPPRESSED):
            rule = name.removeprefix(SUPPRESSED)
            suppressed[rule] = suppressed.get(rule, 0) + value
    for rule, value in suppressed.items():
        yield "suppressed_findings_total", (rule,), value


def _waiting(store: Store, sink: str, lanes: Sequence[Lane], now_s: float) -> Iterator[Reading]:
    oldest_us: list[int] = []
    for lane in lanes:
        table = getattr(lane, "table", "")
        seen = copy.copy(lane)  # asks this connection, and leaves the lane's own cursor alone
        seen.store = store
        yield "outbox_documents", (sink, table or "documents"), seen.backlog()
        if not table:
            kinds = lane.sink.takes()
            marks = ", ".join("?" * len(kinds))
            rows = store.query(
                f"SELECT queued_us FROM outbox WHERE seq > ? AND kind IN ({marks}) ORDER BY seq LIMIT 1",
                [seen.cursor.position, *kinds],
            )
            oldest_us += [row[0] for row in rows]
    yield "outbox_oldest_age_seconds", (sink,), max(0.0, now_s - min(oldest_us) / MICROS) if oldest_us else 0.0
