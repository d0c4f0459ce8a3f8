"""What is said on standard error: lines for people, or, where programs read them, lines of the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from ..observe import logs
from ..visible import visible

if TYPE_CHECKING:
    from ..config import Config

log = logging.getLogger(__name__)

_CHOSEN = "aegis_enrich.log"  # in click's context: what the command line says, which goes before the configuration


def begin(*, verbose: bool, log_format: str | None) -> None:
    """Begins the log as the command line says; what it leaves open the configuration decides once it is read."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.find_root().meta[_CHOSEN] = (verbose, log_format)
    logs.begin(log_format or "text", "info" if verbose else "warning")


def configured(config: Config) -> None:
    """Goes on with the log as the configuration says, where the command line says nothing."""
    context = click.get_current_context(silent=True)
    verbose, log_format = context.find_root().meta.get(_CHOSEN, (False, None)) if context else (False, None)
    logs.begin(log_format or config.log.format, "info" if verbose else config.log.level)


def like_here() -> Callable[[], None]:
    """What begins the log in another process as it is in this one."""
    level = logging.getLevelName(logging.getLogger().getEffectiveLevel()).lower()
    return partial(logs.begin, "json" if logs.is_json() else "text", level)


def is_json() -> bool:
    """Whether programs read what is said."""
    return logs.is_json()


def say(text: str) -> None:
    """Something that whoever started the command should see, whatever the level of the log is."""
    if logs.is_json():
        _record(logging.INFO, text)
    else:
        click.echo(_shown(text), err=True)


def problem(text: str) -> None:
    """What ended the command."""
    if logs.is_json():
        _record(logging.ERROR, text)
    else:
        click.echo(_shown(text), err=True)


def _shown(text: str) -> str:
    """Lines in which nothing is obeyed: names of files and values of rules stand in them."""
    return "\n".join(map(visible, text.split("\n")))


def _record(level: int, text: str) -> None:
    """A line past the level that the log has."""
    record = log.makeRecord(log.name, level, __file__, 0, text, (), None)
    for handler in logging.getLogger().handlers:
        handler.handle(record)
