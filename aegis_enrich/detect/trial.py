"""What running a detector or derived table over rows shows: the same result however the rows lie, and no other error.

For the authors of plugins, too: each function of `CHECKS` takes a `Trial` and gives what is wrong, a line each.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..evidence import misfits
from ..plugin import CONTEXT, HOUR_US, MICROS, DerivedTable, Detector, Finding
from ..tables import TIMESTAMP
from .conformance import columns_of
from .evaluate import UIDS, Limits
from .replay import Held, Replay
from .windows import Window

Rows = Mapping[str, pa.Table]
KEPT = ("ts", "end_ts", "sensor", "source")  # columns that no row is without
SCORED = ("score", "first_us", "last_us", "evidence", "reason", "uids", "period_us")
SHARDS = (3, 7)


@dataclass(frozen=True)
class Trial:
    """A plugin and enriched rows by table, such that a detector finds something in them; `folder` is for segments."""

    plugin: type[Detector] | type[DerivedTable]
    rows: Rows
    replay: Replay
    folder: Path
    tuning: Any = None
    cuts: int = 3  # how often they are cut at random

    def texts(self, rows: Mapping[str, Held], replay: Replay | None = None) -> list[str]:
        """What comes out, as canonical JSON."""
        if issubclass(self.plugin, DerivedTable):
            made = (replay or self.replay).derive(self.plugin, rows)
            return sorted(_text(row) for row in made.to_pylist())
        return [_text(asdict(finding)) for finding in self.findings(rows, replay)]

    def findings(
        self, rows: Mapping[str, Held], replay: Replay | None = None, windows: Sequence[Window] | None = None
    ) -> list[Finding]:
        """What a detector finds; a derived table finds nothing."""
        if issubclass(self.plugin, DerivedTable):
            return []
        return (replay or self.replay).findings(self.plugin, rows, self.tuning, windows)

    @cached_property
    def whole(self) -> list[str]:
        """What comes out of the rows as they are."""
        if issubclass(self.plugin, DerivedTable):
            return self.texts(self.as_they_are())
        return [_text(asdict(finding)) for finding in self.hits]

    @cached_property
    def hits(self) -> list[Finding]:
        """What a detector finds in the rows as they are."""
        return self.findings(self.as_they_are())

    def as_they_are(self) -> dict[str, Held]:
        """The rows of the tables that it reads."""
        return {name: Held(rows) for name, rows in self.held().items()}

    def held(self) -> dict[str, pa.Table]:
        return {name: rows for name, rows in self.rows.items() if name in self.logs()}

    def logs(self) -> tuple[str, ...]:
        """The tables of logs behind it."""
        derived = self.plugin.derived if issubclass(self.plugin, Detector) else ()
        return tuple(dict.fromkeys((*self.plugin.reads, *(t for d in derived for t in self.replay.tables[d].reads))))


def gives_something(trial: Trial) -> list[str]:
    """The rows are worth a trial."""
    return [] if trial.whole else ["nothing comes out of these rows; use rows that hold a hit"]


def well_formed(trial: Trial) -> list[str]:
    """What a finding says is complete and can be told."""
    if issubclass(trial.plugin, DerivedTable):
        return []
    columns: set[str] = set()
    watched = replace(trial, plugin=_watched(trial.plugin, columns))
    found = watched.findings(watched.as_they_are())
    unknown = columns - {*trial.plugin.entity, *CONTEXT, *SCORED}
    return [
        *(f"score gives {name}, which no document shows" for name in sorted(unknown)),
        *(f"{f.entity}: {problem}" for f in found for problem in _problems(trial.plugin, f)),
    ]


def same_however_cut(trial: Trial) -> list[str]:
    """Equal over segments cut at random, rows shuffled between and within them, by one thread or two."""
    wrong = []
    for seed in range(1, trial.cuts + 1):
        cut = {name: _cut(rows, trial.folder / f"{name}-{seed}", seed) for name, rows in trial.held().items()}
        replay = replace(trial.replay, limits=Limits(threads=1 + seed % 2))
        wrong += _differs(f"cut {seed}", trial.whole, trial.texts(cut, replay))
    return wrong


def same_in_shards(trial: Trial) -> list[str]:
    """Equal in hash shards, and when `score` gets one row at a time."""
    held, whole, wrong = trial.as_they_are(), trial.whole, []
    for shards in SHARDS if trial.plugin.shard_key else ():
        wrong += _differs(f"{shards} shards", whole, trial.texts(held, replace(trial.replay, shards=shards)))
    return wrong + _differs("single rows", whole, trial.texts(held, replace(trial.replay, chunk_rows=1)))


def same_with_threads(trial: Trial) -> list[str]:
    """Equal once more with one thread, and twice with two."""
    held = trial.as_they_are()
    runs = [trial.texts(held, replace(trial.replay, limits=Limits(threads=n))) for n in (1, 2, 2)]
    return [p for n, run in enumerate(runs, 2) for p in _differs(f"run {n}", trial.whole, run)]


def same_together(trial: Trial) -> list[str]:
    """Equal whether windows are run one by one or in one query: the rows, and again half a window later, and later."""
    step_us = trial.plugin.window_s * MICROS // 2 if issubclass(trial.plugin, Detector) else HOUR_US
    times = (0, step_us, 3 * max(step_us, HOUR_US))
    held = {
        name: Held(pa.concat_tables([shifted(rows, by_us) for by_us in times])) for name, rows in trial.held().items()
    }
    return _differs("together", trial.texts(held), trial.texts(held, replace(trial.replay, together=True)))


def same_when_later(trial: Trial) -> list[str]:
    """Whole hours later (whole `every`s, where they are longer), all is equal but the times."""
    every_s = trial.plugin.every_s if issubclass(trial.plugin, Detector) else 0
    by_us = 5 * max(HOUR_US, every_s * MICROS)
    later = {name: Held(shifted(rows, by_us)) for name, rows in trial.held().items()}
    if issubclass(trial.plugin, DerivedTable):
        moved = [_moved_row(trial.plugin, row, by_us) for row in trial.replay.derive(trial.plugin, later).to_pylist()]
        return _differs("later", trial.whole, sorted(_text(row) for row in moved))
    return _differs("later", trial.whole, [_text(asdict(_moved(f, -by_us))) for f in trial.findings(later)])


def found_over_an_edge(trial: Trial) -> list[str]:
    """Hits half a window later, and half an `every`, are hits still."""
    if issubclass(trial.plugin, DerivedTable):
        return []
    whole = {_whom(f) for f in trial.hits}
    wrong = []
    for by_us in (trial.plugin.window_s * MICROS // 2, trial.plugin.every_s * MICROS // 2):
        later = {name: Held(shifted(rows, by_us)) for name, rows in trial.held().items()}
        missing = whole - {_whom(f) for f in trial.findings(later)}
        wrong += [f"{by_us // MICROS} s later not found: {whom}" for whom in sorted(missing)]
    return wrong


def blind_to_later_rows(trial: Trial) -> list[str]:
    """Rows from the window's (or hour's) end on change nothing."""
    if issubclass(trial.plugin, DerivedTable):
        return _hour_blind(trial, trial.plugin)
    wrong = []
    for end_us in sorted({f.window_end_us for f in trial.hits})[-2:]:
        window = Window(end_us - trial.plugin.window_s * MICROS, end_us)
        early, both = _with_later(trial.held(), end_us)
        before = [_text(asdict(f)) for f in trial.findings(early, windows=[window])]
        after = [_text(asdict(f)) for f in trial.findings(both, windows=[window])]
        wrong += _differs(f"the window that ends at {end_us}", before, after)
    return wrong


def bears_missing_rows(trial: Trial) -> list[str]:
    """No table, empty tables, and columns that are null make no error; of no rows nothing comes."""
    empty = {name: _empty(trial.replay.schema(name), trial.folder / f"{name}-empty.parquet") for name in trial.logs()}
    ends = {f.window_end_us: Window(f.window_start_us, f.window_end_us) for f in trial.hits}
    held: Mapping[str, Held]
    wrong = []
    for held in ({}, empty):
        wrong += [f"of no rows comes {f}" for f in trial.findings(held, windows=list(ends.values()))]
        wrong += [f"of no rows comes {text}" for text in trial.texts(held)]
    for what, rows in _with_nulls(trial):
        try:
            texts = trial.texts({name: Held(nulled) for name, nulled in rows.items()})
        except Exception as error:  # noqa: BLE001  what a plugin raises is what is looked for
            wrong.append(f"{what} null: {type(error).__name__}: {error}")
            continue
        wrong += [f"{what} null: a finding without a score" for text in texts if '"score":null' in text]
    return wrong


def nothing_without_needs(trial: Trial) -> list[str]:
    """Of rows without those that it says it needs nothing comes, when its query is run all the same."""
    tables = trial.replay.tables
    logs = {log for name in trial.plugin.needs for log in (tables[name].reads if name in tables else (name,))}
    run = type(trial.plugin.__name__, (trial.plugin,), {"needs": (), "__module__": trial.plugin.__module__})
    left = {name: held for name, held in trial.as_they_are().items() if name not in logs}
    texts = replace(trial, plugin=run).texts(left) if logs else []
    return [f"without {', '.join(sorted(logs))} comes {text}" for text in texts]


CHECKS: Mapping[str, Callable[[Trial], list[str]]] = {
    check.__name__: check
    for check in (
        *(gives_something, well_formed, same_however_cut, same_in_shards, same_with_threads, same_together),
        *(same_when_later, found_over_an_edge, blind_to_later_rows, bears_missing_rows, nothing_without_needs),
    )
}


def shifted(rows: pa.Table, by_us: int) -> pa.Table:
    """The rows so much later."""
    for name in ("ts", "end_ts"):
        at = rows.schema.get_field_index(name)
        moved = pc.add(rows.column(at).cast(pa.int64()), by_us).cast(TIMESTAMP)
        rows = rows.set_column(at, rows.schema.field(at), moved)
    return rows


def _watched(detector: type[Detector], columns: set[str]) -> type[Detector]:
    """The detector, which also tells what columns its score gives."""

    def score(self: Detector, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        scored = detector.score(self, features, tuning)
        columns.update(scored.columns)
        return scored

    return type(detector.__name__, (detector,), {"score": score, "__module__": detector.__module__})


def _problems(detector: type[Detector], finding: Finding) -> Iterator[str]:
    if not 0.0 <= finding.score <= 1.0:
        yield f"score {finding.score} is not in 0.0 to 1.0"
    if not finding.reason.strip() or "\n" in finding.reason or not any(c.isdigit() for c in finding.reason):
        yield f"reason {finding.reason!r} is no sentence with the numbers in it"
    if not finding.evidence:
        yield "no evidence"
    yield from misfits(finding.evidence, detector.evidence)
    if all(value is None for value in finding.entity.values()):
        yield "an entity that is nobody"
    if not finding.first_us <= finding.last_us < finding.window_end_us:
        yield "first_us, last_us and the window's end are not in this order"
    if finding.last_us < finding.window_end_us - detector.every_s * MICROS:
        yield "no row in the last `every`: the window before told it"
    if len(finding.uids) > UIDS or not (finding.uids or detector.early):  # logs of scripts have no uid
        yield f"{len(finding.uids)} uids"
    try:
        json.dumps(asdict(finding), allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"cannot be written as JSON: {error}"


def _empty(schema: pa.Schema, path: Path) -> Held:
    """No rows, in a file, so that a query is run over them."""
    pq.write_table(schema.empty_table(), path)
    return Held(schema.empty_table(), (str(path),))


def _cut(rows: pa.Table, stem: Path, seed: int) -> Held:
    """The rows in another order, in up to six files."""
    chance = random.Random(seed)
    order = list(range(len(rows)))
    chance.shuffle(order)
    shuffled = rows.take(pa.array(order, pa.int64()))
    cuts = sorted(chance.choices(range(len(rows) + 1), k=5))
    paths = []
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
        if start < end:
            paths.append(str(stem.with_name(f"{stem.name}-{number}.parquet")))
            pq.write_table(shuffled.slice(start, end - start), paths[-1], row_group_size=2048)
    return Held(rows, tuple(paths))


def _with_later(rows: Rows, end_us: int) -> tuple[dict[str, Held], dict[str, Held]]:
    """The rows before `end_us`, and these with themselves again from `end_us` on."""
    early = {name: held.filter(pa.array(_ends(held) < end_us)) for name, held in rows.items()}
    least = min(int(_ends(held).min()) for held in early.values() if len(held))
    both = {name: pa.concat_tables([held, shifted(held, end_us - least)]) for name, held in early.items()}
    return {n: Held(r) for n, r in early.items()}, {n: Held(r) for n, r in both.items()}


def _hour_blind(trial: Trial, table: type[DerivedTable]) -> list[str]:
    last = max(h for held in trial.as_they_are().values() for h in held.hours())
    early, both = _with_later(trial.held(), last + HOUR_US)
    before, after = (trial.replay.derive(table, rows) for rows in (early, both))
    seen = after.filter(pc.less_equal(after["hour_us"], last))
    return _differs("the last hour", *(sorted(_text(r) for r in made.to_pylist()) for made in (before, seen)))


def _with_nulls(trial: Trial) -> Iterator[tuple[str, Rows]]:
    """The rows with nulls: all that may be null, another column in each row, then each column that the query names."""
    tables = [trial.plugin] if issubclass(trial.plugin, DerivedTable) else []
    tables += [trial.replay.tables[d] for d in (trial.plugin.derived if issubclass(trial.plugin, Detector) else ())]
    used = set().union(*(columns_of(p.sql()) for p in (trial.plugin, *tables))) - set(KEPT)
    yield "all columns", {n: _nulled(r, set(r.schema.names) - set(KEPT)) for n, r in trial.held().items()}
    yield "a column of each row", {n: _holed(r, sorted(used & set(r.schema.names))) for n, r in trial.held().items()}
    for name in trial.plugin.reads:  # those of derived tables have trials of their own
        for column in sorted(used & set(trial.rows[name].schema.names)) if name in trial.rows else ():
            yield f"{name}.{column}", {**trial.held(), name: _nulled(trial.rows[name], {column})}


def _holed(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The rows with the first of these columns null in the first of them, the second in the second, and so on."""
    numbers = np.arange(len(rows)) % (len(columns) + 1)
    for n, column in enumerate(columns):
        at = rows.schema.get_field_index(column)
        kept = pc.if_else(pa.array(numbers == n), pa.scalar(None, rows.schema.field(at).type), rows.column(at))
        rows = rows.set_column(at, rows.schema.field(at), kept)
    return rows


def _nulled(rows: pa.Table, columns: set[str]) -> pa.Table:
    arrays = [pa.nulls(len(rows), f.type) if f.name in columns else rows[f.name] for f in rows.schema]
    return pa.table(arrays, schema=rows.schema)


def _moved(finding: Finding, by_us: int) -> Finding:
    times = ("window_start_us", "window_end_us", "first_us", "last_us", "period_us")
    entity = {c: v + by_us if c == "start_us" else v for c, v in finding.entity.items()}
    return replace(finding, entity=entity, **{name: getattr(finding, name) + by_us for name in times})


def _moved_row(table: type[DerivedTable], row: Mapping[str, Any], by_us: int) -> dict[str, Any]:
    """A derived table's row so much earlier, by the units of its columns."""
    units = {c.name: c.unit for c in table.columns} | {"hour_us": "µs since the epoch"}
    moved = dict(row)
    for name, unit in units.items():
        by = by_us if unit == "µs since the epoch" else by_us // 1000 if unit == "ms since the epoch" else 0
        if by and row[name] is not None:
            moved[name] = [v - by for v in row[name]] if isinstance(row[name], list) else row[name] - by
    return moved


def _whom(finding: Finding) -> str:
    return _text({c: v for c, v in finding.entity.items() if c != "start_us"})


def _differs(what: str, expected: Sequence[str], found: Sequence[str]) -> list[str]:
    lost, new = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    wrong = [f"{what}: missing {text}" for text in lost[:3]] + [f"{what}: new {text}" for text in new[:3]]
    return wrong or ([] if list(expected) == list(found) else [f"{what}: another order or number"])


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _ends(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    ends: np.ndarray[Any, np.dtype[np.int64]] = rows["end_ts"].cast(pa.int64()).to_numpy()
    return ends
