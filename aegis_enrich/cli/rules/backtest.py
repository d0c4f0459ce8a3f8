"""`rules backtest`: what a rule would have raised on old logs, and what another threshold would change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import yaml

from ...config import Config
from ...decide import DetectorRule, RowRule, RuleSet, load_rules
from ...decide.source import Source
from ...decide.tuning import parse_tuning
from ...errors import ConfigError, Problems
from ...pipeline.backtest import Difference, Past, of_logs, of_state
from ...pipeline.engine import Parts, assemble
from ...registry import load
from ..options import SEVERITIES, alert_table, config_option, field, json_option, print_json
from ..run import sensor_options, sources
from .options import configured, rules_option, table, the_rule


@click.command()
@click.argument("rule")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="TUNABLE=VALUE", help="Compare with this; may be repeated.")
@click.option("--with", "other", type=click.Path(path_type=Path), help="Compare with the rule in this folder of rules.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Only so many days back from the newest row.")
@click.option("--sensor", "sensors", multiple=True, metavar="NAME=DIR", help="A sensor's folder; may be repeated.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Rows of the table, worst first.")
@rules_option
@config_option
@json_option
def backtest(
    rule: str,
    paths: tuple[Path, ...],
    settings: tuple[str, ...],
    other: Path | None,
    days: float | None,
    sensors: tuple[str, ...],
    limit: int,
    folder: Path | None,
    config_file: Path | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Tell what RULE would have raised on old logs, and with --set or --with what would change.

    PATHS are logs, folders of them, or the folder of a state (--state names one, too), which is only read.
    Suppressions and overrides of the site count.
    """
    config = configured(folder, config_file, state)
    parts = assemble(config, load())
    before = the_rule(parts.rules, rule)
    after = _other(before, settings, other, parts)
    with _past(parts, paths, sensors, config) as past:
        found = past.alerts(before, days=days)
        compared = Difference(found, past.alerts(after, days=days)) if after is not None else None
    if compared is None:
        _tell(rule, found, limit=limit, as_json=as_json)
    elif as_json:
        print_json(_document(rule, compared))
    else:
        _compare(rule, compared, limit)


@contextlib.contextmanager
def _past(parts: Parts, paths: Sequence[Path], sensors: Sequence[str], config: Config) -> Iterator[Past]:
    states = [p for p in paths if (p / "state.db").is_file()]
    if len(states) > 1 or (states and len(paths) > 1):
        raise click.UsageError("name one state, or logs")
    named = {} if states else sources(paths, sensor_options(sensors, config) if sensors or not config.state else {})
    if not states and not named and not config.state:
        raise click.UsageError("name a folder of logs, or a state")
    opened = of_logs(parts, named) if named else of_state(parts, states[0] if states else config.state_dir)
    with opened as past:
        if not past.sensors:
            raise ConfigError("holds no rows", where=", ".join(map(str, paths)) or str(config.state_dir))
        yield past


def _other(
    rule: DetectorRule | RowRule, settings: Sequence[str], folder: Path | None, parts: Parts
) -> DetectorRule | RowRule | None:
    """The rule to compare with, if one is asked for."""
    if folder is not None:
        rules = load_rules(folder, parts.registry.detectors, parts.enrichment.schema)
        rule = the_rule(RuleSet.of(list(rules)), rule.id)
    if not settings:
        return rule if folder is not None else None
    if not isinstance(rule, DetectorRule):
        raise ConfigError("a rule over rows has no tunables; change a copy, and name its folder --with", where=rule.id)
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.BadParameter(f"{setting!r}: write it as TUNABLE=VALUE", param_hint="--set")
        values[name.strip()] = yaml.safe_load(value)
    source = Source(Path("--set"), {"tuning": values})
    tuning = parse_tuning(source, rule.detector, base=rule.tuning)
    if source.problems:
        raise Problems([ConfigError(p.what, where="--set") for p in source.problems])
    return replace(rule, tuning=tuning)


def _tell(rule: str, found: Sequence[dict[str, Any]], *, limit: int, as_json: bool) -> None:
    if as_json:
        print_json({"rule": rule, "alerts": list(found)})
        return
    if found:
        alert_table(found, limit=limit)
    click.echo(f"{_number(found)} of {rule}")


def _document(rule: str, compared: Difference) -> dict[str, Any]:
    return {
        "rule": rule,
        "before": len(compared.before),
        "after": len(compared.after),
        "only_before": compared.gone,
        "only_after": compared.new,
        "changed": [
            {"id": a["event"]["id"], "before": _severity(a), "after": _severity(b), "alert": b}
            for a, b in compared.changed
        ],
    }


def _compare(rule: str, compared: Difference, limit: int) -> None:
    rows = [("only before", _severity(a), *_whom(a)) for a in compared.gone]
    rows += [("only after", _severity(a), *_whom(a)) for a in compared.new]
    rows += [("changed", f"{_severity(a)} to {_severity(b)}", *_whom(b)) for a, b in compared.changed]
    if rows:
        table(("change", "severity", "first seen", "about", "why"), rows[:limit])
    if len(rows) > limit:
        click.echo(f"and {len(rows) - limit} more: --limit {len(rows)}")
    click.echo(
        f"{rule}: {_number(compared.before)} before, {len(compared.after)} after; {len(compared.gone)} only before, "
        f"{len(compared.new)} only after, {len(compared.changed)} of another severity"
    )


def _whom(document: dict[str, Any]) -> tuple[str, str, str]:
    entity = ", ".join(str(v) for v in field(document, "aegis.entity", {}).values() if v is not None)
    return document["@timestamp"][:19].replace("T", " "), entity, str(field(document, "event.reason", ""))


def _severity(document: dict[str, Any]) -> str:
    return SEVERITIES[document["event"]["severity"]]


def _number(found: Sequence[Any]) -> str:
    return f"{len(found) or 'no'} alert{'' if len(found) == 1 else 's'}"
