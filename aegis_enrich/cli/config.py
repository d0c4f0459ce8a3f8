"""`aegis-enrich config`: show what is in force, check a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from ..config import Config, load
from ..deliver.settings import ENVIRONMENT
from .options import config_option, configuration, json_option, print_json

SECRETS = frozenset({"api_key", "password"})
OF_PLUGINS = frozenset({"secret", "token", "headers", "url"})


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


def _hidden(values: dict[str, Any], secrets: Collection[str] = SECRETS) -> dict[str, Any]:
    """With what is secret in it not shown; of a plugin's settings a URL is, too (it may hold a token), unless it only
    names where it stands."""
    return {key: _hidden_one(key, value, secrets) for key, value in values.items()}


def _hidden_one(key: str, value: Any, secrets: Collection[str]) -> Any:
    if isinstance(value, dict) and key not in secrets:
        return _hidden(value, SECRETS | OF_PLUGINS if key == "plugins" else secrets)
    return "(set)" if key in secrets and value and not str(value).startswith(ENVIRONMENT) else value


def _print(settings: Any, indent: str) -> None:
    for setting in dataclasses.fields(settings):
        value = getattr(settings, setting.name)
        if dataclasses.is_dataclass(value):
            click.echo(f"{indent}{setting.name}:  # {setting.metadata['doc']}")
            _print(value, indent + "  ")
            continue
        shown = _yaml(_hidden_one(setting.name, value, SECRETS))
        if isinstance(settings, Config) and setting.name in ("state", "rules") and not value:
            shown = f'"{settings.state_dir if setting.name == "state" else settings.rules_dir}"'
        click.echo(f"{indent}{setting.name}: {shown}  # {setting.metadata['doc']}")


def _yaml(value: Any) -> str:
    import json

    return json.dumps(value)
