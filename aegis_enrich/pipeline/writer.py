"""One flush: what was read of some logs since their last commit, on its way to disk beside the reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ..decide.row_rules import RowHit
from ..decode import BadLine
from ..follow import LogFile, LogState
from ..store import DeadLetter, LogProgress, Rows, Segment

Write = Callable[[Sequence[Rows]], list[Segment]]


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
    bytes: int = 0  # of the lines
    future: int = 0  # of these, further ahead of the wall clock than can be

    @property
    def urgent(self) -> bool:
        """Whether a row rule's alert waits in it."""
        return any(not hit.suppressed for hit in self.hits)

    def follow(self, later: Waiting) -> None:
        """Takes in what was read of the log after this."""
        self.state = later.state
        self.bad += later.bad
        self.hits += later.hits
        self.rows += later.rows
        self.bytes += later.bytes
        self.future += later.future
        for table, parts in later.tables.items():
            self.tables.setdefault(table, []).extend(parts)
        for table, reached_us in later.reached.items():
            self.reach(table, reached_us)

    def reach(self, table: str, reached_us: int) -> None:
        self.reached[table] = max(reached_us, self.reached.get(table, reached_us))


@dataclass(frozen=True)
class Flush:
    """What becomes durable together: the rows of these logs with their positions, and how logs stand of which no rows
    wait. (These may be read on while it is written: their states are those of its beginning.)"""

    logs: Mapping[LogFile, Waiting]
    done: Mapping[LogFile, LogState] = field(default_factory=dict)

    @property
    def hits(self) -> list[RowHit]:
        return [hit for w in self.logs.values() for hit in w.hits]

    def tables(self) -> dict[tuple[str, str], list[pa.Table]]:
        """The rows by (table, sensor), in the order in which they were read."""
        groups: dict[tuple[str, str], list[pa.Table]] = {}
        for file, waiting in self.logs.items():
            for table, parts in waiting.tables.items():
                groups.setdefault((table, file.sensor), []).extend(parts)
        return groups

    def rows(self) -> list[Rows]:
        """The rows as the lake takes them: a part per table, sensor and source."""
        return [Rows(*key, part) for key, parts in self.tables().items() for part in _by_source(parts)]

    def progress(self) -> list[LogProgress]:
        read = [LogProgress(w.state, dict(w.reached), w.rows, len(w.bad)) for w in self.logs.values()]
        return [*read, *(LogProgress(state, {}, 0, 0) for state in self.done.values())]

    def dead_letters(self) -> list[DeadLetter]:
        return [DeadLetter(w.state.path, b.offset, b.line, b.reason) for w in self.logs.values() for b in w.bad]


class Writer:
    """Writes the segments of one flush at a time, at once or in a thread of its own; the caller commits them."""

    def __init__(self, write: Write) -> None:
        """`write` makes rows durable and gives their segments; it raises DiskFull and leaves nothing behind."""
        self._write = write
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._begun: tuple[Flush, Future[list[Segment]]] | None = None

    @property
    def logs(self) -> Mapping[LogFile, Waiting]:
        """What was read of the logs that are being written."""
        return self._begun[0].logs if self._begun else {}

    @property
    def ready(self) -> bool:
        """Whether a flush was begun and its segments are written (or could not be)."""
        return self._begun is not None and self._begun[1].done()

    def begin(self, flush: Flush) -> None:
        """Begins to write; only once what was begun before is taken."""
        assert self._begun is None
        self._begun = flush, self._pool.submit(self.now, flush)

    def now(self, flush: Flush) -> list[Segment]:
        return self._write(flush.rows())

    def take(self) -> tuple[Flush, Callable[[], list[Segment]]] | None:
        """The flush that was begun, and a call that waits for its segments and raises what their writing raised."""
        begun, self._begun = self._begun, None
        return (begun[0], begun[1].result) if begun else None


def _by_source(parts: Sequence[pa.Table]) -> list[pa.Table]:
    """One table a source (Zeek, Suricata)."""
    whole = pa.concat_tables(parts)
    sources = pc.unique(whole["source"]).to_pylist()
    if len(sources) <= 1:
        return [whole] if whole.num_rows else []
    return [whole.filter(pc.equal(whole["source"], s)) for s in sorted(sources)]
