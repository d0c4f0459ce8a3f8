"""`aegis-enrich train`: models, each made by the plugin that uses it."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import click

from ..errors import ConfigError

GROUP = "aegis_enrich.trainers"


class Trainers(click.Group):
    """A group whose commands are the entry points of `aegis_enrich.trainers`, each a `click.Command` named like it.

    They are loaded when they are asked for. A trainer does not print: what it returns as text is printed.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        point = _points().get(cmd_name)
        if point is None:
            return None
        try:
            command = point.load()
        except ImportError as error:
            what = f"trainer {cmd_name!r} does not load: {error}; reinstall or remove its package"
            raise ConfigError(what, where=point.value) from error
        if not isinstance(command, click.Command):
            raise ConfigError(f"trainer {cmd_name!r} is no click command", where=point.value)
        return command


@click.command("train", cls=Trainers)
def command() -> None:
    """Make a model for a detector that learns.

    Which of them there are depends on the plugins that are installed.
    """


@command.result_callback()
def tell(said: object) -> int | None:
    """Prints what a trainer tells; a number is the exit code."""
    if isinstance(said, str):
        click.echo(said)
    return said if isinstance(said, int) else None


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
