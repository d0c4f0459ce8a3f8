"""`aegis-enrich analyze`: logs that are there, once."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from .. import capture
from ..decide.standing import unsuppressed
from ..errors import ConfigError
from ..follow import Follower
from ..pipeline.engine import Engine, assemble
from ..registry import load as plugins
from ..store import Store
from . import captures, report
from .options import config_option, configuration, json_option, print_json
from .run import (
    progress_bar,
    say_undelivered,
    sensor_options,
    sinks,
    sources,
    stop_on_signals,
    stored_alerts,
    summary,
    with_elasticsearch,
    write_ndjson,
)

DELIVER_S = 120.0


@click.command("analyze")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the alerts to this NDJSON file."
)
@click.option(
    "--report",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what was found to this file as one HTML page.",
)
@click.option("--es", "url", help="Index alerts in this Elasticsearch.")
@click.option("--index-logs", help="Tables whose rows are indexed too, with commas.")
@click.option("--sensor", "sensors", multiple=True, metavar="NAME=DIR", help="A sensor's folder; may be repeated.")
@click.option("--with", "reader", type=click.Choice(["zeek", "suricata"]), help="What reads captures (default: Zeek).")
@click.option(
    "--load", multiple=True, metavar="FILE", help="A Zeek script, or Suricata rules, to read captures with, too."
)
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of rules.")
@config_option
@json_option
def command(
    paths: tuple[Path, ...],
    output: Path | None,
    page: Path | None,
    url: str | None,
    index_logs: str | None,
    sensors: tuple[str, ...],
    reader: str | None,
    load: tuple[str, ...],
    rules: Path | None,
    config_file: Path | None,
    state: Path | None,
    as_json: bool,
) -> int:
    """Analyze logs that are there: files or folders of Zeek logs or Suricata's eve.json, plain or gzip.

    Captures (pcap, pcapng, plain or gzip) are read by an installed Zeek, else Suricata, in a temporary folder; bad
    checksums in them do not matter. Prints the alerts; keeps nothing unless --state names a folder.
    """
    config = configuration(config_file, state, rules=str(rules.absolute()) if rules else None)
    config = with_elasticsearch(config, url, index_logs)
    named = sources(paths, sensor_options(sensors, config))
    if not named:
        raise click.UsageError("name a file or folder of logs")
    logs, given = captures.split(named)
    if (reader or load) and not given:
        raise click.UsageError("--with and --load are for captures; none is given")
    sensor = capture.choose(reader) if given else None
    registry = plugins()
    parts = assemble(config, registry)
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        root = (
            Path(config.state)
            if config.state
            else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-")))
        )
        store = stack.enter_context(Store(root))
        folders = stack.enter_context(capture.Folders(root if config.state else None))
        read, failed = captures.read(given, folders, sensor, parts.enrichment.inside(), load) if sensor else ([], [])
        if not logs and not read:
            captures.say(failed)
        for name, folder in read:
            logs.setdefault(name, []).extend(folder.logs())
        follower = stack.enter_context(Follower(logs, [p.state for p in store.progress()], poll=True))
        show = stack.enter_context(progress_bar(follower))
        receivers = sinks(config, registry, None)
        engine = Engine(
            parts, store, follower, receivers, live=False, index_logs=config.elasticsearch.index_logs, progress=show
        )
        with stop_on_signals(engine):
            engine.run_to_end()
        if engine.stopping.is_set():
            raise KeyboardInterrupt
        for _, folder in read if config.state else ():
            folder.note_done()
        undelivered = engine.delivery.drain(DELIVER_S)
        engine.delivery.close()
        documents = unsuppressed(engine.rules, stored_alerts(store))
        if output is not None:
            write_ndjson(documents, output)
        counts = engine.intake.counts
        if not sum(counts.rows.values()) + sum(counts.bad.values()) and not store.progress():
            raise _nothing(named, given, follower)
        if page is not None:
            report.write(report.made(store, config, registry), page)
        if as_json:
            print_json(
                {"rows": dict(counts.rows), "bad": dict(counts.bad), "late": dict(counts.late), "alerts": documents}
            )
        else:
            summary(engine, documents, time.monotonic() - begun)
        for error in failed:
            click.echo(f"aegis-enrich: {error}", err=True)
        say_undelivered(undelivered, "run it again with the same --state" if config.state else "name a --state")
    return 1 if failed else 0


def _nothing(named: captures.Named, given: Sequence[tuple[str, Path]], follower: Follower) -> ConfigError:
    """There was no log at all."""
    skipped = f" (there are {', '.join(sorted(follower.skipped))})" if follower.skipped else ""
    what = f"no log that AegisEnrich reads{skipped}; name a folder of Zeek logs, an eve.json or a capture"
    if given:
        what = f"its sensor wrote no log that AegisEnrich reads{skipped}; is there IP traffic in it?"
    where = ", ".join(str(p) for paths in named.values() for p in paths)
    return ConfigError(what + captures.beside(named), where=where)
