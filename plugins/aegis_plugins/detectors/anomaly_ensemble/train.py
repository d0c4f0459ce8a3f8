"""`aegis-enrich train anomaly`: a model of how the hosts of a site behave, from its own past."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from aegis_enrich.cli.options import config_option, configuration
from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.registry import load as plugins
from aegis_plugins.models import past, stored

from . import AnomalyEnsemble, Tuning
from .measures import MEASURES
from .model import KIND, MOST_ROWS, schema

LEAST_ROWS = 100
GOOD_HOURS = 168


@click.command("anomaly")
@click.option(
    "--from", "paths", multiple=True, type=click.Path(path_type=Path), help="Logs instead of the state's rows."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The model (default: in the state)."
)
@click.option("--days", type=click.FloatRange(0.04), default=30.0, show_default=True, help="How much of the past.")
@click.option(
    "--min-connections",
    type=click.IntRange(1),
    default=Tuning().min_connections,
    show_default=True,
    help="As in the rule: hours of hosts with fewer are left out.",
)
@config_option
def command(
    paths: tuple[Path, ...],
    output: Path | None,
    days: float,
    min_connections: int,
    config_file: Path | None,
    state: Path | None,
) -> str:
    """Learn how the hosts of this site behave in an hour, from the rows of a state or from logs.

    Train on a time in which nothing bad is known: what is in it counts as usual. A week or more tells of nights and
    weekends, too.
    """
    config = configuration(config_file, state)
    registry = plugins()
    tuning = Tuning(min_connections=min_connections)
    with past.opened(config, registry, paths) as (store, enrichment):
        frame = past.features(store, enrichment, registry.tables, AnomalyEnsemble, tuning, days=days)
    path = (output or config.state_dir / "models" / "anomaly.parquet").absolute()
    about, rows = trained(frame)
    digest = stored.write(path, about, rows)
    return _said(path, about, digest)


def trained(frame: pd.DataFrame) -> tuple[stored.About, pd.DataFrame]:
    """What is kept of these hours of hosts: features without addresses; raises ConfigError where they are too few."""
    if len(frame) < LEAST_ROWS:
        what = f"{len(frame)} hours of hosts with enough connections; {LEAST_ROWS} are needed"
        raise ConfigError(f"{what}: watch longer, or lower --min-connections", where="train anomaly")
    chosen = stored.sample(frame, lambda row: f"{row['sensor']} {row['hour_us']} {row['orig_h']}", MOST_ROWS)
    chosen = chosen.sort_values(["hour_us", "sensor", "orig_h"], ignore_index=True)
    about = stored.About(
        kind=KIND,
        schema=schema(),
        library=stored.library(),
        from_us=int(frame["hour_us"].min()),
        until_us=int(frame["hour_us"].max()) + HOUR_US,
        rows=len(chosen),
        of_rows=len(frame),
        hosts=int(frame["orig_h"].nunique()),
    )
    return about, chosen[["hour_us", *(m.name for m in MEASURES)]].astype({m.name: float for m in MEASURES})


def _said(path: Path, about: stored.About, digest: str) -> str:
    hours = (about.until_us - about.from_us) // HOUR_US
    lines = [
        f"{path}: {about.rows:,} hours of {about.hosts:,} hosts over {hours:,} h up to {about.date}, hash {digest}",
        "To use it, write into rules/detectors/anomaly_ensemble.yml:",
        f"  tuning: {{model: {path}}}",
    ]
    if hours < GOOD_HOURS:
        lines.insert(
            1, f"Only {hours:,} h: what such a time does not show (nights, weekends) will look odd; train again later."
        )
    return "\n".join(lines)
