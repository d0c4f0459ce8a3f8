"""Row rules: which rows of a batch they mean, aggregated per entity and period before anything is kept."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from heapq import nsmallest
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..detect.evaluate import plain
from ..detect.windows import floor_to
from ..plugin import CONTEXT
from .attack import attack
from .columns import braced
from .document import iso
from .fold import UIDS, Fold, rank
from .rules import RowRule, RuleSet


@dataclass(frozen=True)
class RowHit:
    """What a rule made of the rows of one entity and period in one batch; `suppressed` rows are only counted."""

    rule: RowRule
    entity: dict[str, Any]
    period_us: int
    fold: Fold
    suppressed: bool = False


def evaluate_rows(rules: RuleSet, table: str, sensor: str, rows: pa.Table) -> list[RowHit]:
    """The hits of all rules over the rows of a table; columns that the table lacks are null."""
    hits: list[RowHit] = []
    for rule in rules.rows.values():
        if table in rule.tables:
            named = _named(rule, rows)
            meant = named.filter(rule.where.mask(named))
            covered = [s.mask(meant) for s in rules.suppressions(rule)] if meant.num_rows else []
            if covered:
                wanted = reduce(pc.or_, covered)
                hits.extend(replace(h, suppressed=True) for h in _hits(rule, sensor, meant.filter(wanted)))
                meant = meant.filter(pc.invert(wanted))
            hits.extend(_hits(rule, sensor, meant))
    return hits


def _named(rule: RowRule, rows: pa.Table) -> pa.Table:
    """The rows with columns under the names that the document knows; where such a one is null, its own value stays."""
    named = rows
    for name, column in rule.context.items():
        if column not in rows.column_names:
            continue
        values = rows[column]
        at = named.schema.get_field_index(name)
        if at < 0:
            named = named.append_column(name, values)
        elif column != name and values.type == named.schema.field(at).type:
            named = named.set_column(at, name, pc.coalesce(values, named.column(at)))
    return named


@dataclass(frozen=True)
class _Meant:
    """The rows that a rule means, as lists by column, with what the rule makes of each."""

    columns: Mapping[str, list[Any]]
    first_us: list[int]
    last_us: list[int]
    uids: list[str | None]
    severities: list[int]
    scores: list[float]


def _hits(rule: RowRule, sensor: str, rows: pa.Table) -> list[RowHit]:
    if not rows.num_rows:
        return []
    meant = _meant(rule, rows)
    keys = sorted(c for c in rule.entity if c in meant.columns)
    periods = [floor_to(t, rule.period_us) for t in meant.last_us]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, key in enumerate(zip(periods, *(meant.columns[c] for c in keys), strict=True)):
        groups.setdefault(key, []).append(number)
    absent = {c: None for c in rule.entity if c not in keys}
    hits = []
    for (period_us, *values), numbers in groups.items():
        entity = dict(sorted({**dict(zip(keys, values, strict=True)), **absent}.items()))
        hits.append(RowHit(rule, entity, period_us, _fold(rule, sensor, meant, numbers)))
    return hits


def _meant(rule: RowRule, rows: pa.Table) -> _Meant:
    columns = {c: _values(rows[c]) for c in _columns(rule) if c in rows.column_names}
    nothing = [None] * rows.num_rows
    severities = [rule.severity.of(v) for v in columns.get(rule.severity.column, nothing)]
    said = columns.get(rule.score_column, nothing)
    return _Meant(
        columns,
        rows["ts"].cast(pa.int64()).to_pylist(),
        rows["end_ts"].cast(pa.int64()).to_pylist(),
        rows["uid"].to_pylist(),
        severities,
        [_score(rule, value, severity) for value, severity in zip(said, severities, strict=True)],
    )


def _values(column: pa.ChunkedArray) -> list[Any]:
    """As JSON has them, times as texts."""
    if pa.types.is_timestamp(column.type):
        return [None if t is None else iso(t) for t in column.cast(pa.int64()).to_pylist()]
    return [plain(v) for v in column.to_pylist()]


def _score(rule: RowRule, value: Any, severity: int) -> float:
    """0.0-1.0: what the score's column says, else a hundredth of the severity."""
    known = isinstance(value, (int, float))
    return round(min(max(value / rule.score_most, 0.0), 1.0) if known else severity / 100, 6)


def _fold(rule: RowRule, sensor: str, meant: _Meant, numbers: Sequence[int]) -> Fold:
    """What these rows of one entity and period are together; the worst of them, then the earliest, speaks."""
    first_us = min(meant.first_us[n] for n in numbers)
    last_us = max(meant.last_us[n] for n in numbers)
    leading = min((-meant.scores[n], -meant.severities[n], meant.first_us[n]) for n in numbers)
    leaders = [n for n in numbers if (-meant.scores[n], -meant.severities[n], meant.first_us[n]) == leading]
    seen = {(meant.first_us[n], uid) for n in numbers if (uid := meant.uids[n])}
    return Fold(
        count=len(numbers),
        first_us=first_us,
        last_us=last_us,
        start_us=first_us,
        end_us=last_us,
        severity=max(meant.severities[n] for n in numbers),
        score=max(meant.scores[n] for n in numbers),
        sensors=(sensor,),
        best=min((_best(rule, meant, n) for n in leaders), key=rank),
        uids=tuple(nsmallest(UIDS, seen)),
    )


def _best(rule: RowRule, meant: _Meant, number: int) -> dict[str, Any]:
    values = {column: held[number] for column, held in meant.columns.items()}
    techniques = values.get(rule.attack_column) or ()
    known = [t for t in ([techniques] if isinstance(techniques, str) else techniques) if attack().knows(t)]
    return {
        "severity": meant.severities[number],
        "score": meant.scores[number],
        "time_us": meant.first_us[number],
        "context": {c: values[c] for c in CONTEXT if values.get(c) is not None},
        "evidence": {c: values[c] for c in rule.evidence if values.get(c) is not None},
        "title": filled(rule.title, values),
        "reason": filled(rule.reason, values),
        "attack": list(dict.fromkeys([*known, *rule.attack])),
    }


def _columns(rule: RowRule) -> list[str]:
    named = [*braced(rule.title), *braced(rule.reason)]
    columns = [*CONTEXT, *rule.entity, *rule.evidence, *named]
    columns += [rule.severity.column, rule.score_column, rule.attack_column]
    return list(dict.fromkeys(c for c in columns if c))


def filled(text: str, values: Mapping[str, Any]) -> str:
    """A text with columns in braces filled in; `?` where there is no value."""
    parts = []
    for literal, name, _, _ in string.Formatter().parse(text):
        parts.append(literal)
        if name:
            value = values.get(name)
            shown = "?" if value is None else value
            parts.append(", ".join(map(str, shown)) if isinstance(shown, list) else str(shown))
    return "".join(parts)
