"""How far event time has come, for one sensor and the tables that a detector reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from ..plugin import MICROS

ANY = "*"  # the table of a log that may hold rows of every table: EVE, before its first row


@dataclass(eq=False)
class Stream:
    """One log's part in one table. `reached_us`: greatest `end_ts` of its committed rows, None before the first.

    `unread`: the log has bytes that are not committed yet. `last_row_s`: when its last row came, monotonic clock.
    """

    sensor: str
    table: str
    log: str
    reached_us: int | None = None
    unread: bool = False
    last_row_s: float = 0.0


class Watermarks:
    """The streams of all sensors; decides when a window is sealed, never what is in it.

    A stream holds the watermark back while it is unread and for `idle_after_s` after its last row. When none of those
    behind a detector's tables holds, the watermark goes on from their greatest reach at the pace of the clock. A log
    of which nothing is committed yet holds everything; EVE, which is one log per event type, holds where it is read
    to for the types that it has not told for `idle_after_s`, since it always has bytes that are unread.
    """

    def __init__(self, idle_after_s: float) -> None:
        self.idle_after_s = idle_after_s
        self._streams: dict[tuple[str, str, str], Stream] = {}
        self._of_log: defaultdict[tuple[str, str], list[Stream]] = defaultdict(list)
        self._begun: set[tuple[str, str]] = set()

    def stream(self, sensor: str, table: str, log: str, *, now_s: float) -> Stream:
        """The stream of this log (its name and node) in this table; a new one counts as having had a row just now."""
        key = (sensor, table, log)
        if key not in self._streams:
            self._streams[key] = Stream(sensor, table, log, last_row_s=now_s)
            self._of_log[sensor, log].append(self._streams[key])
        return self._streams[key]

    def set_unread(self, logs: Collection[tuple[str, str]]) -> None:
        """Says which logs, as (sensor, log), have bytes that are not committed; all others have none."""
        for stream in self._streams.values():
            stream.unread = (stream.sensor, stream.log) in logs

    def reach(self, sensor: str, log: str) -> int | None:
        """How far the committed rows of a log reach, in µs of event time."""
        reached = [s.reached_us for s in self._of_log.get((sensor, log), ())]
        return max((r for r in reached if r is not None), default=None)

    def begin(self, sensor: str, log: str) -> None:
        """Something of a log is committed: from now on it holds by its rows only, be they few or none."""
        self._begun.add((sensor, log))

    def advance(self, sensor: str, table: str, log: str, reached_us: int, *, now_s: float) -> None:
        """Committed rows of a log reach up to `reached_us` (never backwards)."""
        self.begin(sensor, log)
        stream = self.stream(sensor, table, log, now_s=now_s)
        stream.reached_us = reached_us if stream.reached_us is None else max(stream.reached_us, reached_us)
        stream.last_row_s = now_s

    def knows(self, sensor: str, tables: Collection[str]) -> bool:
        """Whether the sensor has a log that has, or may yet show to have, rows of these tables."""
        return any(s.sensor == sensor and s.table in (*tables, ANY) for s in self._streams.values())

    def sensors(self) -> list[str]:
        return sorted({s.sensor for s in self._streams.values()})

    def of(self, sensor: str, tables: Collection[str], *, now_s: float) -> int | None:
        """The watermark in µs of event time; None while nothing is known, or a log has bytes but nothing committed."""
        streams = [s for s in self._streams.values() if s.sensor == sensor and s.table in (*tables, ANY)]
        if any(s.unread and (sensor, s.log) not in self._begun for s in streams):
            return None
        known = {s: s.reached_us for s in streams if s.reached_us is not None}
        holding = [self._held(s, now_s) for s in known if s.unread or not self._silent(s, now_s)]
        if holding or not known:
            return min((h for h in holding if h is not None), default=None)
        silent_s = now_s - max(s.last_row_s for s in known) - self.idle_after_s
        return max(known.values()) + max(0, int(silent_s * MICROS))

    def _silent(self, stream: Stream, now_s: float) -> bool:
        return now_s - stream.last_row_s >= self.idle_after_s

    def _held(self, stream: Stream, now_s: float) -> int | None:
        """Where a stream holds: at its reach, or, where its log goes on without rows of it (EVE), at the log's."""
        return self.reach(stream.sensor, stream.log) if self._silent(stream, now_s) else stream.reached_us
