"""A rule in words: what it reads, how it decides, and what the site changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..plugin import HOUR_US, DerivedTable
from .conditions import Condition, Conditions
from .overrides import Override
from .rules import DetectorRule, RowRule, Rule
from .severities import NONE, WORDS, RowSeverity, Severity
from .suppression import Suppression
from .techniques import Technique

OPERATORS = {
    "is": "is {}",
    "not": "is not {}",
    "at_least": "is at least {}",
    "at_most": "is at most {}",
    "below": "is {} or below it",
    "starts_with": "begins with {}",
    "matches": "matches {}",
}


def conditions(held: Conditions) -> str:
    """`orig_h is 10.0.0.5 and evidence.ports is at least 100`; "" where there are none."""
    parts = [_condition(c) for c in held.each]
    if held.some:
        parts.append(f"({' or '.join(conditions(s) for s in held.some)})")
    return " and ".join(parts)


def _condition(condition: Condition) -> str:
    if condition.operator == "known":
        return f"{condition.field} is {'' if condition.values[0] else 'not '}known"
    values = " or ".join(str(v).lower() if isinstance(v, bool) else str(v) for v in condition.values)
    return f"{condition.field} {OPERATORS[condition.operator].format(values)}"


def ladder(lines: Sequence[Severity]) -> list[str]:
    """Each line of a list of severities; of those that hold the last counts."""
    return [
        f"{WORDS[line.severity]} from a score of {line.at_least:g}"
        + (f" where {conditions(line.when)}" if line.when != Conditions() else "")
        for line in lines
    ]


def row_severity(held: RowSeverity) -> list[str]:
    """The word of a row rule, or what its column's values mean."""
    said = [f"{WORDS[s]} where {held.column} is {value}" for value, s in held.map.items()]
    said += [f"{WORDS[s]} from {held.column} {least:g}" for least, s in held.bands]
    return [*said, f"{WORDS[held.otherwise]} otherwise"] if said else [WORDS[held.otherwise]]


def override(held: Override) -> str:
    """What an override changes, where and when."""
    where = conditions(held.where)
    at = [*([f"where {where}"] if where else []), *([] if held.hours.always else [f"at {held.hours}"])]
    changes = [] if held.enabled else ["no alert"]
    changes += [f"no alert below a score of {held.at_least:g}"] if held.at_least else []
    changes += [f"severity anew: {'; '.join(ladder(held.severities))}"] if held.severities else []
    changes += [mapped(held.changed)] if held.changed else []
    changes += [f"ATT&CK {', '.join(techniques(held.techniques))}"] if held.techniques else []
    reason = f" ({held.reason})" if held.reason else ""
    return f"{' '.join(at) or 'always'}: {', '.join(changes)}{reason}"


def mapped(changed: Mapping[int, int]) -> str:
    if len(set(changed.values())) == 1 and len(changed) == len(WORDS):
        return f"severity {WORDS.get(next(iter(changed.values())), NONE)}"
    return ", ".join(f"{WORDS[a]} becomes {WORDS.get(b, NONE)}" for a, b in sorted(changed.items()))


def techniques(held: Sequence[Technique]) -> list[str]:
    """Each technique, and when it holds."""
    return [
        t.written + (f" where {conditions(t.when)}{' (instead of the others)' if t.instead else ''}" if t.when else "")
        for t in held
    ]


def suppression(held: Suppression) -> str:
    """What a suppression covers and why."""
    return f"where {conditions(held.where)}: {held}"


def tunables(rule: DetectorRule) -> Iterator[dict[str, Any]]:
    """Each tunable: its value, its default, its unit and what it is."""
    for field in fields(rule.tuning):
        value = getattr(rule.tuning, field.name)
        yield {
            "name": field.name,
            "value": value,
            "default": field.default,
            "unit": field.metadata.get("unit", ""),
            "doc": field.metadata.get("doc", ""),
        }


def timing(rule: DetectorRule) -> str:
    """Its window, how often it runs and when."""
    detector = rule.detector
    lateness = (
        f"{rule.lateness_s} s after it (the rule's)"
        if rule.lateness_s is not None
        else f"{detector.lateness_s} s after it, {detector.lateness_suricata_s} s where Suricata fills the table"
    )
    look = [f"joins see {detector.lookback_s} s before it"] if detector.lookback_s else []
    look += [f"derived tables {detector.past_s} s"] if detector.past_s else []
    look += [f"at once by {', '.join(detector.early)}"] if detector.early else []
    return "; ".join((f"{detector.window_s} s, each {detector.every_s} s, decided {lateness}", *look))


def reads(rule: DetectorRule | RowRule, tables: Mapping[str, type[DerivedTable]]) -> list[str]:
    """The tables that it reads; of derived ones with those that they are made of."""
    if isinstance(rule, RowRule):
        return list(rule.tables)
    made = [f"{t} (hours of {', '.join(tables[t].reads)})" if t in tables else t for t in rule.detector.derived]
    return [*rule.detector.reads, *made]


def period(rule: Rule) -> str:
    return "hour" if rule.period_us == HOUR_US else "day"
