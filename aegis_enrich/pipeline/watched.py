"""What the engine's thread tells of itself as it goes round: samples for scrapes, health documents, signs of life."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..observe.documents import KIND, Minutes, put
from ..observe.notify import Notifier
from ..observe.vitals import Lag, Sample, Vitals
from ..plugin import MICROS
from ..store import DiskFull

if TYPE_CHECKING:
    from .engine import Engine

SAMPLE_S = 5.0


class Watched:
    """Called by a live engine's loop; looks things up every few seconds and hands them on as values."""

    def __init__(
        self,
        vitals: Vitals,
        notifier: Notifier,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.vitals, self.notifier = vitals, notifier
        self._clock, self._wall_s = clock, wall_s
        self.before_reload: Callable[[], None] = lambda: None
        self._minutes = Minutes()
        self._sampled_s = float("-inf")

    def begin(self, engine: Engine) -> None:
        """The loop begins: from now on the run is ready."""
        self._sample(engine)
        self._minutes.due(self._wall_s())  # the first one begins
        self.vitals.phase = "running"
        self.vitals.beat()
        self.notifier.ready(self.status())

    def round(self, engine: Engine, *, room: bool) -> None:
        """The loop went round."""
        self.vitals.beat()
        self.vitals.paused = not room
        if self._clock() - self._sampled_s >= SAMPLE_S:
            self._sample(engine)
        if self._minutes.due(self._wall_s()):
            self._tell_minute(engine)
        self.notifier.beat(self.status)

    def end(self) -> None:
        """The loop has ended."""
        self.vitals.phase = "stopping"
        self.notifier.stopping("stopping: committing and delivering what was read")

    def status(self) -> str:
        """A line for people."""
        lags = self.vitals.sample.lag.values()
        rows = int(sum(self.vitals.rows.copy().values()))
        behind = max((lag.seconds for lag in lags), default=0.0)
        said = f"{rows:,} rows of {len(lags)} logs" if lags else "waiting for logs"
        if self.vitals.paused:
            said += "; the disk is full, reading waits"
        elif behind:
            said += f"; {sum(lag.bytes for lag in lags) / 1e6:,.1f} MB and {behind:,.0f} s behind"
        return said + ("; the rules on disk are refused" if self.vitals.rules and self.vitals.rules.refused else "")

    def _sample(self, engine: Engine) -> None:
        self._sampled_s = self._clock()
        now_us = int(self._wall_s() * MICROS)
        enrichment = engine.parts.enrichment
        self.vitals.sample = Sample(
            lag=lags(engine.follower.lag_by_log(), self.vitals.newest_us, now_us),
            watermark_us=watermarks(engine, self._clock()),
            waiting_rows=engine.intake.waiting_rows,
            unreadable=len(engine.follower.unreadable),
            free_bytes=engine.store.free_bytes(),
            failures=enrichment.failures,
            disabled=enrichment.disabled,
        )

    def _tell_minute(self, engine: Engine) -> None:
        """Puts the minute's documents into the outbox, where a sink takes them; a full disk does without."""
        self._sample(engine)
        lanes = [lane for lanes in engine.delivery.lanes.values() for lane in lanes]
        waiting = max((lane.backlog() for lane in lanes if not getattr(lane, "table", "")), default=0)
        refused = sum(getattr(lane, "outcomes", {}).get("refused", 0) for lane in lanes)
        made = self._minutes.take(self.vitals, self._wall_s(), outbox=waiting, refused=refused)
        if made and any(KIND in sink.takes() for sink in engine.delivery.sinks.values()):
            try:
                with engine.store.transaction() as tx:
                    put(tx, made)
            except DiskFull:  # the next minute's say it again
                return


def lags(
    left: Mapping[tuple[str, str], int], newest_us: Mapping[tuple[str, str], int], now_us: int
) -> dict[tuple[str, str], Lag]:
    """By sensor and log, of the bytes that lie unread and the greatest `end_ts` read."""
    found = {}
    for key, size in left.items():
        newest = newest_us.get(key)
        found[key] = Lag(size, max(0.0, (now_us - newest) / MICROS) if size and newest is not None else 0.0)
    return found


def watermarks(engine: Engine, now_s: float) -> dict[str, int]:
    """By sensor, up to where every detector and derived table in force has rows; without those that have none yet."""
    scheduler = engine.scheduler
    reads = {w.detector.reads for w in scheduler.watches.values() if w.detector.reads}
    reads |= {t.reads for t in scheduler.tables.values()}
    found = {}
    for sensor in engine.marks.sensors():
        known = [m for r in reads if (m := engine.marks.of(sensor, r, now_s=now_s)) is not None]
        if known:
            found[sensor] = min(known)
    return found
