"""The query that a rule runs, as text."""

from __future__ import annotations

from typing import Any

from ..detect.evaluate import Evaluation, literal
from ..detect.windows import Window
from .conditions import Condition, Conditions
from .rules import DetectorRule, RowRule


def sql(rule: DetectorRule, window_end_us: int | None = None) -> str:
    """The detector's query with its tunables filled in, and with a window's bounds where its end is given."""
    detector = rule.detector
    window = Window((window_end_us or 0) - detector.window_s * 1_000_000, window_end_us or 0)
    work = Evaluation(detector, "", window, (), rule.tuning)
    if window_end_us is None:
        return work.sql("$window_start", "$window_end").strip()
    return work.sql(str(window.start_us), str(window.end_us)).strip()


def row_sql(rule: RowRule) -> str:
    """The same question of a row rule in SQL; what runs are Arrow's kernels (of Sigma rules, its condition in SQL)."""
    where = [rule.sigma.sql] if rule.sigma is not None else []
    where += [_sql(rule.where)] if rule.where != Conditions() else []
    tail = f"\nWHERE {' AND '.join(where)}" if where else ""
    first, *others = rule.tables
    more = f"  -- and so of {', '.join(others)}" if others else ""
    return f"SELECT *\nFROM {first}{more}{tail}"


def _sql(held: Conditions) -> str:
    parts = [_sql_of(c) for c in held.each]
    if held.some:
        parts.append(f"({' OR '.join(f'({_sql(s)})' for s in held.some)})")
    return " AND ".join(parts) or "TRUE"


def _sql_of(condition: Condition) -> str:
    name, values = condition.field, condition.values
    if condition.operator == "known":
        return f"{name} IS {'NOT ' if values[0] else ''}NULL"
    if condition.operator in ("at_least", "at_most"):
        return f"{name} {'>=' if condition.operator == 'at_least' else '<='} {_value(values[0])}"
    each = {
        "is": lambda v: f"CAST({name} AS INET) <<= {_value(v)}" if "/" in str(v) else f"{name} = {_value(v)}",
        "below": lambda v: f"({name} = {_value(v)} OR {name} LIKE {_value('%.' + str(v))})",
        "starts_with": lambda v: f"starts_with({name}, {_value(v)})",
        "matches": lambda v: f"regexp_matches({name}, {_value(v)})",
    }
    if condition.operator == "not":
        return f"({name} IS NULL OR NOT ({' OR '.join(each['is'](v) for v in values)}))"
    some = " OR ".join(each[condition.operator](v) for v in values)
    return f"({some})" if len(values) > 1 else some


def _value(value: Any) -> str:
    return literal(value) if isinstance(value, (str, bool)) else str(value)
