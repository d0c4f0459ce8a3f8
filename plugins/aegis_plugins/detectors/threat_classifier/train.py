"""`aegis-enrich train classifier`: a model of what threats look like, from labelled logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pandas as pd

from aegis_enrich.cli.options import config_option, configuration
from aegis_enrich.config import Config
from aegis_enrich.errors import ConfigError
from aegis_enrich.evaluate import PLACE, load_truth, places
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.registry import Registry
from aegis_enrich.registry import load as plugins
from aegis_plugins.models import past, stored

from . import ThreatClassifier, Tuning
from .classes import BENIGN
from .forest import held_out, measured, parts
from .labelled import connections, label
from .measures import MEASURES
from .model import KIND, classes_of, schema

MOST_ROWS = 2_000  # of a class
LEAST_ROWS = 10  # of a class, below which it is left out


@click.command("classifier")
@click.option(
    "--from",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Labelled logs: a folder or file is a capture; may be repeated.",
)
@click.option(
    "--labels", type=click.Path(path_type=Path, dir_okay=False), help="A YAML of what happened (docs/evaluation.md)."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The model (default: in the state)."
)
@click.option(
    "--min-connections",
    type=click.IntRange(4),
    default=Tuning().min_connections,
    show_default=True,
    help="As in the rule: pairs and hours with fewer are left out.",
)
@config_option
def command(
    paths: tuple[Path, ...],
    labels: Path | None,
    output: Path | None,
    min_connections: int,
    config_file: Path | None,
    state: Path | None,
) -> str:
    """Learn from labelled logs what threats look like, and say how far that can be trusted.

    Labels are those in the rows (columns label and detailedlabel of conn, as Stratosphere's data have them), or with
    --labels those of a file of truths: {} in --from stands for the names of its scenarios. What is measured is measured
    on captures (or hosts, or times) that were not learned from.
    """
    config, registry = configuration(config_file, state), plugins()
    frames = [
        _capture(config, registry, *case, Tuning(min_connections=min_connections)) for case in _cases(paths, labels)
    ]
    about, rows = trained(pd.concat(frames, ignore_index=True) if frames else pd.DataFrame())
    path = (output or config.state_dir / "models" / "classifier.parquet").absolute()
    return said(path, about, stored.write(path, about, rows))


def _cases(paths: Sequence[Path], labels: Path | None) -> Iterator[tuple[Path, Any]]:
    """Where a capture's logs are, and the acts in it (None: its rows say it)."""
    if labels is None:
        yield from ((path, None) for path in paths)
        return
    truths = load_truth(labels)
    for path in paths:
        if PLACE in str(path):
            yield from ((place, truth.acts) for place, truth in places(path, truths.values()))
        else:
            yield path, tuple(act for truth in truths.values() for act in truth.acts)


def _capture(config: Config, registry: Registry, path: Path, acts: Any, tuning: Tuning) -> pd.DataFrame:
    """The labelled rows of a capture."""
    with past.opened(config, registry, [path]) as (store, enrichment):
        if not past.sensors(store):
            return pd.DataFrame()
        features = past.features(store, enrichment, registry.tables, ThreatClassifier, tuning)
        if not len(features):
            return pd.DataFrame()
        told = [connections(store, enrichment, sensor, acts) for sensor in past.sensors(store)]
    return label(features, pd.concat(told, ignore_index=True)).assign(capture=str(path))


def trained(frame: pd.DataFrame) -> tuple[stored.About, pd.DataFrame]:
    """What is kept: features and class, no addresses; raises ConfigError where no two classes can be told apart."""
    counts = frame["what"].value_counts() if len(frame) else pd.Series(dtype=int)
    known = sorted(str(name) for name, n in counts.items() if n >= LEAST_ROWS)
    if BENIGN not in known or len(known) < 2:
        have = ", ".join(f"{name} {n}" for name, n in sorted(counts.items())) or "none"
        what = f"labelled rows of {BENIGN} and of another class are needed, {LEAST_ROWS} of each; there are: {have}"
        raise ConfigError(what, where="train classifier")
    sampled = [
        stored.sample(
            frame[frame["what"] == name], lambda row: f"{row['capture']} {row['hour_us']} {row['uid']}", MOST_ROWS
        )
        for name in known
    ]
    rows = pd.concat(sampled).sort_values(["capture", "hour_us", "orig_h", "uid"], ignore_index=True)
    part, of = parts(list(rows["capture"]), list(rows["orig_h"]), list(rows["hour_us"]), list(rows["what"]))
    classes = classes_of(rows["what"])
    found = held_out(rows, MEASURES, classes, part)
    alone = [name for name in classes if name != BENIGN and len(set(part[rows["what"] == name])) == 1]
    calibration, figures = measured(classes, found, list(rows["what"]), part, Tuning().min_probability, alone)
    about = stored.About(
        kind=KIND,
        schema=schema(),
        library=stored.library(),
        from_us=int(frame["hour_us"].min()),
        until_us=int(frame["hour_us"].max()) + HOUR_US,
        rows=len(rows),
        of_rows=len(frame),
        hosts=int(frame["orig_h"].nunique()),
        more={
            "calibration": asdict(calibration),
            "measured": figures | {"by": of},
            "left_out": sorted(set(counts.index) - set(known)),
            "alone": alone,
        },
    )
    return about, rows[["what", *(m.name for m in MEASURES)]].astype({m.name: float for m in MEASURES})


def said(path: Path, about: stored.About, digest: str) -> str:
    """What was made and how right it is, in lines."""
    figures = about.more["measured"]
    lines = [
        f"{path}: {about.rows:,} rows of {len(figures['classes'])} classes up to {about.date}, hash {digest}",
        f"Measured on each {figures['by']} by a forest that has not seen it ({figures['parts']} of them): accuracy "
        f"{figures['accuracy']:.2f}, Brier {figures['brier']:.3f}, calibration error {figures['ece']:.3f}, sure of "
        f"{figures['said']:.0%} of the rows",
    ]
    for name, rates in figures["classes"].items():
        shown = {k: "-" if rates[k] is None else f"{rates[k]:.2f}" for k in ("precision", "recall")}
        lines.append(f"  {name:<12} {rates['rows']:>6,} rows  precision {shown['precision']}  recall {shown['recall']}")
    if about.more["alone"]:
        names = ", ".join(about.more["alone"])
        lines.append(f"In one {figures['by']} only, so that it cannot be measured and is never called: {names}")
    if about.more["left_out"]:
        lines.append(f"Left out, for too few rows: {', '.join(about.more['left_out'])}")
    return "\n".join(
        [*lines, "To use it, write into rules/detectors/threat_classifier.yml:", f"  tuning: {{model: {path}}}"]
    )
