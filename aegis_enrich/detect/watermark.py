"""How far event time has come, for one sensor and the tables that a detector reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..plugin import MICROS


@dataclass
class Stream:
    """One log's part in one table. `reached_us`: greatest `end_ts` of its committed rows, None before the first.

    `unread`: the log has bytes that are not committed yet. `last_row_s`: when its last row came, monotonic clock.
    """

    sensor: str
    table: str
    reached_us: int | None = None
    unread: bool = False
    last_row_s: float = 0.0


class Watermarks:
    """The streams of all sensors; decides when a window is sealed, never what is in it.

    A stream holds the watermark back while it is unread and for `idle_after_s` after its last row. When none of those
    behind a detector's tables holds, the watermark goes on from their greatest reach at the pace of the clock.
    """

    def __init__(self, idle_after_s: float) -> None:
        self.idle_after_s = idle_after_s
        self._streams: dict[tuple[str, str, str], Stream] = {}

    def stream(self, sensor: str, table: str, log: str, *, now_s: float) -> Stream:
        """The stream of this log (its name and node) in this table; a new one counts as having had a row just now."""
        key = (sensor, table, log)
        if key not in self._streams:
            self._streams[key] = Stream(sensor, table, last_row_s=now_s)
        return self._streams[key]

    def set_unread(self, logs: Collection[tuple[str, str]]) -> None:
        """Says which logs, as (sensor, log), have bytes that are not committed; all others have none."""
        for (sensor, _, of_log), stream in self._streams.items():
            stream.unread = (sensor, of_log) in logs

    def reach(self, sensor: str, log: str) -> int | None:
        """How far the committed rows of a log reach, in µs of event time."""
        reached = [s.reached_us for (of, _, name), s in self._streams.items() if (of, name) == (sensor, log)]
        return max((r for r in reached if r is not None), default=None)

    def advance(self, sensor: str, table: str, log: str, reached_us: int, *, now_s: float) -> None:
        """Committed rows of a log reach up to `reached_us` (never backwards)."""
        stream = self.stream(sensor, table, log, now_s=now_s)
        stream.reached_us = reached_us if stream.reached_us is None else max(stream.reached_us, reached_us)
        stream.last_row_s = now_s

    def sensors(self) -> list[str]:
        return sorted({s.sensor for s in self._streams.values()})

    def of(self, sensor: str, tables: Collection[str], *, now_s: float) -> int | None:
        """The watermark in µs of event time; None while nothing is known, or a log with unread bytes has no row yet."""
        streams = [s for s in self._streams.values() if s.sensor == sensor and s.table in tables]
        holding = [s for s in streams if s.unread or now_s - s.last_row_s < self.idle_after_s]
        if any(s.reached_us is None and s.unread for s in holding):
            return None
        reached = [s.reached_us for s in holding if s.reached_us is not None]
        if reached:
            return min(reached)
        silent = [s.reached_us for s in streams if s.reached_us is not None]
        if not silent:
            return None
        silent_s = now_s - max(s.last_row_s for s in streams) - self.idle_after_s
        return max(silent) + max(0, int(silent_s * MICROS))
