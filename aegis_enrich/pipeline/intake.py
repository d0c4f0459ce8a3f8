"""Follow, decode, enrich and commit: from a sensor's bytes to durable rows, each once."""

from __future__ import annotations

import heapq
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from ..decide.row_rules import RowHit
from ..detect.watermark import ANY, Watermarks
from ..enrich import Enrichment
from ..follow import KAFKA, Chunk, LogFile, Source
from ..observe.vitals import Vitals
from ..plugin import HOUR_US
from ..store import Segment, Store
from ..store.state import add
from ..tables import OVERFLOWS, TABLES
from .chunks import decode_chunk
from .writer import Flush, Waiting, Writer

READ_BYTES = 4 * 2**20
LOOKED_AT = 64  # logs that are looked at for each that is read: of thousands, each look takes long
WAITING_BYTES = 256 * 2**20  # of lines whose rows are not committed yet: rows may be long
BESIDE_ROWS = 16_384  # a flush of fewer is written at once: beside the reading it would only be committed later
EARLY_S = 2.0  # how long rows of early tables wait at most
FUTURE_US = HOUR_US  # a row further ahead of the wall clock than this never moves the watermark

RowRules = Callable[[str, str, pa.Table], Sequence[RowHit]]


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
        follower: Source,
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
        vitals: Vitals | None = None,
    ) -> None:
        self.follower, self.enrichment, self.store, self.marks = follower, enrichment, store, marks
        self.limit_rows, self.seconds = rows, seconds
        self.small_seconds, self.small_rows = small_seconds, small_rows
        self.clock, self.wall_us = clock, wall_us
        self.vitals = vitals or Vitals()
        self.row_rules: RowRules = lambda table, sensor, rows: ()
        self.apply_rows: Callable[[sqlite3.Connection, Sequence[RowHit]], None] = lambda tx, hits: None
        self.early_tables: Collection[str] = ()  # their rows are committed soon and told to `early`
        self.early: Callable[[str, str, pa.Table], None] = lambda table, sensor, rows: None
        self.late: Callable[[sqlite3.Connection, str, str, pa.Table], int] = lambda tx, sensor, table, rows: 0
        self.counts = Counts()
        self._waiting: dict[LogFile, Waiting] = {}
        self._finished: list[LogFile] = []
        self._writer = Writer(self.vitals.flushes.timed(store.write, "write"))
        self.looked_s = clock()  # when it was last asked what there is to read
        self._idle = False  # nothing was there to read then
        self._failed = False  # the last flush could not be committed

    def read(self, limit: int = READ_BYTES) -> bool:
        """Reads on in the log that is furthest behind (of many, in some); False where none has anything to read."""
        pending = self.look()
        if not pending:
            return False
        some = 1 + len(pending) // LOOKED_AT
        for _, file in heapq.nsmallest(some, enumerate(pending), key=lambda p: (self._reach(p[1]), p[0])):
            chunk = self.follower.read(file, limit)
            if chunk is None:  # truncated or moved just now: the next look tells what it is
                break
            for one, lines in ((file, chunk), *chunk.beside):
                self._take(one, lines)
            limit -= len(chunk.data)
            if limit <= 0:
                break
        return True

    def _take(self, file: LogFile, chunk: Chunk) -> None:
        """Decodes and enriches what was read of a log, to wait until it is committed."""
        waiting = self._waiting.get(file)
        decoded = decode_chunk(file, chunk)
        file.context = decoded.context
        if waiting is None:
            waiting = self._waiting[file] = Waiting(chunk.end, self.clock())
        waiting.state = replace(chunk.end, context=decoded.context)
        waiting.bad.extend(decoded.bad)
        waiting.bytes += len(chunk.data)
        for table, rows in decoded.tables.items():
            enriched = self.enrichment.apply(table, rows)
            waiting.tables.setdefault(table, []).append(enriched)
            waiting.rows += rows.num_rows
            self._note_reach(file, waiting, table, rows)
            waiting.hits.extend(self.row_rules(table, file.sensor, enriched))
        if not chunk.data and not decoded.bad:
            return  # of messages, only how far they are read
        rows_read = sum(t.num_rows for t in decoded.tables.values())
        self.counts.bytes += len(chunk.data)
        self.counts.rows[file.name] += rows_read
        self.counts.bad[file.name] += len(decoded.bad)
        self.vitals.read(file.sensor, file.name, size=len(chunk.data), rows=rows_read, bad=len(decoded.bad))

    def look(self) -> list[LogFile]:
        """The logs with anything to read; they hold the watermark, though reading may have to wait."""
        self.looked_s = self.clock()
        pending = self.follower.pending()
        self._note_unread(pending)
        self._idle = not pending
        return pending

    @property
    def waiting_rows(self) -> int:
        return sum(w.rows for w in self._waiting.values())

    def _is_much(self) -> bool:
        """Whether what waits is to be committed whatever its age: lines may be long, and most of them bad."""
        waiting = self._waiting.values()
        lines = sum(w.rows + len(w.bad) for w in waiting)
        return lines >= self.limit_rows or sum(w.bytes for w in waiting) >= WAITING_BYTES

    def flush_due(self) -> bool:
        """Commits what has waited long enough, or everything where too many rows wait; True where it did.

        While there is more to read, the segments of a large flush are written beside it and committed by a later call.
        """
        if self._writer.ready or self._idle:
            self._settle()
        now = self.clock()
        due = self._together(f for f, w in self._waiting.items() if w.urgent or now - w.since_s >= self._patience(w))
        if self._is_much():
            due = list(self._waiting)
        beside = not self._idle and not self._failed and sum(self._waiting[f].rows for f in due) >= BESIDE_ROWS
        if beside:
            self._settle()
            self._writer.begin(self._chosen(due))
        elif due:
            self.flush(due)
        return bool(due)

    def flush(self, files: Sequence[LogFile] | None = None) -> None:
        """Commits the rows of these logs (of all) with their positions; raises DiskFull and keeps them if it cannot."""
        self._settle()
        flush = self._chosen(list(self._waiting) if files is None else files)
        if flush.logs or flush.done:
            self._commit(flush, lambda: self._writer.now(flush))

    def _together(self, files: Iterable[LogFile]) -> list[LogFile]:
        """These logs, those that wait and share a position with one of them, and those that wait of the same stream.

        What was read of a stream first is committed first, or its watermark would pass rows that wait.
        """
        chosen = {one: None for f in files for one in (f, *f.together)}
        streams = {(f.sensor, stream_of(f.name, f.node)) for f in chosen}
        return [f for f in self._waiting if f in chosen or (f.sensor, stream_of(f.name, f.node)) in streams]

    def _chosen(self, files: Sequence[LogFile]) -> Flush:
        """What waits of these logs, taken out, and the logs whose state is to be kept with nothing waiting."""
        logs = {f: self._waiting.pop(f) for f in files}
        self._finished += self.follower.finished()
        return Flush(logs, {f: f.state for f in self._finished if f not in self._waiting})

    def _settle(self) -> None:
        """Waits for the segments that are being written, and commits them; raises DiskFull as `flush` does."""
        begun = self._writer.take()
        if begun is not None:
            self._commit(*begun)

    def _commit(self, flush: Flush, written: Callable[[], Sequence[Segment]]) -> None:
        """Names the segments in the manifest with all that becomes true with them; where it cannot, all waits again."""
        late: Counter[tuple[str, str]] = Counter()

        def within(tx: sqlite3.Connection) -> None:
            self.apply_rows(tx, flush.hits)
            for file, waiting in flush.logs.items():
                add(tx, "future_rows", file.sensor, waiting.future)
            for (table, sensor), parts in flush.tables().items():
                for part in parts:
                    add(tx, "overflow_rows", sensor, _overflows(table, part))
                    late[sensor, table] += self.late(tx, sensor, table, part)

        try:
            segments = written()
            commit = self.vitals.flushes.timed(partial(self.store.commit, within=within), "commit")
            commit(segments, flush.progress(), flush.dead_letters())
        except BaseException:
            self._take_back(flush)
            raise
        self._failed = False
        self._finished = [f for f in self._finished if f not in flush.done]
        self.follower.committed({file: waiting.state for file, waiting in flush.logs.items()})
        for (sensor, table), number in late.items():
            self.counts.late[table] += number
            if number:
                self.vitals.late.add(sensor, table, by=number)
        now = self.clock()
        for file, waiting in flush.logs.items():
            self.marks.begin(file.sensor, stream_of(file.name, file.node))
            for table, reached_us in waiting.reached.items():
                self.marks.advance(file.sensor, table, stream_of(file.name, file.node), reached_us, now_s=now)
        for (table, sensor), parts in flush.tables().items():
            for part in parts if table in self.early_tables else ():
                self.early(table, sensor, part)
        self._note_unread(self.follower.pending())

    def _take_back(self, flush: Flush) -> None:
        """What could not be committed waits again, before what was read since; until it is, no flush runs beside."""
        self._failed = True
        for file, waiting in flush.logs.items():
            if file in self._waiting:
                waiting.follow(self._waiting[file])
        self._waiting = {**self._waiting, **flush.logs}

    def _patience(self, waiting: Waiting) -> float:
        if any(table in self.early_tables for table in waiting.tables):
            return min(self.seconds, EARLY_S)
        return self.seconds if waiting.rows >= self.small_rows else max(self.seconds, self.small_seconds)

    def _note_reach(self, file: LogFile, waiting: Waiting, table: str, rows: pa.Table) -> None:
        """Moves the reach of a table on to its greatest `end_ts`, rows of the future left out (and counted)."""
        ends = rows["end_ts"].cast(pa.int64())
        if self.wall_us is not None:
            near = pc.less_equal(ends, self.wall_us() + FUTURE_US)
            ahead = rows.num_rows - (pc.sum(near).as_py() or 0)
            waiting.future += ahead
            self.counts.future += ahead
            ends = ends.filter(near)
        most = pc.max(ends).as_py()
        if most is not None:
            waiting.reach(table, most)
            self.vitals.reach(file.sensor, file.name, most)

    def _reach(self, file: LogFile) -> int:
        """How far this log has been read, for the choice of the next; a log that is new comes first."""
        read = [w.reached.values() for w in (self._waiting.get(file), self._writer.logs.get(file)) if w]
        committed = self.marks.reach(file.sensor, stream_of(file.name, file.node))
        return max([*chain(*read), -(2**62) if committed is None else committed])

    def _note_unread(self, pending: Sequence[LogFile]) -> None:
        unread = {*((f.sensor, f.name, f.node) for f in pending), *self.follower.held_back}
        for sensor, name, node in unread:
            table = name if name in TABLES else ANY  # so that it holds the watermark before its first row
            self.marks.stream(sensor, table, stream_of(name, node), now_s=self.clock())
        unread |= {(f.sensor, f.name, f.node) for f in (*self._waiting, *self._writer.logs)}
        self.marks.set_unread({(sensor, stream_of(name, node)) for sensor, name, node in unread})


def _overflows(table: str, rows: pa.Table) -> int:
    """How many of the rows only say that the sensor could not keep count."""
    if table not in OVERFLOWS:
        return 0
    column, value = OVERFLOWS[table]
    return pc.sum(pc.equal(rows[column], value)).as_py() or 0


def stream_of(name: str, node: str) -> str:
    """What tells one log of a sensor from another for the watermark: its name and the node that writes it.

    A partition of Kafka is one log of many tables, as EVE is.
    """
    if node.startswith(KAFKA):
        return node
    return f"{name}-{node}" if node else name
