"""Runs a detector over rows at hand, window by window, as the engine does at the end of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..plugin import HOUR_US, MICROS, DerivedTable, Detector, Finding
from ..store.views import View
from .evaluate import CHUNK_ROWS, Derivation, Evaluation, Limits, derived_schema, stamped
from .together import Together, spanning
from .windows import Window, with_rows

Schema = Callable[[str], pa.Schema]


@dataclass(frozen=True)
class Held:
    """One table's rows; `paths` are the Parquet files that hold the same rows, where they are in files."""

    rows: pa.Table
    paths: tuple[str, ...] = ()

    def hours(self, column: str = "end_ts") -> set[int]:
        """Starts of the hours that hold rows."""
        times = self.rows[column].cast(pa.int64()).to_numpy()
        return {int(h) for h in np.unique(times // HOUR_US) * HOUR_US}

    def view(self, name: str, schema: pa.Schema, start_us: int, end_us: int, *, derived: bool = False) -> View:
        rows = None if self.paths else _fitted(self.rows, schema)
        sources = pc.unique(self.rows["source"]).to_pylist() if "source" in self.rows.column_names else []
        source = sources[0] or "" if len(sources) == 1 else ""
        return View(name, schema, start_us, end_us, self.paths, self.rows.num_rows, derived, rows, source)


@dataclass(frozen=True)
class Replay:
    """How to run: `schema` gives a table's columns with those of the enrichers; `tables` are the derived ones."""

    schema: Schema
    tables: Mapping[str, type[DerivedTable]] = field(default_factory=dict)
    sensor: str = "sensor"
    limits: Limits = field(default_factory=lambda: Limits(threads=1))
    shards: int = 1
    chunk_rows: int = CHUNK_ROWS
    together: bool = False  # all windows in one query, where it may be

    def findings(
        self,
        detector: type[Detector],
        held: Mapping[str, Held],
        tuning: Any = None,
        windows: Sequence[Window] | None = None,
    ) -> list[Finding]:
        """What it finds in these windows, in their order; without `windows`, in all that hold rows."""
        made = {name: Held(self.derive(self.tables[name], held)) for name in detector.derived}
        if windows is None:
            windows = list(self.windows(detector, held, made))
        chosen, shards = detector.tuning() if tuning is None else tuning, self._shards(detector)

        def over(span: Window) -> Evaluation:
            views = tuple(self._views(detector, held, made, span))
            return Evaluation(detector, self.sensor, span, views, chosen, self.limits, shards, self.chunk_rows)

        return [finding for found in self._each(windows, over) for finding in found]

    def derive(self, table: type[DerivedTable], held: Mapping[str, Held]) -> pa.Table:
        """A derived table of every hour that holds rows, with `sensor` and `hour_us` as in the lake."""
        hours = sorted({h for name in table.reads if name in held for h in held[name].hours()})

        def over(span: Window) -> Derivation:
            views = tuple(self._view(name, held, span.start_us, span.end_us) for name in table.reads)
            return Derivation(table, self.sensor, span.start_us, views, self.limits, self._shards(table))

        made = self._each([Window(hour, hour + HOUR_US) for hour in hours], over)
        parts = [stamped(rows, self.sensor, hour) for hour, rows in zip(hours, made, strict=True)]
        return pa.concat_tables([derived_schema(table).empty_table(), *parts])

    def _each(self, windows: Sequence[Window], over: Callable[[Window], Evaluation | Derivation]) -> list[Any]:
        if self.together and len(windows) > 1:
            together = Together(over(spanning(windows)), tuple(windows))
            if not any(view.pairs for view in together.views):
                return together.run()
        return [over(window).run() for window in windows]

    def windows(self, detector: type[Detector], held: Mapping[str, Held], made: Mapping[str, Held]) -> Iterator[Window]:
        hours = {h for name in detector.reads if name in held for h in held[name].hours()}
        hours |= {h for rows in made.values() for h in rows.hours("hour_us")}
        return with_rows(sorted(hours), detector.window_s, detector.every_s, after_us=None)

    def _views(
        self, detector: type[Detector], held: Mapping[str, Held], made: Mapping[str, Held], window: Window
    ) -> Iterator[View]:
        start = window.start_us - detector.lookback_s * MICROS
        for name in detector.reads:
            yield self._view(name, held, start, window.end_us)
        past = window.start_us - (detector.past_s or detector.lookback_s) * MICROS
        for name, rows in made.items():
            yield rows.view(name, rows.rows.schema, past, window.end_us, derived=True)

    def _view(self, name: str, held: Mapping[str, Held], start_us: int, end_us: int) -> View:
        schema = self.schema(name)
        return held[name].view(name, schema, start_us, end_us) if name in held else View(name, schema, start_us, end_us)

    def _shards(self, plugin: type[Detector] | type[DerivedTable]) -> int:
        return self.shards if plugin.shard_key else 1


def _fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in these columns; those that they lack are null, as in a segment that an older version wrote."""
    columns = [rows[f.name] if f.name in rows.column_names else pa.nulls(len(rows), f.type) for f in schema]
    return pa.table(columns, schema=schema)
