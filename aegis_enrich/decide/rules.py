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

_COMMON = (
    *("id", "name", "title", "description", "version", "enabled", "severity", "attack", "per", "suppress"),
    *("references", "false_positives", "tests"),
)
_DETECTOR = (*_COMMON, "detector", "tuning", "group_by", "lateness_s")
_ROWS = (*_COMMON, "table", "where", "entity", "context", "evidence", "score", "reason")
_EXPECT = ("alerts", "severity", "entity", "context", "evidence")


@dataclass(frozen=True)
class Severity:
    """One line of a severity list: it holds from this score on and under these conditions."""

    severity: int
    at_least: float = 0.0
    when: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True)
class RowSeverity:
    """A constant, or what a column says: by a map, or by bands (least value, severity), ascending."""

    otherwise: int
    column: str = ""
    map: Mapping[Any, int] = field(default_factory=dict)
    bands: tuple[tuple[float, int], ...] = ()

    def of(self, value: Any) -> int:
        if value is None:
            return self.otherwise
        if self.bands:
            return next((s for least, s in reversed(self.bands) if value >= least), self.otherwise)
        return self.map.get(value, self.otherwise)


@dataclass(frozen=True)
class Suppression:
    """What is known to be harmless, until a day of event time; `rules` empty: for every rule."""

    where: Conditions
    reason: str
    author: str = ""
    expires: date | None = None
    rules: tuple[str, ...] = ()

    def covers(self, rule: str, values: Mapping[str, Any], day: date) -> bool:
        return (
            (not self.rules or rule in self.rules)
            and (self.expires is None or day <= self.expires)
            and self.where.hold(values)
        )


@dataclass(frozen=True)
class Rule:
    """What every rule says."""

    id: str
    name: str
    title: str
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
        """That of the last line that holds; 0 where none does."""
        holding = (s.severity for s in reversed(self.severities) if score >= s.at_least and s.when.hold(values))
        return next(holding, 0)


@dataclass(frozen=True)
class RowRule(Rule):
    """What single rows mean."""

    tables: tuple[str, ...] = ()
    where: Conditions = field(default_factory=Conditions)
    entity: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)  # the document's column -> the row's
    evidence: tuple[str, ...] = ()
    severity: RowSeverity = field(default_factory=lambda: RowSeverity(21))
    score_column: str = ""
    score_most: float = 1.0
    attack_column: str = ""
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
    rows = "table" in source.data
    source.unknown_keys(_ROWS if rows else _DETECTOR, of=" in a rule over rows" if rows else " in a detector's rule")
    common = {
        "id": source.text("id", required=True),
        "name": source.text("name", required=True),
        "title": source.text("title") or source.text("name"),
        "description": source.text("description"),
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
        source.wrong("severity is missing; write a list such as [{severity: low}, {at_least: 0.8, severity: high}]")
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            source.wrong(f"severity: {item!r}; write it like {{at_least: 0.8, severity: high}}", "severity", number)
            continue
        source.unknown_keys(("severity", "at_least", "when"), "severity", number)
        word = source.choice("severity", tuple(SEVERITIES), "severity", number, default="low")
        when = Conditions()
        if "when" in item:
            when = parse(source, item["when"], "severity", number, "when")
        at_least = source.number("at_least", "severity", number, default=0.0, least=0)
        found.append(Severity(SEVERITIES[word], float(at_least), when))
    return tuple(found)


def _row_rule(source: Source, common: dict[str, Any]) -> RowRule:
    table = source.data["table"]
    tables = (table,) if isinstance(table, str) else source.texts("table")
    for name in tables:
        if name not in TABLES:
            source.wrong(f"table: there is no table {name!r}; there are {', '.join(TABLES)}", "table")
    entity = source.texts("entity")
    if not entity:
        source.wrong("entity is missing; name the columns that say whom an alert is about, like [orig_h]")
    context = source.mapping("context")
    for name in context:
        if name not in CONTEXT:
            source.wrong(f"context: the document has no {name!r}; it has {', '.join(CONTEXT)}", "context", name)
    source.mapping("score")
    attack_column = source.data["attack"].get("column", "") if isinstance(source.data.get("attack"), dict) else ""
    return RowRule(
        **common,
        tables=tables,
        where=parse(source, source.data["where"], "where") if "where" in source.data else Conditions(),
        entity=entity,
        context={str(k): str(v) for k, v in context.items()},
        evidence=source.texts("evidence"),
        severity=_row_severity(source),
        score_column=source.text("column", "score") if "score" in source.data else "",
        score_most=source.number("most", "score", default=1.0, least=1e-9) if "score" in source.data else 1.0,
        attack_column=attack_column,
        reason=source.text("reason", required=True),
    )


def _row_severity(source: Source) -> RowSeverity:
    value = source.data.get("severity")
    if isinstance(value, str):
        return RowSeverity(SEVERITIES[source.choice("severity", tuple(SEVERITIES), default="low")])
    if not isinstance(value, dict) or not isinstance(value.get("column"), str):
        source.wrong("severity: write low, medium, high or critical, or {column: …, map: …}", "severity")
        return RowSeverity(SEVERITIES["low"])
    source.unknown_keys(("column", "map", "at_least", "otherwise"), "severity")
    otherwise = source.choice("otherwise", tuple(SEVERITIES), "severity", default="low")
    mapped = {}
    for key in source.mapping("map", "severity"):
        mapped[key] = SEVERITIES[source.choice(key, tuple(SEVERITIES), "severity", "map", default="low")]
    bands = []
    for number, item in enumerate(source.items("at_least", "severity")):
        if not isinstance(item, dict):
            source.wrong("at_least: write {at_least: 70, severity: high}", "severity", "at_least", number)
            continue
        word = source.choice("severity", tuple(SEVERITIES), "severity", "at_least", number, default="low")
        bands.append((source.number("at_least", "severity", "at_least", number, default=0.0), SEVERITIES[word]))
    return RowSeverity(SEVERITIES[otherwise], value["column"], mapped, tuple(sorted(bands)))


def _techniques(source: Source) -> tuple[str, ...]:
    """Technique ids, each with the tactic that is meant before it where the rule names one (`TA0007/T1046`)."""
    if isinstance(source.data.get("attack"), dict):
        source.unknown_keys(("column",), "attack", of=" in attack")
        return ()
    ids = source.texts("attack")
    table = attack()
    for number, technique in enumerate(ids):
        if not table.knows(technique):
            source.wrong(
                f"attack: {technique!r} is not in the table of ATT&CK {table.version}; write one like T1046,"
                " or TA0007/T1046",
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
        source.unknown_keys(("rule", "where", "reason", "author", "expires"), *key, number, of=" in a suppression")
        found.append(
            Suppression(
                parse(source, item.get("where"), *key, number, "where"),
                source.text("reason", *key, number, required=True),
                source.text("author", *key, number),
                source.day("expires", *key, number),
                source.texts("rule", *key, number),
            )
        )
    return tuple(found)


def _tests(source: Source) -> tuple[Mapping[str, Any], ...]:
    found = []
    for number, item in enumerate(source.items("tests")):
        expect = item.get("expect") if isinstance(item, dict) else None
        if (
            not isinstance(item, dict)
            or not isinstance(item.get("rows"), dict)
            or not (expect == "none" or isinstance(expect, dict))
        ):
            source.wrong("a test has a name, rows by table, and expect: none or {alerts: N, …}", "tests", number)
            continue
        source.unknown_keys(("name", "rows", "expect"), "tests", number, of=" in a test")
        source.unknown_keys(_EXPECT, "tests", number, "expect", of=" in expect")
        for table in item["rows"]:
            if table not in TABLES:
                source.wrong(f"there is no table {table!r}", "tests", number, "rows", table)
        wanted = {
            part: parse(source, expect[part], "tests", number, "expect", part)
            for part in ("entity", "context", "evidence")
            if isinstance(expect, dict) and part in expect
        }
        found.append({**item, "wanted": wanted})
    return tuple(found)
