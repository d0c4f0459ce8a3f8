"""Rules from YAML: strict, every problem at once, so that what is loaded can be relied on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from ..errors import AegisError, ConfigError, Problems
from ..plugin import Detector
from .columns import Schema, check_site
from .folders import OVERRIDES, rule_files
from .rule_file import parse_rule
from .rules import DetectorRule, RowRule, Rule, RuleSet
from .site import with_site
from .source import Source
from .suppression import Suppression, parse_suppressions

OTHERS = ("networks.yml",)  # of the site, read by an enricher
OTHER_FOLDERS = ("correlation",)  # read by those whom they are for
SUPPRESS = "suppress.yml"


def load_rules(folder: Path, detectors: Mapping[str, type[Detector]], schema: Schema | None = None) -> RuleSet:
    """The rules of a folder; raises Problems with all that does not check, ConfigError where there is no folder.

    `schema` gives a table's columns with those of the enrichers; without it columns are not checked.
    """
    if not folder.is_dir():
        raise ConfigError("no such folder of rules; name one with `rules:` in the configuration", where=str(folder))
    files = {place: path for place, path in rule_files(folder).items() if _holds_rules(place)}
    by_sigma = [path for place, path in files.items() if "sigma" in place.parts[:-1]]
    sources = [Source.read(path) for path in files.values() if path not in by_sigma]
    rules: list[tuple[Source, DetectorRule | RowRule]] = []
    suppress: list[tuple[Source, tuple[Suppression, ...]]] = []
    overrides: list[Source] = []
    for source in sources:
        if source.path.name == SUPPRESS:
            suppress.append((source, parse_suppressions(source, source.data or [], site=True)))
        elif source.path.name == OVERRIDES:
            overrides.append(source)
        elif isinstance(source.data, dict):
            rule = parse_rule(source, detectors, schema)
            if rule is not None:
                rules.append((source, rule))
        elif not source.problems:
            source.wrong("a rule is expected; rules/README.md shows one")
    of_sigma: list[Source] = []
    if by_sigma:
        from .sigma import load_sigma  # pySigma is imported only where there are Sigma rules

        of_sigma, made = load_sigma(by_sigma, schema)
        sources += of_sigma
        rules += made
    _no_twins(rules)
    decided = [rule for _, rule in rules]
    for source in overrides:
        decided = with_site(source, decided, schema)
    for source, found in suppress:
        check_site(source, found, {rule.id for _, rule in rules}, schema)
    problems = [p for source in sources for p in source.problems] + _misnamed(folder)
    if problems:
        raise Problems(sorted(problems, key=_place))
    in_force = {rule.id for rule in decided if rule.enabled}
    meaning: list[Any] = [[{k: v for k, v in s.data.items() if k != "tests"} for s, r in rules if r.id in in_force]]
    meaning += [s.data for s, _ in suppress] + [s.data for s in overrides if s.data]
    # settings, filters and rules that only correlations use mean something, too
    meaning += [{k: v for k, v in s.data.items() if k != "tests"} for s in of_sigma if isinstance(s.data, dict)]
    digest = hashlib.sha256(json.dumps(_sortable(meaning), sort_keys=True, default=str).encode()).hexdigest()
    return RuleSet.of(
        [r for r in decided if r.enabled],
        tuple(s for _, found in suppress for s in found),
        tuple(r for r in decided if not r.enabled),
        digest[:16],
    )


def _sortable(value: Any) -> Any:
    """Data whose mappings have keys of one type: YAML's may be numbers, or nothing, beside texts."""
    if isinstance(value, dict):
        mixed = len({type(key) for key in value}) > 1
        return {str(key) if mixed else key: _sortable(inner) for key, inner in value.items()}
    return [_sortable(inner) for inner in value] if isinstance(value, list) else value


def _holds_rules(place: PurePath) -> bool:
    """Whether a file holds a rule, or something that is said of rules."""
    return place.name not in OTHERS and place.parts[0] not in OTHER_FOLDERS


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
