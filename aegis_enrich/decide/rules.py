"""Rules from YAML: strict, every problem at once, so that what is loaded can be relied on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import ConfigError, Problems
from ..plugin import CONTEXT, DAY_US, HOUR_US, Detector
from ..tables import TABLES
from .attack import attack
from .conditions import Conditions, parse
from .source import Source

SEVERITIES = {"low": 21, "medium": 47, "high": 73, "critical": 99}
PERIODS = {"hour": HOUR_US, "day": DAY_US}

_COMMON = ("id", "name", "description", "version", "enabled", "attack", "per", "suppress", "references")
_COMMON += ("false_positives", "tests")
_DETECTOR = (*_COMMON, "detector", "tuning", "severity", "group_by", "lateness_s")
_ROWS = (*_COMMON, "tables", "where", "entity", "context", "evidence", "severity", "attack_from", "title", "reason")


@dataclass(frozen=True)
class Severity:
    """One line of a severity list: it holds from this score on and under these conditions."""

    severity: int
    at_least: float = 0.0
    when: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True)
class RowSeverity:
    """A constant, or what a column says: by a map, else as a number of 0 to 100."""

    otherwise: int
    column: str = ""
    map: Mapping[Any, int] = field(default_factory=dict)

    def of(self, value: Any) -> int:
        if not self.column or value is None:
            return self.otherwise
        if self.map:
            return self.map.get(value, self.map.get(str(value), self.otherwise))
        return max((s for s in SEVERITIES.values() if value >= s), default=SEVERITIES["low"])


@dataclass(frozen=True)
class Suppression:
    """What is known to be harmless, until a day of event time; `rules` empty: for every rule."""

    where: Conditions
    reason: str
    author: str = ""
    until: date | None = None
    rules: tuple[str, ...] = ()

    def covers(self, rule: str, values: Mapping[str, Any], day: date) -> bool:
        return (
            (not self.rules or rule in self.rules)
            and (self.until is None or day <= self.until)
            and self.where.hold(values)
        )


@dataclass(frozen=True)
class Rule:
    """What every rule says."""

    id: str
    name: str
    description: str
    version: str
    attack: tuple[str, ...]
    period_us: int
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    suppress: tuple[Suppression, ...]
    tests: tuple[Mapping[str, Any], ...]
    path: str


@dataclass(frozen=True)
class DetectorRule(Rule):
    """What a detector's findings mean."""

    detector: type[Detector] = Detector
    tuning: Any = None
    severities: tuple[Severity, ...] = ()
    group_by: tuple[str, ...] = ()
    lateness_s: int | None = None

    def severity(self, score: float, values: Mapping[str, Any]) -> int:
        """The worst line that holds; 0 where none does."""
        return max((s.severity for s in self.severities if score >= s.at_least and s.when.hold(values)), default=0)


@dataclass(frozen=True)
class RowRule(Rule):
    """What single rows mean."""

    tables: tuple[str, ...] = ()
    where: Conditions = field(default_factory=Conditions)
    entity: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    severity: RowSeverity = field(default_factory=lambda: RowSeverity(21))
    attack_from: str = ""
    title: str = ""
    reason: str = ""


@dataclass(frozen=True)
class RuleSet:
    """The enabled rules, by id; `hash` changes with what they mean, not with where they lie."""

    detectors: Mapping[str, DetectorRule]
    rows: Mapping[str, RowRule]
    suppress: tuple[Suppression, ...]
    disabled: tuple[str, ...]
    hash: str

    def get(self, rule_id: str) -> DetectorRule | RowRule | None:
        return self.detectors.get(rule_id) or self.rows.get(rule_id)

    def suppressed(self, rule: Rule, values: Mapping[str, Any], day: date) -> Suppression | None:
        """The first suppression that covers these values."""
        return next((s for s in (*rule.suppress, *self.suppress) if s.covers(rule.id, values, day)), None)


def load_rules(folder: Path, detectors: Mapping[str, type[Detector]]) -> RuleSet:
    """The rules of a folder; raises Problems with all that does not check, ConfigError where there is no folder."""
    if not folder.is_dir():
        raise ConfigError("no such folder of rules; name one with `rules:` in the configuration", where=str(folder))
    sources = [Source.read(p) for p in sorted(folder.rglob("*.yml")) if p.name != "networks.yml"]
    rules: list[DetectorRule | RowRule] = []
    suppress: tuple[Suppression, ...] = ()
    disabled = []
    meaning = []
    for source in sources:
        if source.problems:
            continue
        if source.path.name == "suppress.yml":
            suppress = _suppressions(source, source.data or [], ())
            meaning.append(source.data)
            continue
        if not isinstance(source.data, dict):
            source.wrong("a rule is expected; rules/README.md shows one")
            continue
        rule = _rule(source, detectors)
        if not source.flag("enabled", default=True):
            disabled.append(rule.id)
            continue
        meaning.append({k: v for k, v in source.data.items() if k != "tests"})
        rules.append(rule)
    _no_twins(sources, rules)
    problems = [p for source in sources for p in source.problems]
    if problems:
        raise Problems(problems)
    digest = hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()
    return RuleSet(
        {r.id: r for r in rules if isinstance(r, DetectorRule)},
        {r.id: r for r in rules if isinstance(r, RowRule)},
        suppress,
        tuple(disabled),
        digest[:16],
    )


def _no_twins(sources: Sequence[Source], rules: Sequence[Rule]) -> None:
    seen: dict[str, str] = {}
    for rule in rules:
        if rule.id in seen:
            source = next(s for s in sources if str(s.path) == rule.path)
            source.wrong(f"id {rule.id!r} is that of {seen[rule.id]} too; give each rule its own", "id")
        seen[rule.id] = rule.path


def _rule(source: Source, detectors: Mapping[str, type[Detector]]) -> DetectorRule | RowRule:
    rows = "tables" in source.data
    source.unknown_keys(_ROWS if rows else _DETECTOR, of=" in a rule over rows" if rows else " in a detector's rule")
    common = {
        "id": source.text("id", required=True),
        "name": source.text("name", required=True),
        "description": source.text("description", required=True),
        "version": str(source.number("version", default=1, least=0)),
        "attack": _techniques(source),
        "period_us": PERIODS[source.choice("per", tuple(PERIODS), default="day")],
        "references": source.texts("references"),
        "false_positives": source.texts("false_positives"),
        "suppress": _suppressions(source, source.items("suppress"), ("suppress",)),
        "tests": _tests(source),
        "path": str(source.path),
    }
    return _row_rule(source, common) if rows else _detector_rule(source, common, detectors)


def _detector_rule(source: Source, common: dict[str, Any], detectors: Mapping[str, type[Detector]]) -> DetectorRule:
    name = source.text("detector", required=True)
    detector = detectors.get(name)
    if detector is None:
        if name:
            source.wrong(f"detector {name!r} is not installed; there are {', '.join(detectors) or 'none'}", "detector")
        return DetectorRule(**common)
    if common["id"] and common["id"] != name:
        source.wrong(f"id {common['id']!r}: a detector has one rule, which bears its name {name!r}", "id")
    group_by = source.texts("group_by") or detector.entity
    for column in set(group_by) - set(detector.entity):
        source.wrong(f"group_by: {name} has no {column!r}; its entity is {', '.join(detector.entity)}", "group_by")
    return DetectorRule(
        **common,
        detector=detector,
        tuning=_tuning(source, detector),
        severities=_severities(source),
        group_by=group_by,
        lateness_s=source.number("lateness_s", default=None, least=0),
    )


def _tuning(source: Source, detector: type[Detector]) -> Any:
    known = {f.name: f for f in dataclasses.fields(detector.tuning)}
    source.mapping("tuning")
    values = {}
    for name, value in (source.data.get("tuning") or {}).items() if isinstance(source.data.get("tuning"), dict) else ():
        if name not in known:
            source.wrong(
                f"tuning: {detector.name} has no {name!r}; it has {', '.join(known) or 'none'}", "tuning", name
            )
            continue
        setting = known[name]
        problem, value = _tunable(value, setting)
        if problem:
            unit = f" ({setting.metadata['unit']})" if setting.metadata.get("unit") else ""
            source.wrong(f"{name}: {value!r} {problem}; it is: {setting.metadata.get('doc', '')}{unit}", "tuning", name)
        else:
            values[name] = value
    return detector.tuning(**values)


def _tunable(value: Any, setting: dataclasses.Field[Any]) -> tuple[str, Any]:
    """What is wrong with a tunable's value ("" where nothing is), and the value in the setting's type."""
    kind = type(setting.default)
    if kind is tuple:
        items = value if isinstance(value, list) else None
        sample = setting.default[0] if setting.default else None
        if items is None or (sample is not None and not all(type(i) is type(sample) for i in items)):
            return "is not a list of such values", value
        return "", tuple(items)
    if kind is bool or isinstance(value, bool):
        return ("" if kind is bool and isinstance(value, bool) else "is not true or false"), value
    if kind in (int, float):
        least, most = setting.metadata.get("least"), setting.metadata.get("most")
        if not isinstance(value, (int, float)) or (kind is int and value != int(value)):
            return "is not a number", value
        if (least is not None and value < least) or (most is not None and value > most):
            return f"is not in the range {'…' if least is None else least} to {'…' if most is None else most}", value
        return "", kind(value)
    return ("" if isinstance(value, kind) else "is not a text"), value


def _severities(source: Source) -> tuple[Severity, ...]:
    found = []
    items = source.items("severity")
    if not items:
        source.wrong("severity is missing; write a list such as [{is: low}, {is: high, at_least: 0.8}]")
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            source.wrong(f"severity: {item!r}; write it like {{is: high, at_least: 0.8}}", "severity", number)
            continue
        source.unknown_keys(("is", "at_least", "when"), "severity", number)
        word = source.choice("is", tuple(SEVERITIES), "severity", number, default="low")
        when = Conditions()
        if "when" in item:
            when = parse(source, item["when"], "severity", number, "when")
        at_least = source.number("at_least", "severity", number, default=0.0, least=0)
        found.append(Severity(SEVERITIES[word], float(at_least), when))
    return tuple(found)


def _row_rule(source: Source, common: dict[str, Any]) -> RowRule:
    tables = source.texts("tables")
    for table in tables:
        if table not in TABLES:
            source.wrong(f"tables: there is no table {table!r}; there are {', '.join(TABLES)}", "tables")
    entity = source.texts("entity")
    if not entity:
        source.wrong("entity is missing; name the columns that say whom an alert is about, like [orig_h]")
    if "where" not in source.data:
        source.wrong("where is missing; a rule over rows says which rows it means")
    return RowRule(
        **common,
        tables=tables,
        where=parse(source, source.data["where"], "where") if "where" in source.data else Conditions(),
        entity=entity,
        context=source.texts("context"),
        evidence=source.texts("evidence"),
        severity=_row_severity(source),
        attack_from=source.text("attack_from"),
        title=source.text("title", default=common["name"]),
        reason=source.text("reason", required=True),
    )


def _row_severity(source: Source) -> RowSeverity:
    value = source.data.get("severity")
    if isinstance(value, str):
        return RowSeverity(SEVERITIES[source.choice("severity", tuple(SEVERITIES), default="low")])
    if not isinstance(value, dict) or not isinstance(value.get("from"), str):
        source.wrong("severity: write low, medium, high or critical, or {from: a column}", "severity")
        return RowSeverity(SEVERITIES["low"])
    source.unknown_keys(("from", "map", "else"), "severity")
    otherwise = source.choice("else", tuple(SEVERITIES), "severity", default="low")
    mapped = {}
    for key in source.mapping("map", "severity"):
        mapped[key] = SEVERITIES[source.choice(key, tuple(SEVERITIES), "severity", "map", default="low")]
    return RowSeverity(SEVERITIES[otherwise], value["from"], mapped)


def _techniques(source: Source) -> tuple[str, ...]:
    ids = source.texts("attack")
    table = attack()
    for number, technique in enumerate(ids):
        if technique not in table.techniques:
            source.wrong(
                f"attack: {technique!r} is not in the table of ATT&CK {table.version}; write one like T1046",
                "attack",
                number,
            )
    return ids


def _suppressions(source: Source, items: Any, key: tuple[str, ...]) -> tuple[Suppression, ...]:
    found = []
    if not isinstance(items, list):
        source.wrong("a list of suppressions is expected; rules/README.md shows one", *key)
        return ()
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            source.wrong("a suppression is a mapping with where and reason", *key, number)
            continue
        source.unknown_keys(("where", "reason", "author", "until", "rules"), *key, number, of=" in a suppression")
        found.append(
            Suppression(
                parse(source, item.get("where"), *key, number, "where"),
                source.text("reason", *key, number, required=True),
                source.text("author", *key, number),
                source.day("until", *key, number),
                source.texts("rules", *key, number),
            )
        )
    return tuple(found)


def _tests(source: Source) -> tuple[Mapping[str, Any], ...]:
    found = []
    for number, item in enumerate(source.items("tests")):
        if (
            not isinstance(item, dict)
            or not isinstance(item.get("rows"), dict)
            or not isinstance(item.get("expect"), dict)
        ):
            source.wrong("a test has a name, rows by table, and expect: {alerts: N}", "tests", number)
            continue
        source.unknown_keys(("name", "rows", "expect", "tuning"), "tests", number, of=" in a test")
        source.unknown_keys(("alerts", "severity"), "tests", number, "expect", of=" in expect")
        for table in item["rows"]:
            if table not in TABLES:
                source.wrong(f"there is no table {table!r}", "tests", number, "rows", table)
        found.append(item)
    return tuple(found)


def shown_columns() -> tuple[str, ...]:
    """The columns that an alert document has a place for."""
    return tuple(CONTEXT)
