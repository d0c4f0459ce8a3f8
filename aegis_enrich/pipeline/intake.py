"""Follow, decode, enrich and commit: from a sensor's bytes to durable rows, each once."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from ..decide.row_rules import RowHit
from ..decode import BadLine, decode
from ..detect.watermark import Watermarks
from ..enrich import Enrichment
from ..follow import Follower, LogFile, LogState
from ..plugin import HOUR_US
from ..store import DeadLetter, DiskFull, LogProgress, Rows, Store
from ..tables import TABLES

log = logging.getLogger(__name__)

READ_BYTES = 16 * 2**20
FUTURE_US = HOUR_US  # a row further ahead of the wall clock than this never moves the watermark

RowRules = Callable[[str, str, pa.Table], Sequence[RowHit]]


@dataclass
class Waiting:
    """What was read of one log since its last commit."""

    state: LogState
    since_s: float
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)
    bad: list[BadLine] = field(default_factory=list)
    hits: list[RowHit] = field(default_factory=list)
    reached: dict[str, int] = field(default_factory=dict)  # table -> greatest end_ts in µs
    rows: int = 0


@dataclass
class Counts:
    """What this run has read, by log name."""

    rows: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    future: int = 0
    bytes: int = 0


class Intake:
    """The reading side of the pipeline; `marks` tells the scheduler how far committed rows reach."""

    def __init__(
        self,
        follower: Follower,
        enrichment: Enrichment,
        store: Store,
        marks: Watermarks,
        *,
        rows: int,
        seconds: float,
        small_seconds: float,
        small_rows: int,
        clock: Callable[[], float] = time.monotonic,
        wall_us: Callable[[], int] | None = None,
    ) -> None:
        self.follower, self.enrichment, self.store, self.marks = follower, enrichment, store, marks
        self.limit_rows, self.seconds = rows, seconds
        self.small_seconds, self.small_rows = small_seconds, small_rows
        self.clock, self.wall_us = clock, wall_us
        self.row_rules: RowRules = lambda table, sensor, rows: ()
        self.apply_rows: Callable[[sqlite3.Connection, Sequence[RowHit]], None] = lambda tx, hits: None
        self.late: Callable[[sqlite3.Connection, str, str, pa.Table], int] = lambda tx, sensor, table, rows: 0
        self.counts = Counts()
        self._waiting: dict[LogFile, Waiting] = {}
        self._finished: list[LogFile] = []

    def read(self, limit: int = READ_BYTES) -> bool:
        """Reads on in the log that is furthest behind; False where none has anything to read."""
        pending = self.follower.pending()
        self._note_unread(pending)
        if not pending:
            return False
        file = min(enumerate(pending), key=lambda p: (self._reach(p[1]), p[0]))[1]
        chunk = self.follower.read(file, limit)
        if chunk is None:  # truncated or moved just now: the next look tells what it is
            return True
        waiting = self._waiting.get(file)
        decoded = decode(
            file.name, chunk.data, offset=chunk.log.position, context=chunk.log.context, sensor=file.sensor
        )
        file.context = decoded.context
        if waiting is None:
            waiting = self._waiting[file] = Waiting(chunk.end, self.clock())
        waiting.state = replace(chunk.end, context=decoded.context)
        waiting.bad.extend(decoded.bad)
        for table, rows in decoded.tables.items():
            enriched = self.enrichment.apply(table, rows)
            waiting.tables.setdefault(table, []).append(enriched)
            waiting.rows += rows.num_rows
            self._note_reach(waiting, table, rows)
            waiting.hits.extend(self.row_rules(table, file.sensor, enriched))
        self.counts.bytes += len(chunk.data)
        self.counts.rows[file.name] += sum(t.num_rows for t in decoded.tables.values())
        self.counts.bad[file.name] += len(decoded.bad)
        return True

    @property
    def waiting_rows(self) -> int:
        return sum(w.rows for w in self._waiting.values())

    def flush_due(self) -> bool:
        """Commits what has waited long enough, or everything where too many rows wait; True where it did."""
        now = self.clock()
        due = [f for f, w in self._waiting.items() if w.hits or now - w.since_s >= self._patience(w)]
        if self.waiting_rows >= self.limit_rows:
            due = list(self._waiting)
        if due:
            self.flush(due)
        return bool(due)

    def flush(self, files: Sequence[LogFile] | None = None) -> None:
        """Commits the rows of these logs (of all) with their positions; raises DiskFull and keeps them if it cannot."""
        chosen = {f: self._waiting[f] for f in (self._waiting if files is None else files)}
        self._finished += self.follower.finished()
        done = [f for f in self._finished if f in chosen or f not in self._waiting]
        if not chosen and not done:
            return
        groups: dict[tuple[str, str], list[pa.Table]] = {}
        for file, waiting in chosen.items():
            for table, parts in waiting.tables.items():
                groups.setdefault((table, file.sensor), []).extend(parts)
        rows = [Rows(table, sensor, part) for (table, sensor), parts in groups.items() for part in _by_source(parts)]
        late: Counter[str] = Counter()

        def within(tx: sqlite3.Connection) -> None:
            self.apply_rows(tx, [hit for w in chosen.values() for hit in w.hits])
            late.clear()
            for (table, sensor), parts in groups.items():
                for part in parts:
                    late[table] += self.late(tx, sensor, table, part)

        self.store.flush(
            rows,
            [
                *(LogProgress(w.state, dict(w.reached), w.rows, len(w.bad)) for w in chosen.values()),
                *(LogProgress(f.state, {}, 0, 0) for f in done),
            ],
            [DeadLetter(w.state.path, b.offset, b.line, b.reason) for w in chosen.values() for b in w.bad],
            within=within,
        )
        self._finished = [f for f in self._finished if f not in done]
        self.counts.late.update(late)
        now = self.clock()
        for file, waiting in chosen.items():
            del self._waiting[file]
            for table, reached_us in waiting.reached.items():
                self.marks.advance(file.sensor, table, stream_of(file.name, file.node), reached_us, now_s=now)
        self._note_unread(self.follower.pending())

    def try_flush(self) -> bool:
        """`flush_due`, with a full disk told once and waited out: False while nothing can be written."""
        try:
            self.flush_due()
        except DiskFull as error:
            log.warning("%s; reading stops until there is room", error)
            return False
        return True

    def _patience(self, waiting: Waiting) -> float:
        return self.seconds if waiting.rows >= self.small_rows else max(self.seconds, self.small_seconds)

    def _note_reach(self, waiting: Waiting, table: str, rows: pa.Table) -> None:
        """Moves the reach of a table on to its greatest `end_ts`, rows of the future left out (and counted)."""
        ends = rows["end_ts"].cast(pa.int64())
        if self.wall_us is not None:
            near = pc.less_equal(ends, self.wall_us() + FUTURE_US)
            self.counts.future += rows.num_rows - (pc.sum(near).as_py() or 0)
            ends = ends.filter(near)
        most = pc.max(ends).as_py()
        if most is not None:
            waiting.reached[table] = max(most, waiting.reached.get(table, most))

    def _reach(self, file: LogFile) -> int:
        """How far this log has been read, for the choice of the next; a log that is new comes first."""
        waiting = self._waiting.get(file)
        committed = self.marks.reach(file.sensor, stream_of(file.name, file.node))
        return max([*(waiting.reached.values() if waiting else ()), -(2**62) if committed is None else committed])

    def _note_unread(self, pending: Sequence[LogFile]) -> None:
        for file in pending:
            if file.name in TABLES:  # so that it holds the watermark before its first row
                self.marks.stream(file.sensor, file.name, stream_of(file.name, file.node), now_s=self.clock())
        unread = {(f.sensor, stream_of(f.name, f.node)) for f in (*pending, *self._waiting)}
        self.marks.set_unread(unread)


def stream_of(name: str, node: str) -> str:
    """What tells one log of a sensor from another for the watermark: its name and the node that writes it."""
    return f"{name}-{node}" if node else name


def _by_source(parts: Sequence[pa.Table]) -> list[pa.Table]:
    """One table a source (Zeek, Suricata)."""
    whole = pa.concat_tables(parts)
    sources = pc.unique(whole["source"]).to_pylist()
    if len(sources) <= 1:
        return [whole] if whole.num_rows else []
    return [whole.filter(pc.equal(whole["source"], s)) for s in sorted(sources)]
