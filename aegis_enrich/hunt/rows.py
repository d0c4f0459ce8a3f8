"""Row rules over the segments of a lake, a batch at a time; Sigma's rules are among them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..decide import RowHit, RuleSet, evaluate_rows
from ..decide.document import Describe
from ..store import Segment
from ..store.common_lake import date_of
from .past import Past

BATCH_ROWS = 262_144


def row_hits(
    past: Past,
    rules: RuleSet,
    describe: Describe,
    since_us: int,
    until_us: int,
    progress: Callable[[str, int, int], None],
) -> Iterator[list[RowHit]]:
    """What the rules make of the rows with `end_ts` in `[since_us, until_us)`, a list a table, sensor and day."""
    tables = sorted({table for rule in rules.rows.values() for table in rule.tables})
    days = {(table, s.sensor, date_of(s)) for table in tables for s in past.segments(table, start_us=since_us)}
    for done, (table, sensor, date) in enumerate(sorted(days)):
        progress("rows", done, len(days))
        hits: list[RowHit] = []
        for rows in _day(past, table, sensor, date, since_us, until_us):
            hits += evaluate_rows(rules, table, sensor, rows, describe)
        yield hits


def _day(past: Past, table: str, sensor: str, date: str, since_us: int, until_us: int) -> Iterator[pa.Table]:
    """The rows of a day, by files that are there: where some were merged meanwhile, they lie in others of that day."""

    def files() -> list[Segment]:
        return [s for s in past.segments(table, sensor, start_us=since_us) if date_of(s) == date]

    if not past.bring([s.path for s in files()]):
        past.renew()
        past.bring([s.path for s in files()])
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(s.path.open("rb")) for s in files()]  # what is open stays, merged or not
        for file in opened:
            yield from _batches(pq.ParquetFile(file), since_us, until_us)


def _batches(file: pq.ParquetFile, since_us: int, until_us: int) -> Iterator[pa.Table]:
    for batch in file.iter_batches(BATCH_ROWS):
        rows = pa.Table.from_batches([batch])
        ends = rows["end_ts"].cast(pa.int64())
        yield rows.filter(pc.and_(pc.greater_equal(ends, since_us), pc.less(ends, until_us)))
