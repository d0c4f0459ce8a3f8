"""Where the deployment's files lie, and how a command line of ours is checked without being run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click
import pytest

from aegis_enrich.cli import group

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def docker() -> Path:
    return ROOT / "docker"


@pytest.fixture
def parsed() -> Callable[[Sequence[str]], dict[str, object]]:
    """The parameters of a command line, as the command would get them; click raises where it is wrong."""

    def parse(arguments: Sequence[str]) -> dict[str, object]:
        command: click.Command = group
        name, left, context = "aegis-enrich", list(arguments), None
        while isinstance(command, click.Group):
            context = command.make_context(name, left, parent=context)
            found, inner, left = command.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None and inner is not None
            name, command = found, inner
        return {"command": name, **command.make_context(name, left, parent=context).params}

    return parse
