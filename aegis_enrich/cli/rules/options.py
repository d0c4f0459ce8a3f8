"""What the commands about rules share: which folder of rules is meant, one rule of it, and a plain table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click

from ...config import Config
from ...decide import DetectorRule, RowRule, RuleSet
from ...errors import ConfigError
from ..options import configuration

F = TypeVar("F", bound=Callable[..., Any])

folder_argument = click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))


def rules_option(command: F) -> F:
    return click.option(
        "--rules", "folder", type=click.Path(path_type=Path), help="Folder of rules (default: those in force)."
    )(command)


def configured(folder: Path | None, config_file: Path | None, state: Path | None) -> Config:
    """The configuration, with this folder of rules where one is named."""
    return configuration(config_file, state, rules=str(folder.absolute()) if folder else None)


def the_rule(rules: RuleSet, name: str) -> DetectorRule | RowRule:
    """The rule of this id, one that is off, too; raises ConfigError with those that are near."""
    known = {rule.id: rule for rule in rules}
    if name not in known:
        near = get_close_matches(name, known, 3) or sorted(known)
        raise ConfigError(f"no such rule; there are {', '.join(near)}", where=name)
    return known[name]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns side by side."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
