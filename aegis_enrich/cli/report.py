"""`aegis-enrich report`: what a state holds as one HTML page, to read, print and send on."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from ..config import Config
from ..correlate.load import load_correlation
from ..decide import load_rules
from ..detect.evaluate import Limits
from ..errors import AegisError, StateError
from ..registry import Registry, load
from ..report.clock import asked
from ..report.contents import Reading, newest, read
from ..report.page import page
from ..store import Store
from .options import config_option, configuration


@click.command("report")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write (default: standard output)."
)
@click.option(
    "--since", help="Only what was seen since: 2026-11-22, 2026-11-22T02:30, or 24h or 7d before the newest row."
)
@click.option("--until", help="Only what was seen before, written likewise.")
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of rules.")
@config_option
def command(
    output: Path | None,
    since: str | None,
    until: str | None,
    rules: Path | None,
    config_file: Path | None,
    state: Path | None,
) -> None:
    """Write one HTML page of a state: incidents, beacons, hosts, ATT&CK, network health, alerts.

    It opens without a network and prints well. Times are UTC.
    """
    if output is None and _is_terminal():
        raise click.UsageError("name the file to write: -o report.html")
    config = configuration(config_file, state, rules=str(rules.absolute()) if rules else None)
    with Store(config.state_dir, read_only=True) as store:
        text = made(store, config, load(), since, until)
    if output is None:
        click.echo(text.encode(), nl=False)
    else:
        write(text, output)
        click.echo(f"{len(text.encode()):,} bytes in {output}")


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def made(store: Store, config: Config, registry: Registry, since: str | None = None, until: str | None = None) -> str:
    """The page of a state; raises StateError where its rows cannot be read."""
    newest_us = newest(store)[1] or 0
    since_us = asked(since, newest_us, "--since") if since else None
    until_us = asked(until, newest_us, "--until") if until else None
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise click.UsageError("--since must lie before --until")
    with tempfile.TemporaryDirectory(prefix="aegis-") as spill:
        limits = Limits(config.memory_limit, config.threads, Path(spill))
        return page(read(store, _reading(config, registry, since_us, until_us, limits)))


def _reading(config: Config, registry: Registry, since_us: int | None, until_us: int | None, limits: Limits) -> Reading:
    """With the rules in force; without them where they do not check, for what was found is to be told all the same."""
    try:
        rules = load_rules(config.rules_dir, registry.detectors)
        correlation = load_correlation(config.rules_dir, [r.id for r in rules])
    except AegisError:
        return Reading(since_us, until_us, limits=limits)
    return Reading(since_us, until_us, rules, correlation, limits)


def write(text: str, output: Path) -> None:
    """The page to its file; raises StateError where it cannot be written."""
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}; name another file", where=str(output)) from error
