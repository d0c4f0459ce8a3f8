"""`aegis-enrich features`: the numbers that describe hosts, pairs and flows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from ..features import FAMILIES, LEVELS, catalogue, span
from ..registry import load
from .options import json_option, print_json


@click.command("features")
@click.argument("names", nargs=-1)
@click.option("--family", type=click.Choice(FAMILIES), help="Only those of this family.")
@click.option("--level", type=click.Choice(LEVELS), help="Only those that describe this.")
@json_option
def command(names: tuple[str, ...], family: str | None, level: str | None, as_json: bool) -> None:
    """List the features that are computed; with NAMES, all about these."""
    listed = [f for f in catalogue(load().tables) if family in (None, f["family"]) and level in (None, f["level"])]
    unknown = sorted(set(names) - {feature["name"] for feature in listed})
    if unknown:
        raise click.ClickException(f"no feature {unknown[0]!r}; `aegis-enrich features` lists those that there are")
    chosen = [feature for feature in listed if not names or feature["name"] in names]
    if as_json:
        print_json(chosen)
        return
    for feature in chosen:
        click.echo(f"{feature['family']:<12} {feature['level']:<5} {feature['name']:<29} {feature['doc']}")
        if names:
            click.echo("\n".join(_details(feature)))


def _details(feature: Mapping[str, Any]) -> Iterator[str]:
    needs = ", ".join(need.replace("|", " or ") for need in feature["needs"]) or "nothing but rows"
    told = {"unit": feature["unit"], "range": span(*feature["range"]), "formula": feature["formula"]}
    told |= {"source": feature["source"], "needs": needs, "lies in": f"table {feature['table']}"}
    return (f"    {word:<8} {text}" for word, text in told.items())
