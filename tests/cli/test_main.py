"""The command line as a whole: its commands, its errors and its exit codes."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from aegis_enrich import __version__, cli
from aegis_enrich.errors import ConfigError


def test_it_runs_as_a_module() -> None:
    ran = subprocess.run([sys.executable, "-m", "aegis_enrich", "--version"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip()) == (0, f"aegis-enrich, version {__version__}")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_each_command_has_help(command, aegis) -> None:
    ran = aegis(command, "--help")
    assert ran.code == 0 and f"Usage: aegis-enrich {command}" in ran.out


def test_help_lists_every_command(aegis) -> None:
    ran = aegis("-h")
    assert all(f"\n  {command} " in ran.out for command in cli.COMMANDS)


@pytest.mark.parametrize("arguments", [["nonsense"], ["analyze"], ["watch", "--no-such-option"]])
def test_wrong_usage_is_two(arguments, aegis) -> None:
    ran = aegis(*arguments)
    assert (ran.code, ran.out) == (2, "") and "Usage:" in ran.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            ConfigError("is wrong; write it right", where="a.yml:4"),
            1,
            "aegis-enrich: a.yml:4: is wrong; write it right\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.Abort(), 130, "interrupted\n"),
    ],
)
def test_problems_are_said_in_one_line(error, code, said, aegis, monkeypatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(cli.group, "main", fail)
    ran = aegis("plugins")
    assert (ran.code, ran.out, ran.err) == (code, "", said)
