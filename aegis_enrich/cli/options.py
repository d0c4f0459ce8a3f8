"""Options and output that several commands share."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..config import Config, load
from ..visible import CHARACTERS, visible
from . import said

if TYPE_CHECKING:
    from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])

LEAST_ID = 4  # characters of an id that are taken as its beginning
SEVERITIES = {21: "low", 47: "medium", 73: "high", 99: "critical"}
COLOURS = {21: "cyan", 47: "yellow", 73: "red", 99: "bold red"}


def config_option(command: F) -> F:
    """`--config FILE` and `--state DIR`."""
    command = click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        help="Configuration in YAML (default: all defaults).",
    )(command)
    return click.option(
        "--state", type=click.Path(path_type=Path, file_okay=False), help="Folder of the lake and the state."
    )(command)


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def configuration(config_file: Path | None, state: Path | None, **changes: Any) -> Config:
    """The configuration with what the command line says over it; the log goes on as it says."""
    config = load(config_file)
    said.configured(config)
    if state is not None:
        config = dataclasses.replace(config, state=str(state.absolute()))
    return dataclasses.replace(config, **{k: v for k, v in changes.items() if v is not None})


def print_json(data: Any) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True))


def field(document: Mapping[str, Any], dotted: str, default: Any = None) -> Any:
    """A field of a nested document by its dotted name."""
    here: Any = document
    for key in dotted.split("."):
        if not isinstance(here, Mapping) or key not in here:
            return default
        here = here[key]
    return here


def cell(value: Any, most: int = 300) -> Text:
    """What came from the wire, for a table: no markup, nothing that a terminal obeys, and no page of it."""
    from rich.text import Text

    return Text(visible(str(value), most))


def alert_table(documents: Sequence[Mapping[str, Any]], *, limit: int = 40, ids: bool = False) -> None:
    """The worst alerts first, as a table on standard output."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ranked = sorted(documents, key=lambda d: (-field(d, "event.risk_score", 0), field(d, "@timestamp", "")))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    names = ("severity", "risk", "rule", "source", "destination", "ATT&CK", "first seen", "why")
    for column in (*(("id",) if ids else ()), *names):
        table.add_column(column, overflow="fold", no_wrap=column in ("id", "severity", "risk"))
    for document in ranked[:limit]:
        severity = field(document, "event.severity", 0)
        techniques = [a.get("technique", {}).get("id", "") for a in field(document, "aegis.attack", [])]
        table.add_row(
            *([str(field(document, "event.id", ""))[:8]] if ids else []),
            Text(str(SEVERITIES.get(severity, severity)), COLOURS.get(severity, "white")),
            f"{field(document, 'event.risk_score', 0):.0f}",
            cell(field(document, "rule.name", "")),
            cell(field(document, "source.ip", "")),
            cell(field(document, "destination.domain") or field(document, "destination.ip") or ""),
            " ".join(sorted({t for t in techniques if t})),
            str(field(document, "aegis.first_seen", ""))[:19].replace("T", " "),
            cell(field(document, "event.reason", ""), CHARACTERS),
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
    if len(ranked) > limit:
        console.print(f"and {len(ranked) - limit} more: aegis-enrich alerts list")
