"""`aegis-enrich evaluate`: the rules as they are configured, held against logs of which the truth is known."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError
from ..evaluate import PLACE, Result, Truth, labelled_acts, load_truth, measure, places, totals
from ..follow import Follower
from ..pipeline.engine import Engine, assemble
from ..plugin import DAY_US
from ..registry import load as plugins
from ..store import Store
from .options import SEVERITIES, config_option, configuration, json_option, print_json
from .run import progress_bar, stored_alerts

SHOWN = 10


@click.command("evaluate")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--labels", type=click.Path(path_type=Path, dir_okay=False), help="A YAML of what happened (docs/evaluation.md)."
)
@click.option("--only", multiple=True, metavar="SCENARIO", help="Of the scenarios of --labels these; may be repeated.")
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of rules.")
@config_option
@json_option
def command(
    path: Path,
    labels: Path | None,
    only: tuple[str, ...],
    rules: Path | None,
    config_file: Path | None,
    state: Path | None,
    as_json: bool,
) -> int:
    """Hold the rules against logs of which the truth is known.

    PATH is a file or folder of logs, with {} where the name of a scenario belongs: `evaluate 'lab/{}/tsv' --labels
    truth.yml` analyzes each scenario of the file by itself. Without --labels the truth is in the rows: the columns
    label and detailedlabel, as Stratosphere's data have them. Exit code 1 where something was missed that a rule ought
    to find.
    """
    if state is not None:
        raise click.UsageError("evaluate keeps nothing: leave --state out")
    config = configuration(config_file, None, rules=str(rules.absolute()) if rules else None)
    results = [_evaluate(config, where, truth) for where, truth in _cases(path, labels, only)]
    if as_json:
        print_json({"rules": totals(results), "scenarios": [_as_json(r) for r in results]})
    else:
        _say(results)
    return 1 if any(r.missed for r in results) else 0


def _cases(path: Path, labels: Path | None, only: Sequence[str]) -> Iterator[tuple[Path, Truth | None]]:
    """Where logs are, and what is true of them (None: it is in the rows)."""
    if labels is None:
        if PLACE in str(path) or only:
            raise click.UsageError("scenarios have names in --labels FILE only")
        yield _there(path), None
        return
    truths = load_truth(labels)
    if unknown := [name for name in only if name not in truths]:
        raise ConfigError(f"no scenario {unknown[0]!r}; there are {', '.join(sorted(truths))}", where=str(labels))
    chosen = {name: truth for name, truth in truths.items() if not only or name in only}
    if PLACE not in str(path):
        if len(chosen) != 1:
            raise click.UsageError(f"{labels} tells of {len(chosen)}: write {PLACE} in PATH, or name one by --only")
        yield _there(path), next(iter(chosen.values()))
        return
    there = places(path, chosen.values())
    if not there:
        raise ConfigError("no such file or folder for any scenario", where=str(path))
    yield from there


def _there(path: Path) -> Path:
    if not path.exists():
        raise ConfigError("no such file or folder", where=str(path))
    return path


def _evaluate(config: Any, where: Path, truth: Truth | None) -> Result:
    parts = assemble(config, plugins())
    delays = {r.id: r.detector.window_s + r.detector.lateness_s for r in parts.rules.detectors.values()}
    with (
        tempfile.TemporaryDirectory(prefix="aegis-") as folder,
        Store(Path(folder)) as store,
        Follower({"sensor": [where]}, poll=True) as follower,
        progress_bar(follower) as show,
    ):
        Engine(parts, store, follower, {}, live=False, progress=show).run_to_end()
        connections = [str(s.path) for s in store.segments("conn")]
        if truth is None:
            truth = Truth(str(where), labelled_acts(_labelled(connections)))
            if not truth.acts:
                raise ConfigError("no row is labelled Malicious; give --labels FILE", where=str(where))
        return measure(truth, stored_alerts(store), lambda rule: delays.get(rule, 0.0), _host_days(connections))


def _labelled(segments: Sequence[str]) -> list[tuple[str, str, int, int]]:
    return _ask(
        segments,
        "SELECT orig_h, extra, min(epoch_us(ts)), max(epoch_us(end_ts)) FROM read_parquet($paths, union_by_name = true)"
        " WHERE extra IS NOT NULL AND orig_h IS NOT NULL GROUP BY orig_h, extra ORDER BY orig_h, extra",
    )


def _host_days(segments: Sequence[str]) -> int | None:
    """Hosts inside that opened a connection, each counted once a day."""
    if not segments:
        return None
    counted = _ask(
        segments,
        f"SELECT count(DISTINCT (orig_h, epoch_us(end_ts) // {DAY_US}))"
        " FROM read_parquet($paths, union_by_name = true) WHERE orig_internal",
    )
    return int(counted[0][0])


def _ask(segments: Sequence[str], sql: str) -> list[Any]:
    import duckdb

    if not segments:
        return []
    with duckdb.connect() as connection:
        return connection.execute(sql, {"paths": list(segments)}).fetchall()


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "scenario": result.name,
        "host_days": result.host_days,
        "missed": dict(result.missed),
        "false": [{"rule": rule, "severity": severity, "reason": why} for rule, severity, why in result.false],
        "rules": totals([result]),
    }


def _say(results: Sequence[Result]) -> None:
    heads = "".join(f"{word:>10}" for word in [*SEVERITIES.values(), "delay"])
    click.echo(f"{'rule':<22}{'found':>7}{'missed':>8}{'beside':>8}{heads}")
    for rule, told in totals(results).items():
        false = "".join(f"{told['false'].get(str(s), 0) or '-':>10}" for s in SEVERITIES)
        delay = "-" if told["median_delay_s"] is None else f"{told['median_delay_s']:,.0f} s"
        click.echo(f"{rule:<22}{told['found']:>7}{told['missed']:>8}{told['beside']:>8}{false}{delay:>10}")
    days = sum(r.host_days or 0 for r in results)
    loud = [(r.name, *alert) for r in results for alert in r.false if alert[1] > min(SEVERITIES)]
    per_day = f", {len(loud) / days:.3f} of them per host-day" if days else ""
    click.echo(f"\n{len(results)} scenarios, {days} host-days; false alerts above low: {len(loud)}{per_day}")
    for name, rule, severity, reason in loud[:SHOWN]:
        click.echo(f"  false  {name}: {SEVERITIES.get(severity, severity)} by {rule}: {reason}")
    for result in results:
        for what, times in result.missed.items():
            click.echo(f"  missed {result.name}: {what}{f' ({times})' if times > 1 else ''}")
