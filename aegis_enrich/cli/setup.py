"""`aegis-enrich setup`: makes on the other side what delivery needs there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from ..errors import ConfigError
from ..registry import load
from .options import configuration
from .run import with_elasticsearch


@click.group("setup")
def command() -> None:
    """Make on the other side what delivery needs there; may be run any number of times."""


@command.command("elasticsearch")
@click.option("--es", "url", metavar="URL", help="The server (default: elasticsearch.url of the configuration).")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Configuration in YAML (default: all defaults)."
)
def elasticsearch(url: str | None, config_file: Path | None) -> int:
    """Make the index templates of alerts and of log rows, or renew those of an older version.

    Needs the cluster privilege manage_index_templates, and manage on aegis-alerts-* and logs-aegis.* where such
    indices are there already.
    """
    config = with_elasticsearch(configuration(config_file, None), url, None)
    if not config.elasticsearch.url:
        raise click.UsageError("name the server with --es https://host:9200, or in the configuration")
    sink = load().sinks.get("elasticsearch")
    if sink is None:
        raise ConfigError("the sink elasticsearch is not installed; `aegis-enrich plugins` lists those that are")
    for line in sink.setup(dataclasses.asdict(config.elasticsearch)):
        click.echo(line)
    return 0
