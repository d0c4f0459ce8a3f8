"""`aegis-enrich rules`: check, test, list, explain and begin rules, and say what they would have found in old logs."""

from __future__ import annotations

import click

from .backtest import backtest
from .check import check
from .explain import explain
from .listing import list_
from .new import new
from .run_tests import test


@click.group("rules")
def command() -> None:
    """Check, test, list, explain and begin rules; say what they would have found in old logs."""


for part in (check, test, list_, new, explain, backtest):
    command.add_command(part)
