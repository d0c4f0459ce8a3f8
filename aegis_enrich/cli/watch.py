"""`aegis-enrich watch`: logs that are being written, for months."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import click

from ..errors import ConfigError
from ..follow import Follower
from ..pipeline.engine import Engine, assemble, wall_us
from ..plugin import MICROS
from ..registry import load
from ..store import Store
from . import captures
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

DELIVER_ONCE_S = 120.0
DELIVER_STOP_S = 10.0
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Span(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A length of time: 90, 90s, 15m, 24h, 7d; in seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = _SPAN.fullmatch(str(value))
        if not match:
            self.fail(f"{value!r} is no length of time; write it like 90s, 15m, 24h or 7d", param, ctx)
        return float(match[1]) * _SECONDS[match[2]]


@click.command("watch")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Read what is there, evaluate it as if the input ended, and exit.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="NDJSON file, a line a delivery.")
@click.option("--es", "url", help="Index alerts in this Elasticsearch.")
@click.option("--index-logs", help="Tables whose rows are indexed too, with commas.")
@click.option("--sensor", "sensors", multiple=True, metavar="NAME=DIR", help="A sensor's folder; may be repeated.")
@click.option("--since", type=Span(), help="How far back archives are read at the first start (default 24h).")
@click.option("--duration", type=Span(), help="Stop after this time.")
@click.option("--poll", is_flag=True, help="Look at the files instead of waiting for events (network file systems).")
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of rules.")
@config_option
def command(
    paths: tuple[Path, ...],
    once: bool,
    output: Path | None,
    url: str | None,
    index_logs: str | None,
    sensors: tuple[str, ...],
    since: float | None,
    duration: float | None,
    poll: bool,
    rules: Path | None,
    config_file: Path | None,
    state: Path | None,
) -> int:
    """Follow the logs of sensors and tell what is wrong in them as it happens.

    PATHS are folders in which Zeek or Suricata write, or single files. It goes on where it was after any stop.
    """
    config = configuration(config_file, state, rules=str(rules.absolute()) if rules else None)
    config = with_elasticsearch(config, url, index_logs)
    named = sources(paths, sensor_options(sensors, config))
    if not named:
        raise click.UsageError("name the folder in which the sensor writes, or sensors in the configuration")
    captures.refuse(named)
    if output is None and config.output:
        output = Path(config.output)
    registry = load()
    parts = assemble(config, registry)
    begun, begun_us = time.monotonic(), wall_us()
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(Store(config.state_dir))
        known = store.progress()
        back_us = None if once and since is None else int((since or config.archives_hours * 3600) * MICROS)
        follower = stack.enter_context(
            Follower(named, [p.state for p in known], back_us=None if known else back_us, poll=poll)
        )
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
        )
        with stop_on_signals(engine):
            if once:
                engine.run_to_end()
            else:
                _greet(follower, named)
                engine.run(until_s=None if duration is None else begun + duration)
        undelivered = engine.delivery.drain(DELIVER_ONCE_S if once else DELIVER_STOP_S)
        if once:
            engine.tidy()
        engine.delivery.close()
        if once and not store.progress():
            raise ConfigError(
                "no log that AegisEnrich reads; name the folder in which the sensor writes",
                where=", ".join(str(p) for given in named.values() for p in given),
            )
        summary(engine, stored_alerts(store, since_us=0 if once else begun_us), time.monotonic() - begun)
        say_undelivered(undelivered, "they go out at the next start")
    return 0


def _greet(follower: Follower, named: dict[str, list[Path]]) -> None:
    follower.scan()
    where = ", ".join(str(p) for given in named.values() for p in given)
    if not follower.pending():
        click.echo(f"no logs in {where} yet; waiting for the sensor to write", err=True)
    else:
        click.echo(f"watching {where}; Ctrl-C stops", err=True)
