"""`aegis-enrich setup`: makes on the other side what delivery needs there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from ..errors import ConfigError, StateError
from ..plugin import Sink
from ..registry import load
from .options import configuration
from .run import with_elasticsearch

STANDARD_OUTPUT = Path("-")


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
    for line in _sink().setup(dataclasses.asdict(config.elasticsearch)):
        click.echo(line)
    return 0


@command.command("kibana")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write (- for standard output)."
)
@click.option("--kibana", "url", metavar="URL", help="Kibana to import into, with its space: https://host:5601/s/blue.")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Configuration in YAML (default: all defaults)."
)
def kibana(output: Path | None, url: str | None, config_file: Path | None) -> int:
    """Write Kibana's data views, searches and dashboards as a file to import, or import them.

    For Kibana 8.9 or newer. Importing needs 'Saved Objects Management: All' in the space, with the credentials for
    Elasticsearch of the configuration or its environment; what is there already is overwritten, nothing else touched.
    """
    if output is None and not url:
        raise click.UsageError("name the file with -o aegis.ndjson, or Kibana with --kibana https://host:5601")
    config = configuration(config_file, None)
    if output is not None:
        text = _sink().boards()
        click.echo(text.encode(), nl=False) if output == STANDARD_OUTPUT else _write(text, output)
    if url:
        for line in _sink().show(dataclasses.asdict(config.elasticsearch), url):
            click.echo(line, err=output == STANDARD_OUTPUT)
    return 0


def _sink() -> type[Sink]:
    sink = load().sinks.get("elasticsearch")
    if sink is None:
        raise ConfigError("the sink elasticsearch is not installed; `aegis-enrich plugins` lists those that are")
    return sink


def _write(text: str, output: Path) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}; name another file", where=str(output)) from error
    click.echo(
        f"{len(text.splitlines()) - 1} saved objects in {output}; in Kibana: Stack Management, Saved Objects, Import"
    )
