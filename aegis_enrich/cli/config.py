"""`aegis-enrich config`: show what is in force, check a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from ..config import Config, load
from .options import config_option, configuration, json_option, print_json

SECRETS = {"api_key", "password"}


@click.group("config")
def command() -> None:
    """Show the configuration in force, or check a file."""


@command.command()
@config_option
@json_option
def show(config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """Print every setting with its value in force and what it is; secrets are not shown."""
    config = configuration(config_file, state)
    if as_json:
        print_json(_hidden(dataclasses.asdict(config)))
        return
    _print(config, "")


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a configuration file; every problem is said with its line."""
    load(file)
    click.echo(f"{file}: good")


def _hidden(values: dict[str, Any]) -> dict[str, Any]:
    return {k: _hidden(v) if isinstance(v, dict) else ("(set)" if k in SECRETS and v else v) for k, v in values.items()}


def _print(settings: Any, indent: str) -> None:
    for setting in dataclasses.fields(settings):
        value = getattr(settings, setting.name)
        if dataclasses.is_dataclass(value):
            click.echo(f"{indent}{setting.name}:  # {setting.metadata['doc']}")
            _print(value, indent + "  ")
            continue
        shown = '"(set)"' if setting.name in SECRETS and value else _yaml(value)
        if isinstance(settings, Config) and setting.name in ("state", "rules") and not value:
            shown = f'"{settings.state_dir if setting.name == "state" else settings.rules_dir}"'
        click.echo(f"{indent}{setting.name}: {shown}  # {setting.metadata['doc']}")


def _yaml(value: Any) -> str:
    import json

    return json.dumps(value)
