"""`aegis-enrich hunt`: rules over lakes that are there, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..config import Config
from ..deliver import Delivery
from ..deliver.sections import make, sections
from ..errors import ConfigError
from ..hunt import Hunt, Span, hunting
from ..hunt.away import is_uri
from ..hunt.hunt import OnDuckDB, Progress, Runner
from ..hunt.past import whole_hour
from ..hunt.write import write_parquet
from ..pipeline.engine import assemble
from ..plugin import MICROS
from ..registry import Registry
from ..registry import load as plugins
from .analyze import DELIVER_S
from .options import alert_table, configuration, field, json_option, print_json
from .run import say_undelivered, with_elasticsearch, write_ndjson


class Moment(click.ParamType[Any]):
    """A time in UTC, such as 2026-11-26 or 2026-11-26T14:00."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, int):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write it as 2026-11-26 or 2026-11-26T14:00 (UTC)", param, ctx)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * MICROS


class Lake(click.Path):
    """A folder, or the URI of a lake in an object store."""

    name = "lake"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_uri(value) else super().convert(value, param, ctx)


@click.command("hunt")
@click.argument("lakes", nargs=-1, required=True, metavar="LAKE...", type=Lake(path_type=Path, exists=True))
@click.option("--from", "since", type=Moment(), metavar="TIME", help="From this hour on, UTC (default: all there is).")
@click.option("--to", "until", type=Moment(), metavar="TIME", help="Up to this hour, UTC (default: the last row).")
@click.option("--detector", "only", multiple=True, metavar="NAME", help="Only this detector or rule; may be repeated.")
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True)
@click.option("--master", metavar="URL", help="Spark's master (default: this machine, local[*]); with --engine spark.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the alerts to this file: Parquet where it ends with .parquet, else NDJSON.",
)
@click.option("--es", "url", help="Index alerts and incidents in this Elasticsearch.")
@click.option("--endpoint", metavar="URL", default="", help="Of an object store that is not AWS's: http://host:9000.")
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of rules.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration in YAML.")
@json_option
def command(
    lakes: tuple[Path | str, ...],
    since: int | None,
    until: int | None,
    only: tuple[str, ...],
    engine: str,
    master: str | None,
    output: Path | None,
    url: str | None,
    endpoint: str,
    rules: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Run the rules over rows that are in a lake: a state's folder, or a common lake of many sensors, in a folder or in
    an object store (s3://bucket/lake; what is read is copied to the temporary folder for as long as it runs).

    Gives the alerts, under the same ids, that `watch` and `analyze` give; the lake is only read, and a `watch` may run
    over it meanwhile. Hours of derived tables that are missing are computed. A sensor's rows in several lakes are one.
    """
    if master and engine != "spark":
        raise click.UsageError("--master is for --engine spark")
    if master and not master.startswith("local") and any(map(is_uri, lakes)):
        raise click.UsageError(
            f"executors of {master} see no copy of a lake in an object store; mount it, name the folder"
        )
    span = Span(
        None if since is None else whole_hour(since, up=False), None if until is None else whole_hour(until, up=True)
    )
    if span.since_us is not None and span.until_us is not None and span.since_us >= span.until_us:
        raise click.UsageError("--to must be later than --from")
    config = configuration(config_file, None, rules=str(rules.absolute()) if rules else None)
    config = with_elasticsearch(config, url, None)
    registry = plugins()
    parts = assemble(config, registry)
    begun = time.monotonic()
    with (
        progress_line() as show,
        runner(engine, master) as runs,
        hunting(parts, lakes, span, only, show, endpoint=endpoint) as hunt,
    ):
        documents = hunt.run(runs)
        undelivered = _deliver(hunt, config, registry)
    if output is not None:
        (write_parquet if output.suffix == ".parquet" else write_ndjson)(documents, output)
    if as_json:
        print_json({"alerts": documents})
    else:
        if documents:
            alert_table(documents)
        click.echo(f"{len(documents)} alert{'' if len(documents) == 1 else 's'}")
        for rule, number in sorted(Counter(str(field(d, "rule.id")) for d in documents).items()):
            click.echo(f"  {number:>6}  {rule}")
        click.echo(f"in {time.monotonic() - begun:.1f} s on {engine}")
    say_undelivered(undelivered, "hunt again")


@contextlib.contextmanager
def runner(engine: str, master: str | None) -> Iterator[Runner]:
    """What evaluates the windows; Spark is imported only where it is asked for."""
    if engine == "duckdb":
        yield OnDuckDB()
        return
    try:
        from ..hunt.spark import on_spark
    except ImportError as error:
        raise ConfigError(
            f"--engine spark: {error.name} is not installed; pip install 'aegis-enrich[spark]' (and Java 17)"
        ) from error
    with on_spark(master) as on:
        yield on


def _deliver(hunt: Hunt, config: Config, registry: Registry) -> Sequence[Any]:
    receivers = make([section for section in sections(config, registry) if section.name == "elasticsearch"])
    if not receivers:
        return ()
    delivery = Delivery(hunt.past, receivers)
    left = delivery.drain(DELIVER_S)
    delivery.close()
    return left


@contextlib.contextmanager
def progress_line() -> Iterator[Progress]:
    """What is under way, on standard error where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda what, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("begins", total=None)

        def show(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of or None)

        yield show
