"""What `analyze` and `watch` share: a run's parts, its progress and its summary."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..correlate import incident_documents
from ..decide.decider import STORED, alert_documents
from ..deliver import Undelivered
from ..deliver.sections import make, sections
from ..errors import ConfigError, Problems, SinkError
from ..follow import Source
from ..pipeline.engine import Engine
from ..pipeline.intake import Intake
from ..plugin import Sink
from ..registry import Registry
from ..store import Store
from ..visible import CHARACTERS, visible
from .options import SEVERITIES, alert_table, field

INCIDENTS = 10  # that a summary names
Progress = Callable[[str, Intake], None]


def sources(paths: Sequence[Path], sensors: Mapping[str, Sequence[Path]]) -> dict[str, list[Path]]:
    """Sensor name to its files and folders; each must be there. Without a name the sensor is `sensor`."""
    named = {"sensor": list(paths)} if paths else {}
    for name, folders in sensors.items():
        named.setdefault(name, []).extend(folders)
    for given in named.values():
        for path in given:
            if not path.exists():
                raise ConfigError("no such file or folder; name the folder in which the sensor writes", where=str(path))
    return named


def sensor_options(values: Sequence[str], config: Config) -> dict[str, list[Path]]:
    """`NAME=DIR` of the command line, else those of the configuration."""
    found: dict[str, list[Path]] = {}
    for value in values:
        name, _, folder = value.partition("=")
        if not name or not folder:
            raise click.BadParameter(f"{value!r}: write it as NAME=FOLDER", param_hint="--sensor")
        found.setdefault(name, []).append(Path(folder))
    return found or {name: [Path(f) for f in folders] for name, folders in config.sensors.items()}


def sinks(config: Config, registry: Registry, output: Path | None) -> dict[str, Sink]:
    """The sinks that are configured; raises Problems."""
    return make(sections(config, registry, output))


def with_elasticsearch(config: Config, url: str | None, index_logs: str | None) -> Config:
    """The configuration with `--es` and `--index-logs` over it."""
    changes: dict[str, Any] = {}
    if url:
        changes["url"] = url
    if index_logs:
        changes["index_logs"] = [t.strip() for t in index_logs.split(",") if t.strip()]
    return replace(config, elasticsearch=replace(config.elasticsearch, **changes))


@contextlib.contextmanager
def stop_on_signals(engine: Engine) -> Iterator[None]:
    """SIGTERM and Ctrl-C set `stopping`: the engine commits what it has and ends."""

    def stop(number: int, frame: Any) -> None:
        engine.stopping.set()

    before = {s: signal.signal(s, stop) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def progress_bar(follower: Source) -> Iterator[Progress]:
    """Progress on standard error where somebody looks, none otherwise."""
    if not sys.stderr.isatty():
        yield lambda stage, intake: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, said="")
        shown = [0.0]

        def show(stage: str, intake: Intake) -> None:
            now = time.monotonic()
            if now - shown[0] < 0.1:
                return
            shown[0] = now
            rows = sum(intake.counts.rows.values())
            done = intake.counts.bytes
            bar.update(
                task,
                description={"read": "reading", "detect": "detecting"}.get(stage, stage),
                total=(done + follower.lag_bytes) if stage == "read" else None,
                completed=done,
                said=f"{rows:,} rows",
            )

        yield show


def stored_alerts(store: Store, *, since_us: int = 0) -> list[dict[str, Any]]:
    """The state's alerts, newest revision each, in the order of their first row; those delivered since then only."""
    rows = store.query(
        f"SELECT {STORED} FROM alerts WHERE status != 'withdrawn' AND delivered_us >= ? ORDER BY first_us, alert_id",
        [since_us],
    )
    return alert_documents(rows)


def write_ndjson(documents: Sequence[Mapping[str, Any]], output: Path) -> None:
    """A line a document; the file is made even where there is none."""
    try:
        with output.open("w", encoding="utf-8") as file:
            for document in documents:
                file.write(json.dumps(document, ensure_ascii=False, sort_keys=True) + "\n")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(output)) from error


def say_undelivered(left: Sequence[Undelivered], what_then: str) -> None:
    """Ends a run whose sinks did not take all, with a line a sink: the reason, and what happens to the rest."""
    if left:
        raise Problems([SinkError(f"{u.documents} documents are not delivered: {u.reason}; {what_then}") for u in left])


def _say_incidents(incidents: Sequence[Mapping[str, Any]]) -> None:
    """The worst few, a line each."""
    if incidents:
        click.echo(f"{len(incidents)} incident{'s' * (len(incidents) > 1)}:")
    for doc in incidents[:INCIDENTS]:
        risk, title = field(doc, "event.risk_score"), visible(doc["message"], CHARACTERS)
        click.echo(f"  {doc['event']['id'][:8]}  risk {risk:>3.0f}  {title}")
    if len(incidents) > INCIDENTS:
        click.echo(f"  and {len(incidents) - INCIDENTS} more")


def summary(engine: Engine, documents: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """What was found and what was read, for a person."""
    counts = engine.intake.counts
    if documents:
        alert_table(documents)
    by_severity = Counter(field(d, "event.severity") for d in documents)
    found = ", ".join(f"{by_severity[s]} {SEVERITIES[s]}" for s in sorted(SEVERITIES, reverse=True) if by_severity[s])
    alerts = "1 alert" if len(documents) == 1 else f"{len(documents)} alerts"
    click.echo(f"{alerts}{': ' + found if found else ''}")
    for rule, number in sorted(Counter(str(field(d, "rule.id")) for d in documents).items()):
        click.echo(f"  {number:>6}  {rule}")
    _say_incidents(incident_documents(engine.store))
    rows = sum(counts.rows.values())
    logs = ", ".join(f"{n} {r:,}" for n, r in sorted(counts.rows.items()))
    click.echo(f"{rows:,} rows ({logs}) in {seconds:.1f} s: {rows / max(seconds, 1e-9):,.0f} rows/s")
    for what, number in (
        ("bad lines (dead letters)", sum(counts.bad.values())),
        ("late rows", sum(counts.late.values())),
        ("rows from the future", counts.future),
        ("failed windows", len(engine.store.query("SELECT 1 FROM windows_failed"))),
    ):
        if number:
            click.echo(f"{number:,} {what}")
    for name in sorted(engine.follower.skipped):
        click.echo(f"skipped: {name} (no log that AegisEnrich reads)", err=True)
    for path, reason in sorted(engine.follower.unreadable.items()):
        click.echo(visible(f"unreadable: {path}: {reason}"), err=True)
    for lost in engine.follower.lost:
        count, unit = (lost.bytes, "bytes") if lost.messages is None else (lost.messages or None, "messages")
        click.echo(f"lost: {lost.path}: {'an unknown number of' if count is None else count} {unit}", err=True)
