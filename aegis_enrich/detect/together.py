"""Runs a detector over several windows, or a derived table over several hours, in one query.

DuckDB takes longer to plan many a query than to run it over an hour of few rows. Here it is planned once: the windows
are rows, to each of which is joined (LATERAL) what the plugin's query gives over the rows of that window. DuckDB takes
that apart into a query which keeps the windows' rows, groups and joins apart and runs over all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..store.views import View, create_view
from .evaluate import Derivation, Evaluation, Limits, literal, names, nothing_in, result, session
from .windows import Window

WINDOWS, ROWS = 64, 2_000_000  # in one query at most
HOUR_ROWS = 8  # rows that one of a derived table counts for: it may hold a list of what was in its hour
_ALL = "all "  # before the name of a table that holds the rows of all windows
_SLICES = "slices of "  # before the name of a table: which slices of time a window sees of it


@dataclass(frozen=True)
class Together:
    """The same work over each of several windows, ascending. `work`: over all of them, with all rows in its views."""

    work: Evaluation | Derivation
    windows: tuple[Window, ...]

    @property
    def views(self) -> tuple[View, ...]:
        return self.work.views

    @property
    def limits(self) -> Limits:
        return self.work.limits

    @property
    def rows(self) -> int:
        """Rows that its query goes through, at most: where windows overlap, those of each, and of hours `HOUR_ROWS`."""
        return sum(self._rows(view) for view in self.views)

    def run(self) -> list[Any]:
        """What the work gives of each window, in their order."""
        if nothing_in(self.work):
            return [self.work.at(window).made(()) for window in self.windows]
        with session(self.limits) as connection:
            needed = names(self.work.plugin)
            for view in self.views:
                create_view(connection, view.of(needed), prefix=_ALL)
                connection.register("slices", self._slices(view))  # of rows that are in a table DuckDB knows how many
                connection.execute(f'CREATE TEMP TABLE "{_SLICES}{view.name}" AS SELECT * FROM slices')
            rows = result(connection, self._sql(), streamed=False).read_all()
        of, made = rows["this window"], rows.drop_columns(["this window"])
        there = set(pc.unique(of).to_pylist())
        return [
            self.work.at(window).made(made.filter(pc.equal(of, n)).to_batches() if n in there else ())
            for n, window in enumerate(self.windows)
        ]

    def _sql(self) -> str:
        windows = (f"({n}, {literal(w.start_us)}, {literal(w.end_us)})" for n, w in enumerate(self.windows))
        tables = (f'"{v.name}" AS NOT MATERIALIZED ({self._of_window(v)})' for v in self.views)
        query = self.work.sql('"this window".start_us', '"this window".end_us')
        return f"""
            SELECT "this window".n AS "this window", made.*
            FROM (VALUES {", ".join(windows)}) AS "this window" (n, start_us, end_us),
                LATERAL (WITH {", ".join(tables)} SELECT * FROM ({query}) AS made) AS made"""

    def _of_window(self, view: View) -> str:
        """Its rows, by the slices of time that they lie in: rows find their windows without trying each."""
        time = "hour_us" if view.derived else "end_us"
        return f"""
            SELECT a.* FROM "{_ALL}{view.name}" AS a, "{_SLICES}{view.name}" AS s
            WHERE (a.{time} - {literal(view.start_us)}) // {self._slice_us(view)} = s.slice AND s.n = "this window".n"""

    def _slices(self, view: View) -> pa.Table:
        slice_us, whole = self._slice_us(view), self.work.window
        seen = [
            range((w.start_us - whole.start_us) // slice_us, (w.end_us - view.start_us) // slice_us)
            for w in self.windows
        ]
        of = np.repeat(np.arange(len(seen)), [len(slices) for slices in seen])
        return pa.table({"n": of, "slice": np.concatenate([np.asarray(slices, np.int64) for slices in seen])})

    def _slice_us(self, view: View) -> int:
        """The longest into which all windows, as they see this table, can be cut."""
        begins = (w.start_us - self.work.window.start_us for w in self.windows)
        return gcd(*begins, *(w.end_us - view.start_us for w in self.windows))

    def _back_us(self, view: View) -> int:
        """How far before its start a window sees the rows of a table."""
        return self.work.window.start_us - view.start_us

    def _rows(self, view: View) -> int:
        ends = [w.end_us for w in self.windows]
        step = min(later - earlier for earlier, later in pairwise(ends))
        seen = ends[0] - self.windows[0].start_us + self._back_us(view)
        return view.rows * (HOUR_ROWS if view.derived else 1) * min(len(ends), -(-seen // step))


def spanning(windows: Sequence[Window]) -> Window:
    """From the first window's start to the last one's end."""
    return Window(windows[0].start_us, windows[-1].end_us)
