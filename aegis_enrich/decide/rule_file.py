"""A file that holds a rule, of a detector or over rows: strict, every problem with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..plugin import CONTEXT, Detector
from ..tables import TABLES
from .cases import Case, parse_cases
from .columns import Schema, check_detector_rule, check_row_rule, check_rows
from .conditions import Conditions, parse
from .investigate import parse_investigate
from .overrides import parse_overrides
from .rules import ABOUT, PERIODS, DetectorRule, RowRule
from .severities import parse_row_severity, parse_severities
from .source import Source
from .suppression import parse_suppressions
from .techniques import all_of, parse_techniques
from .templates import parse_template
from .tuning import parse_tuning

_COMMON = (
    *("id", "name", "title", "description", "version", "enabled", "severity", "attack", "per", "overrides", "suppress"),
    *("references", "false_positives", "investigate", "tests", "about"),
)
_DETECTOR = (*_COMMON, "detector", "tuning", "group_by", "lateness_s")
_ROWS = (*_COMMON, "table", "where", "entity", "context", "evidence", "score", "reason")


def parse_rule(
    source: Source, detectors: Mapping[str, type[Detector]], schema: Schema | None
) -> DetectorRule | RowRule | None:
    """The rule that a file holds, as far as it checks; problems are noted in `source`.

    `schema` gives a table's columns with those of the enrichers; without it columns are not checked.
    """
    rows = "table" in source.data
    if not rows and "detector" not in source.data:
        source.wrong("a rule names a detector, or the table whose rows it means; rules/README.md shows both")
        return None
    source.unknown_keys(_ROWS if rows else _DETECTOR, of=" in a rule over rows" if rows else " in a detector's rule")
    techniques = () if rows and isinstance(source.data.get("attack"), dict) else parse_techniques(source)
    common = {
        "id": source.text("id", required=True),
        "name": source.text("name", required=True),
        "title": parse_template(source, "title") or source.text("name"),
        "description": source.text("description"),
        "version": str(source.number("version", default=1, least=0)),
        "enabled": source.flag("enabled", default=True),
        "attack": all_of(techniques),
        "techniques": techniques,
        "investigate": parse_investigate(source),
        "overrides": parse_overrides(source),
        "period_us": PERIODS[source.choice("per", tuple(PERIODS), default="day")],
        "about": source.choice("about", ABOUT, default=ABOUT[0]),
        "references": source.texts("references"),
        "false_positives": source.texts("false_positives"),
        "suppress": parse_suppressions(source, source.items("suppress"), "suppress"),
        "tests": parse_cases(source, tuned=not rows),
        "path": str(source.path),
    }
    if schema is not None:
        check_rows(source, schema)
    if rows:
        rule = _row_rule(source, common)
        if schema is not None:
            check_row_rule(source, rule, schema)
        return rule
    return _detector_rule(source, common, detectors)


def _detector_rule(
    source: Source, common: dict[str, Any], detectors: Mapping[str, type[Detector]]
) -> DetectorRule | None:
    severities = parse_severities(source)
    lateness_s = source.number("lateness_s", default=None, least=0)
    name = source.text("detector", required=True)
    detector = detectors.get(name)
    if detector is None:
        if name:
            source.wrong(f"detector {name!r} is not installed; there are {', '.join(detectors) or 'none'}", "detector")
        return None
    if common["id"] and common["id"] != name:
        source.wrong(f"id {common['id']!r}: a detector has one rule, which bears its name {name!r}", "id")
    group_by = source.texts("group_by") or detector.entity
    for column in sorted(set(group_by) - set(detector.entity)):
        source.wrong(f"group_by: {name} has no {column!r}; its entity is {', '.join(detector.entity)}", "group_by")
    tuning = parse_tuning(source, detector)
    rule = DetectorRule(
        **common | {"tests": _tuned(source, detector, tuning, common["tests"])},
        detector=detector,
        tuning=tuning,
        severities=severities,
        group_by=group_by,
        lateness_s=None if lateness_s is None else int(lateness_s),
    )
    check_detector_rule(source, rule)
    return rule


def _tuned(source: Source, detector: type[Detector], tuning: Any, tests: Sequence[Case]) -> tuple[Case, ...]:
    """The tests, each with the tuning that it says over the rule's."""
    numbers = [n for n, item in enumerate(source.items("tests")) if isinstance(item, dict)]
    return tuple(
        replace(case, tuning=parse_tuning(source, detector, "tests", n, base=tuning))
        for n, case in zip(numbers, tests, strict=True)
    )


def _row_rule(source: Source, common: dict[str, Any]) -> RowRule:
    table = source.data["table"]
    tables = (table,) if isinstance(table, str) else source.texts("table")
    if not tables:
        source.wrong("table is missing; name one, or a list of them", "table")
    for name in tables:
        if name not in TABLES:
            source.wrong(f"table: there is no table {name!r}; there are {', '.join(TABLES)}", "table")
    entity = source.texts("entity")
    if not entity:
        source.wrong("entity is missing; name the columns that say whom an alert is about, like [orig_h]")
    context = source.mapping("context")
    for name, column in context.items():
        if name not in CONTEXT:
            source.wrong(f"context: the document has no {name!r}; it has {', '.join(CONTEXT)}", "context", name)
        if not isinstance(column, str):
            source.wrong(f"context: {name}: {column!r} is no column", "context", name)
    score = source.mapping("score")
    source.unknown_keys(("column", "most"), "score", of=" in score")
    return RowRule(
        **common,
        tables=tables,
        where=parse(source, source.data["where"], "where") if "where" in source.data else Conditions(),
        entity=entity,
        context={str(k): str(v) for k, v in context.items()},
        evidence=source.texts("evidence"),
        severity=parse_row_severity(source),
        score_column=source.text("column", "score", required=True) if score else "",
        score_most=float(source.number("most", "score", default=1.0, least=1e-9)),
        attack_column=_attack_column(source),
        reason=parse_template(source, "reason", required=True),
    )


def _attack_column(source: Source) -> str:
    """The column in which a rule over rows finds the techniques, where `attack` names one."""
    if not isinstance(source.data.get("attack"), dict):
        return ""
    source.unknown_keys(("column",), "attack", of=" in attack")
    return source.text("column", "attack", required=True)
