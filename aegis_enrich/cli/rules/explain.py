"""`rules explain`: what a rule reads, how it decides, what the site changes, and the query that it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ...decide import DetectorRule, RowRule, RuleSet, load_rules, queries, words
from ...decide.testing import Bench
from ...plugin import MICROS
from ...registry import Registry, load
from ..options import config_option, json_option, print_json
from .options import configured, rules_option, the_rule

COLUMN = 14


@click.command()
@click.argument("rule")
@rules_option
@click.option("--at", type=click.DateTime(), help="Fill in the bounds of the window that ends at this time (UTC).")
@config_option
@json_option
def explain(
    rule: str, folder: Path | None, at: datetime | None, config_file: Path | None, state: Path | None, as_json: bool
) -> None:
    """Explain a rule: what it reads and when, how it decides, what overrides it, and its SQL with the tunables filled
    in. RULE is its id."""
    config = configured(folder, config_file, state)
    registry = load()
    rules = load_rules(config.rules_dir, registry.detectors, Bench.of(registry).enrichment.schema)
    told = explanation(the_rule(rules, rule), rules, registry, at)
    if as_json:
        print_json(told)
    else:
        _print(told)


def explanation(
    rule: DetectorRule | RowRule, rules: RuleSet, registry: Registry, at: datetime | None = None
) -> dict[str, Any]:
    """All that is told of a rule, by its name in `--json`; `at`: the end of the window whose query it is."""
    end_us = None if at is None else int(at.replace(tzinfo=UTC).timestamp()) * MICROS
    told: dict[str, Any] = {
        "id": rule.id,
        "name": rule.name,
        "file": rule.path,
        "enabled": rule.enabled,
        "description": rule.description,
        "reads": words.reads(rule, registry.tables),
        "per": words.period(rule),
        "attack": words.techniques(rule.techniques) or list(rule.attack),
        "overrides": [words.override(o) for o in rule.overrides],
        "by_tactic": [f"{t}: {words.mapped(m)}" for t, m in rule.by_tactic.items()],
        "suppressed": [words.suppression(s) for s in rules.suppressions(rule)],
        "tests": [t.name for t in rule.tests],
        "tuned_by_site": rule.written is not None,
    }
    if isinstance(rule, DetectorRule):
        return told | {
            "detector": rule.detector.name,
            "window": words.timing(rule),
            "group_by": list(rule.group_by),
            "tuning": list(words.tunables(rule)),
            "severity": words.ladder(rule.severities),
            "sql": queries.sql(rule, end_us),
        }
    return told | {
        "where": words.conditions(rule.where),
        "group_by": list(rule.entity),
        "severity": words.row_severity(rule.severity),
        "sql": queries.row_sql(rule),
    }


def _print(told: dict[str, Any]) -> None:
    click.secho(f"{told['id']}: {told['name']}{'' if told['enabled'] else ' (not enabled)'}", bold=True)
    click.echo(told["description"])
    click.echo()
    _line("file", told["file"] + (" (and the site's overrides.yml)" if told["tuned_by_site"] else ""))
    _line("reads", ", ".join(told["reads"]))
    if "window" in told:
        _line("window", told["window"])
    _line("one alert per", f"{', '.join(told['group_by'])} and {told['per']}")
    for tunable in told.get("tuning", ()):
        value = ", ".join(map(str, tunable["value"])) if isinstance(tunable["value"], tuple) else tunable["value"]
        unit = f" {tunable['unit']}" if tunable["unit"] else ""
        default = "" if tunable["value"] == tunable["default"] else f" [default {tunable['default']}]"
        _line("tuning", f"{tunable['name']} = {value}{unit}{default}: {tunable['doc']}")
    for title, key in (
        ("where", "where"),
        ("severity", "severity"),
        ("ATT&CK", "attack"),
        ("override", "overrides"),
        ("by tactic", "by_tactic"),
        ("suppressed", "suppressed"),
        ("test", "tests"),
    ):
        value = told.get(key) or ()
        for text in [value] if isinstance(value, str) else value:
            _line(title, text)
    click.echo()
    click.echo(told["sql"])


def _line(title: str, text: str) -> None:
    click.echo(f"{title:<{COLUMN}} {text}")
