"""`aegis-enrich rules`: check them, run the tests inside them, list them."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..decide import DetectorRule, RowRule, RuleSet, load_rules
from ..decide.made_rows import make_rows
from ..decide.severities import WORDS
from ..decide.testing import Bench, Outcome, run_tests
from ..errors import AegisError, Problems
from ..registry import Registry, load
from .options import config_option, configuration, json_option, print_json

folder_argument = click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))


@click.group("rules")
def command() -> None:
    """Check the rules, run the tests inside them, list them."""


@command.command()
@folder_argument
@config_option
def check(folder: Path | None, config_file: Path | None, state: Path | None) -> int:
    """Check a folder of rules (default: those in force); every problem is said with its file and line."""
    config = _configuration(folder, config_file, state)
    registry = load()
    with _quiet():
        bench = Bench.of(registry)
        rules, problems = _checked_rules(config, registry, bench)
        problems += _checked_site(config, registry)
    if problems:
        for problem in problems:
            click.echo(problem, err=True)
        click.echo(f"{len(problems)} problem{'s' * (len(problems) > 1)} in {config.rules_dir}", err=True)
        return 1
    click.echo(f"{len(rules or ())} rules check")
    return 0


@command.command()
@folder_argument
@click.option("-k", "word", default="", help="Only tests whose rule or name contains this.")
@config_option
@json_option
def test(folder: Path | None, word: str, config_file: Path | None, state: Path | None, as_json: bool) -> int:
    """Run the tests inside the rules (default: of those in force)."""
    config = _configuration(folder, config_file, state)
    registry = load()
    bench = Bench.of(registry)
    rules = [_matching(r, word) for r in load_rules(config.rules_dir, registry.detectors, bench.enrichment.schema)]
    outcomes = list(run_tests(rules, bench))
    if as_json:
        print_json([_outcome(o) for o in outcomes])
    else:
        _report(outcomes, rules)
    return 0 if all(o.passed for o in outcomes) else 1


@command.command("list")
@folder_argument
@config_option
@json_option
def list_(folder: Path | None, config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """List the rules: what they are, the severities they give, ATT&CK, whether they are enabled, their tests."""
    config = _configuration(folder, config_file, state)
    registry = load()
    rows = [_row(r) for r in load_rules(config.rules_dir, registry.detectors)]
    if as_json:
        print_json(rows)
        return
    _print(
        ("id", "kind", "severity", "ATT&CK", "enabled", "tests"),
        [
            (
                row["id"],
                row["kind"],
                " to ".join(dict.fromkeys((row["severity"][0], row["severity"][-1]))),
                " ".join(row["attack"]) or ("from the row" if row["attack_column"] else ""),
                "yes" if row["enabled"] else "no",
                str(row["tests"]),
            )
            for row in rows
        ],
    )


def _configuration(folder: Path | None, config_file: Path | None, state: Path | None) -> Config:
    return configuration(config_file, state, rules=str(folder.absolute()) if folder else None)


def _checked_rules(config: Config, registry: Registry, bench: Bench) -> tuple[RuleSet | None, list[str]]:
    try:
        rules = load_rules(config.rules_dir, registry.detectors, bench.enrichment.schema)
    except AegisError as error:
        return None, _lines(error)
    problems = []
    for case in (case for rule in rules for case in rule.tests):
        try:
            make_rows(case, bench.enrichment)
        except Problems as error:
            problems += _lines(error)
    return rules, problems


def _checked_site(config: Config, registry: Registry) -> list[str]:
    """What is wrong with networks.yml, assets.csv, the lists of intel and other files of enrichers."""
    settings = config.enricher_settings()
    problems: list[str] = []
    for name, kind in registry.enrichers.items():
        try:
            problems += kind(settings.get(name, {})).problems()
        except AegisError as error:
            problems += _lines(error)
    return problems


def _lines(error: AegisError) -> list[str]:
    return [str(p) for p in error.problems]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What would be logged of a bad file is said once, as a problem."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _matching(rule: DetectorRule | RowRule, word: str) -> DetectorRule | RowRule:
    kept = tuple(t for t in rule.tests if word.lower() in f"{rule.id} {t.name}".lower())
    return replace(rule, tests=kept)


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "rule": outcome.rule_id,
        "name": outcome.name,
        "where": outcome.where,
        "passed": outcome.passed,
        "problems": list(outcome.problems),
    }


def _report(outcomes: Sequence[Outcome], rules: Sequence[DetectorRule | RowRule]) -> None:
    for outcome in outcomes:
        for problem in outcome.problems:
            click.echo(f"{problem} [{outcome.rule_id}: {outcome.name}]", err=True)
    passed = Counter(o.rule_id for o in outcomes if o.passed)
    failed = Counter(o.rule_id for o in outcomes if not o.passed)
    _print(
        ("rule", "passed", "failed"),
        [(r.id, str(passed[r.id]), str(failed[r.id] or "")) for r in rules if passed[r.id] + failed[r.id]],
    )
    click.echo(f"{sum(passed.values())} passed, {sum(failed.values())} failed")


def _row(rule: DetectorRule | RowRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "kind": "detector" if isinstance(rule, DetectorRule) else "rows",
        "severity": [WORDS[level] for level in rule.levels],
        "attack": [technique.rpartition("/")[2] for technique in rule.attack],
        "attack_column": rule.attack_column if isinstance(rule, RowRule) else "",
        "enabled": rule.enabled,
        "tests": len(rule.tests),
        "version": rule.version,
        "path": rule.path,
    }


def _print(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
