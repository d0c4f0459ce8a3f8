"""`aegis-enrich setup`: makes on the other side what delivery needs there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError, StateError
from ..plugin import IndexSink
from ..registry import load
from .options import configuration, print_json
from .run import with_elasticsearch

STANDARD_OUTPUT = Path("-")
MOST_DAYS = 100_000
HOW = {
    "elasticsearch": "name the server with --es https://host:9200, or in the configuration",
    "opensearch": "name the server in the configuration: `opensearch: {url: https://host:9200}`",
}


@click.group("setup")
def command() -> None:
    """Make on the other side what delivery needs there; may be run any number of times."""


_URL = click.option("--es", "url", metavar="URL", help="The server (default: elasticsearch.url of the configuration).")
_CONFIG = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Configuration in YAML (default: all defaults)."
)


@command.command("elasticsearch")
@_URL
@_CONFIG
@click.option("--print", "only_print", is_flag=True, help="Print the requests as JSON instead; needs no server.")
def elasticsearch(url: str | None, config_file: Path | None, only_print: bool) -> int:
    """Make the index templates of alerts, incidents, health and log rows, or renew those of an older version.

    Needs the cluster privilege manage_index_templates (manage_ilm too where elasticsearch.lifecycle is ilm), and manage
    on aegis-alerts-*, aegis-incidents-* and logs-aegis.* where such indices are there already.
    """
    return _make("elasticsearch", _elasticsearch(config_file, url), only_print)


@command.command("opensearch")
@_CONFIG
@click.option("--print", "only_print", is_flag=True, help="Print the requests as JSON instead; needs no server.")
def opensearch(config_file: Path | None, only_print: bool) -> int:
    """The same for OpenSearch, as the configuration's section opensearch names it."""
    return _make("opensearch", _opensearch(config_file), only_print)


@command.command("drop-months")
@click.option("--older-than", "age", required=True, metavar="DAYS", help="Months that ended so long ago: 400d.")
@_URL
@_CONFIG
@click.option("--opensearch", "other", is_flag=True, help="In OpenSearch, as the configuration names it.")
@click.option("--dry-run", is_flag=True, help="Say which indices would go, and end.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop_months(age: str, url: str | None, config_file: Path | None, other: bool, dry_run: bool, yes: bool) -> int:
    """Delete monthly indices of alerts and incidents that ended long ago, for good.

    Only indices named aegis-alerts-YYYY.MM and aegis-incidents-YYYY.MM go, each whole; nothing else is looked at. Needs
    view_index_metadata and delete_index on aegis-alerts-* and aegis-incidents-*.
    """
    sink = _sink("opensearch" if other else "elasticsearch")
    settings = _opensearch(config_file) if other else _named(config_file, url)
    found = sink.months(settings, datetime.now(UTC).date() - timedelta(days=_days(age)))
    for each in found:
        click.echo(f"{each.index} (until {each.end - timedelta(days=1)}){'' if dry_run else ' will be deleted'}")
    if not found:
        click.echo("no index is that old")
    if not found or dry_run:
        return 0
    if not yes:
        click.confirm(f"Delete {len(found)} indices for good?", abort=True)
    for line in sink.drop(settings, found):
        click.echo(line)
    return 0


def _days(age: str) -> int:
    number = age.removesuffix("d")
    if not number.isdigit() or not 1 <= int(number) <= MOST_DAYS:
        raise click.BadParameter(f"{age!r}: write days like 400d, 1d to {MOST_DAYS}d", param_hint="--older-than")
    return int(number)


def _opensearch(config_file: Path | None) -> dict[str, Any]:
    return dataclasses.asdict(configuration(config_file, None).opensearch)


def _elasticsearch(config_file: Path | None, url: str | None) -> dict[str, Any]:
    return dataclasses.asdict(with_elasticsearch(configuration(config_file, None), url, None).elasticsearch)


def _named(config_file: Path | None, url: str | None) -> dict[str, Any]:
    settings = _elasticsearch(config_file, url)
    if not settings["url"] and not settings["cloud_id"]:
        raise click.UsageError(HOW["elasticsearch"])
    return settings


def _make(name: str, settings: Mapping[str, Any], only_print: bool) -> int:
    sink = _sink(name)
    if only_print:
        print_json(sink.requests(settings))
        return 0
    if not settings.get("url") and not settings.get("cloud_id"):
        raise click.UsageError(HOW[name])
    for line in sink.setup(settings):
        click.echo(line)
    return 0


@command.command("kibana")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write (- for standard output)."
)
@click.option("--kibana", "url", metavar="URL", help="Kibana to import into, with its space: https://host:5601/s/blue.")
@_CONFIG
def kibana(output: Path | None, url: str | None, config_file: Path | None) -> int:
    """Write Kibana's data views, searches and dashboards as a file to import, or import them.

    For Kibana 8.9 or newer. Importing needs 'Saved Objects Management: All' in the space, with the credentials for
    Elasticsearch of the configuration or its environment; what is there already is overwritten, nothing else touched.
    """
    if output is None and not url:
        raise click.UsageError("name the file with -o aegis.ndjson, or Kibana with --kibana https://host:5601")
    config = configuration(config_file, None)
    if output is not None:
        text = _sink("elasticsearch").boards()
        click.echo(text.encode(), nl=False) if output == STANDARD_OUTPUT else _write(text, output)
    if url:
        for line in _sink("elasticsearch").show(dataclasses.asdict(config.elasticsearch), url):
            click.echo(line, err=output == STANDARD_OUTPUT)
    return 0


def _sink(name: str) -> type[IndexSink]:
    sink = load().sinks.get(name)
    if sink is None or not issubclass(sink, IndexSink):
        raise ConfigError(f"the sink {name} is not installed; `aegis-enrich plugins` lists those that are")
    return sink


def _write(text: str, output: Path) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}; name another file", where=str(output)) from error
    click.echo(
        f"{len(text.splitlines()) - 1} saved objects in {output}; in Kibana: Stack Management, Saved Objects, Import"
    )
