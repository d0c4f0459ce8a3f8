"""`rules check`: all that is wrong in a folder of rules, each with its file and line."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import click

from ...config import Config
from ...correlate import load_correlation
from ...decide import RuleSet, load_rules
from ...decide.made_rows import make_rows
from ...decide.testing import Bench
from ...errors import AegisError, Problems
from ...registry import Registry, load
from ..options import config_option
from .options import configured, folder_argument


@click.command()
@folder_argument
@config_option
def check(folder: Path | None, config_file: Path | None, state: Path | None) -> int:
    """Check a folder of rules (default: those in force); every problem is said with its file and line.

    Suppressions that have expired are said, too, and are no problem.
    """
    config = configured(folder, config_file, state)
    registry = load()
    with _quiet():
        bench = Bench.of(registry)
        rules, problems = _checked_rules(config, registry, bench)
        problems += _checked_correlation(config, rules)
        problems += _checked_site(config, registry)
    for suppression in rules.expired(time.time_ns() // 1000) if rules else ():
        click.echo(f"{suppression.written}: note: this suppression has expired: {suppression}", err=True)
    for rule in rules.rows.values() if rules else ():
        for field in rule.sigma.beyond if rule.sigma else ():
            click.echo(
                f"{rule.path}: note: {field} is no column of {rule.tables[0]}; `extra` is searched for it", err=True
            )
    if problems:
        for problem in problems:
            click.echo(problem, err=True)
        click.echo(f"{len(problems)} problem{'s' * (len(problems) > 1)} in {config.rules_dir}", err=True)
        return 1
    click.echo(f"{len(rules or ())} rules check")
    return 0


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


def _checked_correlation(config: Config, rules: RuleSet | None) -> list[str]:
    """What is wrong with sequences, grounds and settings; rules that they name are looked up where rules check."""
    try:
        load_correlation(config.rules_dir, None if rules is None else [r.id for r in rules])
    except AegisError as error:
        return _lines(error)
    return []


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
