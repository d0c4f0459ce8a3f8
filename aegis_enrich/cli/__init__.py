"""The command line: the only part that prints and that ends the process."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

import click

from .. import __version__
from ..errors import AegisError

# Commands are imported when they are asked for, so that --help and alerts answer at once.
COMMANDS = {
    "watch": "watch",
    "analyze": "analyze",
    "alerts": "alerts",
    "rules": "rules",
    "plugins": "plugins",
    "features": "features",
    "train": "train",
    "evaluate": "evaluate",
    "setup": "setup",
    "config": "config",
    "doctor": "doctor",
    "demo": "demo",
}
INTERRUPTED = 130


class Lazy(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{COMMANDS[cmd_name]}", __name__)
        command = module.command
        assert isinstance(command, click.Command)
        return command


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="aegis-enrich")
@click.option("-v", "--verbose", is_flag=True, help="Say more of what is done, on standard error.")
def group(verbose: bool) -> None:
    """Enriches Zeek and Suricata logs and tells what is wrong in them as ATT&CK-mapped alerts.

    \b
    aegis-enrich analyze FOLDER            logs that are there, once
    aegis-enrich analyze FILE.pcap         a capture, through an installed Zeek or Suricata
    aegis-enrich watch /var/log/zeek       logs that are being written, for months
    aegis-enrich alerts list               what was found
    aegis-enrich doctor                    what is wrong with this installation
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("elastic_transport", "elasticsearch", "watchdog"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command; a problem is said in one line: exit code 1, wrong usage 2, an interrupt 130."""
    try:
        code: Any = group.main(arguments, standalone_mode=False, prog_name="aegis-enrich")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except AegisError as error:
        click.echo(f"aegis-enrich: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
