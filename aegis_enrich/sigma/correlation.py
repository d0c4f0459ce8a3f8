"""Sigma's correlation rules as detectors: one query over the rows that the rules in them match."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaCorrelationRuleError

from ..plugin import Detector
from ..tables import TABLES
from .compiled import Compiled
from .detector import Plan, detector_of
from .sequence import Branch, Measure, counted_sql, ordered_sql
from .taxonomy import NUMBER, TEXT, Column, Place

DAY_S = 86_400
EVERY_S = (300, 600, 900, 1_800, 3_600)
AT_LEAST = {SigmaCorrelationConditionOperator.GTE: ">=", SigmaCorrelationConditionOperator.GT: ">"}
KINDS = SigmaCorrelationType
_OF_VALUES = {
    KINDS.VALUE_COUNT: "count(DISTINCT v)",
    KINDS.VALUE_SUM: "sum(v)",
    KINDS.VALUE_AVG: "avg(v)",
    KINDS.VALUE_MEDIAN: "quantile_cont(v, 0.5)",
    KINDS.VALUE_PERCENTILE: "quantile_cont(v, {share})",
}
_TEMPORAL = (KINDS.TEMPORAL, KINDS.TEMPORAL_ORDERED)
_OTHERS_NAME = ("smb_files", "weird", "software")  # in which `name` is no host's


def correlation(rule: SigmaCorrelationRule, rule_id: str, rules: Mapping[int, Compiled]) -> type[Detector]:
    """The detector of a correlation, `rules` by the identity of pySigma's; raises SigmaError where it cannot be one.

    Its window is the timespan and as much again as lies between two evaluations, so that whatever fits into the
    timespan lies whole in one window; each last row is looked at once.
    """
    referred = rule.referenced_rules
    held = [_compiled(rule, reference, rules) for reference in referred]
    span_s = _span_s(rule)
    every_s = next((e for e in EVERY_S if 2 * e >= span_s), EVERY_S[-1])
    groups = [_group(rule, field, referred, held) for field in rule.group_by or ()]
    branches = _branches(rule, held, groups)
    measure = _measure(rule)
    write = ordered_sql if rule.type is KINDS.TEMPORAL_ORDERED else counted_sql
    names = [name for name, _ in groups]
    plan = Plan(
        name=rule_id,
        title=rule.title,
        kind=rule.type.name.lower(),
        reads=tuple(dict.fromkeys(b.table for b in branches)),
        sql=write(branches, measure, names, span_s, every_s),
        window_s=-(-(span_s + every_s) // every_s) * every_s,
        every_s=every_s,
        span_s=span_s,
        groups=tuple(names),
        shard_key=_shard_key(names, branches),
        least=measure.least,
        strictly=measure.operator == ">",
        field=_field(rule),
        parts=tuple(r.rule.title for r in referred),
    )
    return detector_of(plan)


def _compiled(rule: SigmaCorrelationRule, reference: SigmaRuleReference, rules: Mapping[int, Compiled]) -> Compiled:
    if isinstance(reference.rule, SigmaCorrelationRule):
        raise _wrong(f"'{reference.reference}' is a correlation itself; write one over rules of single events")
    if id(reference.rule) not in rules:
        raise _wrong(f"'{reference.reference}' does not check, and so this does not")
    return rules[id(reference.rule)]


def _span_s(rule: SigmaCorrelationRule) -> int:
    if rule.timespan.seconds > DAY_S:
        raise _wrong(
            f"timespan: '{rule.timespan.spec}' is longer than a day, for which no rows are read again; write up to 1d"
        )
    return rule.timespan.seconds


def _measure(rule: SigmaCorrelationRule) -> Measure:
    condition = rule.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        if rule.type is KINDS.TEMPORAL_ORDERED:
            raise _wrong("condition: an ordered sequence is of all its rules; list them under rules")
        names = [reference.reference for reference in rule.referenced_rules]
        holds, least = _present(condition.parsed, names)
        return Measure("count(DISTINCT slot)", ">=", least, holds)
    if condition.op not in AT_LEAST:
        raise _wrong(
            f"condition: {condition.op.name.lower()} holds at the first row already, before the rest has come;"
            " write gt or gte"
        )
    if rule.type is KINDS.TEMPORAL_ORDERED and condition.count != len(rule.referenced_rules):
        raise _wrong("condition: an ordered sequence is of all its rules; leave the condition out")
    share = (condition.percentile if condition.percentile is not None else 50) / 100
    measure = _OF_VALUES.get(rule.type, "count(DISTINCT slot)" if rule.type in _TEMPORAL else "count(*)")
    return Measure(measure.format(share=share), AT_LEAST[condition.op], condition.count)


def _present(node: SigmaRuleReference | CorrelationConditionItem, names: Sequence[str]) -> tuple[str, int]:
    """Which rules have rows in a span, as SQL over `mask`, and how many there must be at least."""
    if isinstance(node, SigmaRuleReference):
        return f"mask & {1 << names.index(node.reference)} <> 0", 1
    if isinstance(node, CorrelationConditionNOT):
        raise _wrong("condition: not: what may still come is not absent; leave it out, or suppress by it")
    parts = [_present(arg, names) for arg in node.args]
    both = isinstance(node, CorrelationConditionAND)
    joined = (" AND " if both else " OR ").join(f"({sql})" for sql, _ in parts)
    return f"({joined})", (sum if both else min)(least for _, least in parts)


def _field(rule: SigmaCorrelationRule) -> str:
    field = getattr(rule.condition, "fieldref", None)
    if isinstance(field, list) and len(field) > 1:
        raise _wrong(f"condition: one field is counted, not {', '.join(field)}")
    return str(field[0] if isinstance(field, list) else field or "")


def _branches(
    rule: SigmaCorrelationRule, held: Sequence[Compiled], groups: Sequence[tuple[str, list[str]]]
) -> list[Branch]:
    """A query of rows for each rule; rules that count alike over one table are one, so that no row counts twice."""
    values = [_value(rule, field, h.place) if (field := _field(rule)) else "NULL" for h in held]
    made: dict[tuple[object, ...], Branch] = {}
    for slot, (mine, value) in enumerate(zip(held, values, strict=True)):
        by = tuple(expressions[slot] for _, expressions in groups)
        key = (slot,) if rule.type in _TEMPORAL else (mine.place.table, by, value)
        where = f"({made[key].where}) OR ({mine.sql})" if key in made else mine.sql
        made[key] = Branch(mine.place.table, where, slot, by, value)
    return list(made.values())


def _group(
    rule: SigmaCorrelationRule, field: str, referred: Sequence[SigmaRuleReference], held: Sequence[Compiled]
) -> tuple[str, list[str]]:
    """A field of `group-by`: its name in the finding, and what it is in each rule's rows."""
    columns = [h.place.column(_aliased(rule, field, reference)) for reference, h in zip(referred, held, strict=True)]
    names = {"" if _is_other(c, h.place) else c.name for c, h in zip(columns, held, strict=True)}
    plain = names.pop() if len(names) == 1 else ""
    return plain or re.sub(r"\W", "_", field), [_single(c, field) for c in columns]


def _is_other(column: Column, place: Place) -> bool:
    """Whether a column has a name that means something else in a document."""
    return column.name == "name" and place.table in _OTHERS_NAME


def _aliased(rule: SigmaCorrelationRule, field: str, reference: SigmaRuleReference) -> str:
    """The field that an alias means in the rows of a rule."""
    known = {reference.reference, str(reference.rule.id), reference.rule.name}
    for alias in rule.aliases if rule.aliases else ():
        if alias.alias == field:
            named = [f for ref, f in alias.mapping.items() if ref.reference in known]
            if not named:
                raise _wrong(f"aliases: '{field}' says nothing of {reference.reference}")
            return str(named[0])
    return field


def _single(column: Column, field: str) -> str:
    if column.extra:
        return f"lower(({column.sql})[1])"
    if column.several:
        raise _wrong(f"'{field}' holds lists; group and count by fields with one value")
    if column.kind in TEXT:
        return column.sql if column.kind == "addr" else f"lower({column.sql})"
    return column.sql if column.kind in NUMBER else f"CAST({column.sql} AS VARCHAR)"


def _value(rule: SigmaCorrelationRule, field: str, place: Place) -> str:
    column = place.column(field)
    if rule.type in (KINDS.VALUE_COUNT, KINDS.EVENT_COUNT, *_TEMPORAL):
        return _single(column, field)
    if column.kind not in NUMBER and not column.extra:
        raise _wrong(f"condition: '{field}' holds no numbers")
    return f"try_cast({_single(column, field)} AS DOUBLE)" if column.extra else column.sql


def _shard_key(names: Sequence[str], branches: Sequence[Branch]) -> str:
    """A column that all rows of a group share, and every table has under that name."""
    for number, name in enumerate(names):
        if all(b.by[number] == f'"{name}"' and name in TABLES[b.table].schema.names for b in branches):
            return name
    return ""


def _wrong(what: str) -> SigmaCorrelationRuleError:
    return SigmaCorrelationRuleError(what)
