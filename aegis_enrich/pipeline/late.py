"""Late rows: those that come after a window that holds them was sealed, counted for each detector that counts them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from ..detect.scheduler import Scheduler
from ..plugin import HOUR_US
from ..store import Store

_NEVER_US = -(2**62)


def count_late(
    store: Store, scheduler: Scheduler, tx: sqlite3.Connection, sensor: str, table: str, rows: pa.Table
) -> int:
    """Counts, per detector and hour, the rows that it is shown and counts and that lie in a sealed window."""
    marks = _marks(store, scheduler, sensor, table)
    rows = rows.filter(pc.less(rows["end_ts"].cast(pa.int64()), max(marks.values(), default=_NEVER_US)))
    if rows.num_rows and store.shown_source(table, sensor) == "zeek":
        rows = rows.filter(pc.equal(rows["source"], "zeek"))
    if not rows.num_rows:
        return 0
    ends = rows["end_ts"].cast(pa.int64())
    late = 0
    for name, mark in marks.items():
        mask = pc.less(ends, mark)
        if counted := _counted(scheduler.watches[name].detector.counts.get(table, ()), rows):
            mask = pc.and_(mask, counted)
        hours = pc.value_counts(pc.floor(pc.divide(ends.filter(mask).cast(pa.float64()), HOUR_US)).cast(pa.int64()))
        for entry in hours.to_pylist():
            tx.execute(
                "INSERT INTO late_windows VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
                [sensor, name, entry["values"] * HOUR_US, entry["counts"]],
            )
        late = max(late, sum(e["counts"] for e in hours.to_pylist()))
    return late


def _marks(store: Store, scheduler: Scheduler, sensor: str, table: str) -> dict[str, int]:
    """By detector that reads a table, or what is derived from it: up to when it is sealed; without those of no mark."""
    sealed = {}
    for name, watch in scheduler.watches.items():
        detector = watch.detector
        derived = [n for n, t in scheduler.tables.items() if n in detector.derived and table in t.reads]
        units = [f"hour:{n}" for n in derived] + ([f"detector:{name}"] if table in detector.reads else [])
        marks = [m for unit in units if (m := store.sealed(sensor, unit)) is not None]
        if marks:
            sealed[name] = max(marks)
    return sealed


def _counted(alternatives: Sequence[Mapping[str, tuple[str, ...]]], rows: pa.Table) -> pa.ChunkedArray | None:
    """Which rows match one of the alternatives; None where every row counts."""
    masks = [
        reduce(pc.and_, [pc.is_in(rows[c], value_set=pa.array(v, pa.string())) for c, v in columns.items()])
        for columns in alternatives
    ]
    return reduce(pc.or_, masks) if masks else None
