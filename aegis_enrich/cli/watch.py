"""`aegis-enrich watch`: logs that are being written, for months."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import click

from ..errors import ConfigError
from ..follow import Follower, Source
from ..pipeline.begun import archives_from, keep
from ..pipeline.engine import Engine, assemble, wall_us
from ..plugin import MICROS
from ..registry import load
from ..store import Store
from . import captures, feeds
from .observed import Seen, reload_on_hangup
from .options import config_option, configuration
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
)
from .said import is_json, say
from .spans import Span

DELIVER_ONCE_S = 120.0
DELIVER_STOP_S = 10.0


@click.command("watch")
@click.argument("paths", nargs=-1, type=feeds.Feed())
@click.option("--once", is_flag=True, help="Read what is there, evaluate it as if the input ended, and exit.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="NDJSON file, a line a delivery.")
@click.option("--es", "url", help="Index alerts in this Elasticsearch.")
@click.option("--index-logs", help="Tables whose rows are indexed too, with commas.")
@click.option("--sensor", "sensors", multiple=True, metavar="NAME=DIR", help="A sensor's folder; may be repeated.")
@click.option("--since", type=Span(), help="How far back archives are read at the first start (default 24h).")
@click.option("--duration", type=Span(), help="Stop after this time.")
@click.option("--poll", is_flag=True, help="Look at the files instead of waiting for events (network file systems).")
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of rules.")
@click.option("--metrics", metavar="[HOST]:PORT", help="Metrics and health over HTTP; :9108 is of this machine only.")
@config_option
def command(
    paths: tuple[str | Path, ...],
    once: bool,
    output: Path | None,
    url: str | None,
    index_logs: str | None,
    sensors: tuple[str, ...],
    since: float | None,
    duration: float | None,
    poll: bool,
    rules: Path | None,
    metrics: str | None,
    config_file: Path | None,
    state: Path | None,
) -> int:
    """Follow the logs of sensors and tell what is wrong in them as it happens.

    PATHS are folders in which Zeek or Suricata write, or single files, or one kafka://BROKER:9092/TOPIC[,TOPIC]. It
    goes on where it was after any stop.
    """
    config = configuration(config_file, state, rules=str(rules.absolute()) if rules else None)
    config = with_elasticsearch(config, url, index_logs)
    folders, named_folders, addresses = feeds.split(paths, sensors)
    named = sources(folders, sensor_options(named_folders, config)) if folders or named_folders or not addresses else {}
    kafka = feeds.address(named, addresses, config)
    if not named and kafka is None:
        raise click.UsageError("name the folder in which the sensor writes, or sensors in the configuration")
    captures.refuse(named)
    where = str(kafka or ", ".join(str(p) for given in named.values() for p in given))
    if output is None and config.output:
        output = Path(config.output)
    if metrics and once:
        raise click.UsageError("--metrics is for a watch that goes on; --once ends before anybody asks")
    registry = load()
    with contextlib.ExitStack() as stack:
        seen = Seen(config, config_file, named)
        if not once:
            stack.enter_context(seen.listening(metrics))
        parts = assemble(config, registry)
        begun, begun_us = time.monotonic(), wall_us()
        store = stack.enter_context(Store(config.state_dir))
        known = store.progress()
        follower: Source
        if kafka is not None:
            follower = stack.enter_context(feeds.open_source(kafka, config, store, once=once))
        else:
            back_us = None if once and since is None else int((since or config.archives_hours * 3600) * MICROS)
            states = feeds.of_files(known)
            files = Follower(named, states, back_us=back_us, floors=archives_from(store), poll=poll)
            follower = stack.enter_context(files)
            files.scan()
            keep(store, files.floors)
        show = stack.enter_context(progress_bar(follower)) if once else (lambda stage, intake: None)
        receivers = sinks(config, registry, output)
        engine = Engine(
            parts,
            store,
            follower,
            receivers,
            live=not once,
            index_logs=config.elasticsearch.index_logs,
            progress=show,
            watched=seen.watched,
        )
        seen.follow(engine)
        with stop_on_signals(engine), reload_on_hangup(engine):
            if once:
                engine.run_to_end()
            else:
                _greet(follower, where)
                engine.run(until_s=None if duration is None else begun + duration)
        undelivered = engine.delivery.drain(DELIVER_ONCE_S if once else DELIVER_STOP_S)
        if once:
            engine.tidy()
        engine.delivery.close()
        if once and not store.progress():
            raise ConfigError(
                "no log that AegisEnrich reads; name the folder in which the sensor writes",
                where=where,
            )
        alerts = stored_alerts(store, since_us=0 if once else begun_us)
        if is_json():
            say(f"ended: {sum(engine.intake.counts.rows.values()):,} rows read, {len(alerts):,} alerts told of")
        else:
            summary(engine, alerts, time.monotonic() - begun)
        say_undelivered(undelivered, "they go out at the next start")
    return 0


def _greet(follower: Source, where: str) -> None:
    if isinstance(follower, Follower):
        follower.scan()
    if isinstance(follower, Follower) and not follower.pending():
        say(f"no logs in {where} yet; waiting for the sensor to write")
    else:
        say(f"watching {where}; Ctrl-C stops")
