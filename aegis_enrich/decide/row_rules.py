"""Row rules: which rows of a batch they mean, aggregated per entity and period before anything is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from .document import Describe, iso
from .fold import UIDS, Fold, rank
from .overrides import Verdict
from .rules import RowRule, RuleSet
from .seen import SCOPES, Seen
from .templates import braced, filled


@dataclass(frozen=True)
class RowHit:
    """What a rule made of the rows of one entity and period in one batch; `suppressed` rows are only counted."""

    rule: RowRule
    entity: dict[str, Any]
    period_us: int
    fold: Fold
    suppressed: bool = False


def evaluate_rows(
    rules: RuleSet, table: str, sensor: str, rows: pa.Table, describe: Describe = lambda kind, value: {}
) -> list[RowHit]:
    """The hits of all rules over the rows of a table; columns that the table lacks are null.

    `describe` tells of the ends of the row that speaks for an alert what its columns do not.
    """
    hits: list[RowHit] = []
    by_sigma = rules.sigma.matches(table, rows) if rules.sigma is not None else {}
    for rule in rules.rows.values():
        if table in rule.tables and (rule.sigma is None or rule.id in by_sigma):
            some = rows if rule.sigma is None else rows.take(pa.array(by_sigma[rule.id]))
            named = _scoped(rules, rule, _named(rule, some))
            meant = named.filter(rule.where.mask(named))
            covered = [s.mask(meant) for s in rules.suppressions(rule)] if meant.num_rows else []
            if covered:
                wanted = reduce(pc.or_, covered)
                hits.extend(replace(h, suppressed=True) for h in _hits(rule, sensor, meant.filter(wanted), describe))
                meant = meant.filter(pc.invert(wanted))
            hits.extend(_hits(rule, sensor, meant, describe))
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


def _scoped(rules: RuleSet, rule: RowRule, rows: pa.Table) -> pa.Table:
    """The rows with `orig_scope` and `resp_scope` where conditions ask for them."""
    asked = {*rule.where.fields, *(f for s in rules.suppressions(rule) for f in s.where.fields)}
    for scope, internal in SCOPES.items():
        if scope in asked and internal in rows.column_names and scope not in rows.column_names:
            rows = rows.append_column(scope, pc.if_else(rows[internal], "internal", "external"))
    return rows


@dataclass(frozen=True)
class _Meant:
    """The rows that a rule means, as lists by column, with what the rule makes of each."""

    columns: Mapping[str, list[Any]]
    first_us: list[int]
    last_us: list[int]
    uids: list[str | None]
    severities: list[int]
    scores: list[float]
    techniques: Callable[[int], tuple[str, ...]]  # of a row by its number


def _hits(rule: RowRule, sensor: str, rows: pa.Table, describe: Describe) -> list[RowHit]:
    if not rows.num_rows:
        return []
    meant = _meant(rule, rows, describe)
    keys = sorted(c for c in rule.entity if c in meant.columns)
    periods = [floor_to(t, rule.period_us) for t in meant.last_us]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, key in enumerate(zip(periods, *(meant.columns[c] for c in keys), strict=True)):
        groups.setdefault(key, []).append(number)
    absent = {c: None for c in rule.entity if c not in keys}
    hits = []
    for (period_us, *values), numbers in groups.items():
        entity = dict(sorted({**dict(zip(keys, values, strict=True)), **absent}.items()))
        wanted = [n for n in numbers if meant.severities[n]]
        for some in (wanted, [n for n in numbers if not meant.severities[n]]):
            if some:
                fold = _fold(rule, sensor, meant, some)
                hits.append(RowHit(rule, entity, period_us, fold, suppressed=some is not wanted))
    return hits


def _meant(rule: RowRule, rows: pa.Table, describe: Describe) -> _Meant:
    columns = {c: _values(rows[c]) for c in _columns(rule) if c in rows.column_names}
    nothing = [None] * rows.num_rows
    severities = [rule.severity.of(v) for v in columns.get(rule.severity.column, nothing)]
    said = columns.get(rule.score_column, nothing)
    scores = [_score(rule, value, severity) for value, severity in zip(said, severities, strict=True)]
    first_us, last_us = (rows[c].cast(pa.int64()).to_pylist() for c in ("ts", "end_ts"))

    def verdict(number: int) -> Verdict:
        values = Seen({column: held[number] for column, held in columns.items()}, describe)
        said = Verdict(severities[number], _techniques(rule, values))
        return rule.judged(said, scores[number], values, last_us[number])

    judged = severities
    if rule.overrides or rule.by_tactic:
        judged = [verdict(number).severity for number in range(rows.num_rows)]
    return _Meant(columns, first_us, last_us, rows["uid"].to_pylist(), judged, scores, lambda n: verdict(n).techniques)


def _techniques(rule: RowRule, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that the row's column names, and those that the rule chooses for it."""
    said = values.get(rule.attack_column) or ()
    known = [t for t in ([said] if isinstance(said, str) else said) if attack().knows(t)]
    return tuple(dict.fromkeys([*known, *rule.chosen(values)]))


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
    return {
        "severity": meant.severities[number],
        "score": meant.scores[number],
        "time_us": meant.first_us[number],
        "context": {c: values[c] for c in CONTEXT if values.get(c) is not None and rule.context.get(c) != ""},
        "evidence": {c: values[c] for c in rule.evidence if values.get(c) is not None},
        "title": filled(rule.title, values),
        "reason": rule.told(values),
        "attack": list(meant.techniques(number)),
    }


def _columns(rule: RowRule) -> list[str]:
    named = [*braced(rule.title), *braced(rule.reason), *(f for t in rule.techniques if t.when for f in t.when.fields)]
    named += [f for o in rule.overrides for f in o.fields]
    columns = [*CONTEXT, *rule.entity, *rule.evidence, *named]
    columns += [rule.severity.column, rule.score_column, rule.attack_column]
    return list(dict.fromkeys(c for c in columns if c))
