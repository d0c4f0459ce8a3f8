"""`aegis-enrich plugins`: what is installed."""

from __future__ import annotations

import inspect

import click

from ..plugin import Plugin
from ..registry import load
from .options import json_option, print_json


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """List the plugins that are installed: enrichers, derived tables, detectors, sinks."""
    registry = load()
    kinds: dict[str, dict[str, type[Plugin]]] = {
        "enricher": dict(registry.enrichers),
        "table": dict(registry.tables),
        "detector": dict(registry.detectors),
        "sink": dict(registry.sinks),
    }
    rows = [
        {
            "kind": kind,
            "name": name,
            "reads": sorted({*getattr(plugin, "reads", ()), *getattr(plugin, "derived", ())}),
            "doc": (inspect.getdoc(plugin) or "").split("\n")[0],
            "from": plugin.__module__.split(".")[0],
        }
        for kind, plugins in kinds.items()
        for name, plugin in plugins.items()
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['kind']:<9} {row['name']:<18} {row['doc']}")
