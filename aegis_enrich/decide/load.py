"""Rules from YAML: strict, every problem at once, so that what is loaded can be relied on."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import AegisError, ConfigError, Problems
from ..plugin import CONTEXT, Detector
from ..tables import TABLES
from .attack import attack
from .cases import Case, parse_cases
from .columns import Schema, check_detector_rule, check_row_rule, check_rows, check_site
from .conditions import Conditions, parse
from .rules import PERIODS, DetectorRule, RowRule, Rule, RuleSet
from .severities import parse_row_severity, parse_severities
from .source import Source
from .suppression import Suppression, parse_suppressions
from .tuning import parse_tuning

OTHERS = ("networks.yml",)  # of the site, read by an enricher
SUPPRESS = "suppress.yml"

_COMMON = (
    *("id", "name", "title", "description", "version", "enabled", "severity", "attack", "per", "suppress"),
    *("references", "false_positives", "tests"),
)
_DETECTOR = (*_COMMON, "detector", "tuning", "group_by", "lateness_s")
_ROWS = (*_COMMON, "table", "where", "entity", "context", "evidence", "score", "reason")


def load_rules(folder: Path, detectors: Mapping[str, type[Detector]], schema: Schema | None = None) -> RuleSet:
    """The rules of a folder; raises Problems with all that does not check, ConfigError where there is no folder.

    `schema` gives a table's columns with those of the enrichers; without it columns are not checked.
    """
    if not folder.is_dir():
        raise ConfigError("no such folder of rules; name one with `rules:` in the configuration", where=str(folder))
    sources = [Source.read(p) for p in sorted(folder.rglob("*.yml")) if p.name not in OTHERS]
    rules: list[tuple[Source, DetectorRule | RowRule]] = []
    suppress: list[tuple[Source, tuple[Suppression, ...]]] = []
    for source in sources:
        if source.path.name == SUPPRESS:
            suppress.append((source, parse_suppressions(source, source.data or [], site=True)))
        elif isinstance(source.data, dict):
            rule = _rule(source, detectors, schema)
            if rule is not None:
                rules.append((source, rule))
        elif not source.problems:
            source.wrong("a rule is expected; rules/README.md shows one")
    _no_twins(rules)
    for source, found in suppress:
        check_site(source, found, {rule.id for _, rule in rules}, schema)
    problems = [p for source in sources for p in source.problems] + _misnamed(folder)
    if problems:
        raise Problems(sorted(problems, key=_place))
    meaning = [[{k: v for k, v in s.data.items() if k != "tests"} for s, r in rules if r.enabled]]
    meaning += [s.data for s, _ in suppress]
    digest = hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()
    return RuleSet.of(
        [r for _, r in rules if r.enabled],
        tuple(s for _, found in suppress for s in found),
        tuple(r for _, r in rules if not r.enabled),
        digest[:16],
    )


def _place(problem: AegisError) -> tuple[str, int]:
    path, _, line = problem.where.rpartition(":")
    return (path, int(line)) if line.isdigit() else (problem.where, 0)


def _misnamed(folder: Path) -> list[ConfigError]:
    """Files that look like rules and would be passed over."""
    return [ConfigError("a rule's file ends in .yml; rename it", where=str(p)) for p in sorted(folder.rglob("*.yaml"))]


def _no_twins(rules: Sequence[tuple[Source, Rule]]) -> None:
    seen: dict[str, str] = {}
    for source, rule in rules:
        if rule.id in seen:
            source.wrong(f"id {rule.id!r} is that of {seen[rule.id]} too; give each rule its own", "id")
        elif rule.id:
            seen[rule.id] = rule.path


def _rule(
    source: Source, detectors: Mapping[str, type[Detector]], schema: Schema | None
) -> DetectorRule | RowRule | None:
    rows = "table" in source.data
    if not rows and "detector" not in source.data:
        source.wrong("a rule names a detector, or the table whose rows it means; rules/README.md shows both")
        return None
    source.unknown_keys(_ROWS if rows else _DETECTOR, of=" in a rule over rows" if rows else " in a detector's rule")
    common = {
        "id": source.text("id", required=True),
        "name": source.text("name", required=True),
        "title": _template(source, "title") or source.text("name"),
        "description": source.text("description"),
        "version": str(source.number("version", default=1, least=0)),
        "enabled": source.flag("enabled", default=True),
        "attack": _techniques(source, from_column=rows),
        "period_us": PERIODS[source.choice("per", tuple(PERIODS), default="day")],
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
    written = source.data.get("attack")
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
        attack_column=source.text("column", "attack", required=True) if isinstance(written, dict) else "",
        reason=_template(source, "reason", required=True),
    )


def _template(source: Source, name: str, *, required: bool = False) -> str:
    """A text with columns in braces."""
    text = source.text(name, required=required)
    try:
        list(string.Formatter().parse(text))
    except ValueError as error:
        source.wrong(f"{name}: {error}; write columns as {{orig_h}} and a brace twice", name)
        return ""
    return text


def _techniques(source: Source, *, from_column: bool) -> tuple[str, ...]:
    """Technique ids, each with the tactic that is meant before it where the rule names one (`TA0007/T1046`)."""
    if from_column and isinstance(source.data.get("attack"), dict):
        source.unknown_keys(("column",), "attack", of=" in attack")
        return ()
    ids = source.texts("attack")
    table = attack()
    for number, technique in enumerate(ids):
        if not table.knows(technique):
            what = f"attack: {technique!r} is not in the table of ATT&CK {table.version}"
            source.wrong(f"{what}; write one like T1046, or TA0007/T1046", "attack", number)
    return ids
