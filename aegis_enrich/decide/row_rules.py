"""Row rules: which rows of a batch they mean, aggregated per entity and period before anything is kept."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from ..detect.evaluate import plain
from ..detect.windows import floor_to
from ..plugin import CONTEXT
from .attack import attack
from .fold import UIDS, Fold, rank
from .rules import RowRule


@dataclass(frozen=True)
class RowHit:
    """What a rule made of the rows of one entity and period in one batch."""

    rule: RowRule
    entity: dict[str, Any]
    period_us: int
    fold: Fold


def evaluate_rows(rules: Iterable[RowRule], table: str, sensor: str, rows: pa.Table) -> list[RowHit]:
    """The hits of all rules over the rows of a table; columns that the table lacks are null."""
    hits = []
    for rule in rules:
        if table in rule.tables:
            mask = rule.where.mask(rows)
            if mask is not None:
                hits.extend(_hits(rule, sensor, rows.filter(mask)))
    return hits


def _hits(rule: RowRule, sensor: str, rows: pa.Table) -> list[RowHit]:
    if not rows.num_rows:
        return []
    held = [c for c in _columns(rule) if c in rows.column_names]
    frame = pd.DataFrame({c: rows[c].to_pylist() for c in held}, dtype=object)
    frame["first_us"] = rows["ts"].cast(pa.int64()).to_numpy()
    frame["last_us"] = rows["end_ts"].cast(pa.int64()).to_numpy()
    frame["uid"] = rows["uid"].to_pylist()
    frame["period_us"] = frame["last_us"] // rule.period_us * rule.period_us
    keys = [c for c in rule.entity if c in held]
    hits = []
    for _, group in frame.groupby([*keys, "period_us"], dropna=False, sort=True):
        hits.append(_hit(rule, sensor, keys, group))
    return hits


def _hit(rule: RowRule, sensor: str, keys: Sequence[str], group: pd.DataFrame) -> RowHit:
    bests = [_best(rule, row) for row in group.to_dict("records")] if len(group) <= UIDS else _best_of_many(rule, group)
    best = min(bests, key=rank)
    first = group.sort_values(["first_us", "uid"]).head(UIDS)
    uids = [(int(t), str(u)) for t, u in zip(first["first_us"], first["uid"], strict=True) if u]
    fold = Fold(
        count=len(group),
        first_us=int(group["first_us"].min()),
        last_us=int(group["last_us"].max()),
        start_us=int(group["first_us"].min()),
        end_us=int(group["last_us"].max()),
        severity=best["severity"],
        score=best["score"],
        sensors=(sensor,),
        best=best,
        uids=tuple(uids),
    )
    head = group.iloc[0]
    entity = {c: plain(head[c]) for c in keys} | {c: None for c in rule.entity if c not in keys}
    return RowHit(rule, dict(sorted(entity.items())), floor_to(int(head["last_us"]), rule.period_us), fold)


def _best_of_many(rule: RowRule, group: pd.DataFrame) -> list[dict[str, Any]]:
    """Of many rows, those that can lead: the earliest among the worst."""
    column = rule.severity.column
    severities = group[column].map(rule.severity.of) if column in group else pd.Series(0, index=group.index)
    worst = group[severities == severities.max()]
    return [_best(rule, row) for row in worst[worst["first_us"] == worst["first_us"].min()].to_dict("records")]


def _best(rule: RowRule, row: dict[Any, Any]) -> dict[str, Any]:
    values = {str(k): plain(v) for k, v in row.items()}
    values |= {shown: value for shown, column in rule.context.items() if (value := values.get(column)) is not None}
    severity = rule.severity.of(values.get(rule.severity.column) if rule.severity.column else None)
    score = severity / 100
    if rule.score_column and isinstance(values.get(rule.score_column), (int, float)):
        score = min(max(values[rule.score_column] / rule.score_most, 0.0), 1.0)
    techniques = values.get(rule.attack_column) if rule.attack_column else None
    known = [t for t in techniques or () if attack().knows(t)]
    return {
        "severity": severity,
        "score": round(score, 6),
        "time_us": int(row["first_us"]),
        "context": {c: values[c] for c in CONTEXT if values.get(c) is not None},
        "evidence": {c: values[c] for c in rule.evidence if values.get(c) is not None},
        "title": filled(rule.title, values),
        "reason": filled(rule.reason, values),
        "attack": list(dict.fromkeys([*known, *rule.attack])),
    }


def _columns(rule: RowRule) -> list[str]:
    named = [name for text in (rule.title, rule.reason) for _, name, _, _ in string.Formatter().parse(text) if name]
    columns = [*CONTEXT, *rule.entity, *rule.context.values(), *rule.evidence, *named]
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
