"""The command line: the only part that prints and that ends the process."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from .. import __version__
from ..errors import AegisError
from ..observe import logs
from . import said

# Each command is a module of its name, imported when it is asked for: --help says these lines and imports none.
COMMANDS = {
    "watch": "Follow the logs of sensors, for months.",
    "analyze": "Analyze logs that are there, or captures.",
    "alerts": "List and show alerts.",
    "incidents": "List, explain, export and close incidents.",
    "hosts": "Rank the hosts that act in alerts by risk.",
    "ask": "Answer a question in plain words.",
    "hunt": "Run rules over months of rows, on one machine or Spark.",
    "ship": "Copy rows to a lake that sensors share.",
    "report": "Write one HTML page to send on.",
    "rules": "Check, test, explain, try and begin rules.",
    "attack": "Tell which techniques of ATT&CK the rules can see.",
    "plugins": "List the plugins that are installed.",
    "features": "List the features that are computed.",
    "train": "Make a model for a detector that learns.",
    "evaluate": "Hold the rules against logs of which the truth is known.",
    "setup": "Make in Elasticsearch or Kibana what is needed there.",
    "config": "Show or check the configuration.",
    "deadletter": "List and replay what was refused or not readable.",
    "doctor": "Tell what is wrong here and what to do.",
    "demo": "Analyze recorded logs of a small network.",
}
INTERRUPTED = 130


class Lazy(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f".{cmd_name}", __name__).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="aegis-enrich")
@click.option("-v", "--verbose", is_flag=True, help="Say more of what is done, on standard error.")
@click.option("--log-format", type=click.Choice(logs.FORMATS), help="How standard error looks (default: text).")
def group(verbose: bool, log_format: str | None) -> None:
    """Enriches Zeek and Suricata logs and tells what is wrong in them as ATT&CK-mapped alerts.

    \b
    aegis-enrich analyze FOLDER            logs that are there, once
    aegis-enrich analyze FILE.pcap         a capture, through an installed Zeek or Suricata
    aegis-enrich watch /var/log/zeek       logs that are being written, for months
    aegis-enrich alerts list               what was found
    aegis-enrich incidents list            what it amounts to, the worst first
    aegis-enrich ask "who beacons?"        a question in plain words
    aegis-enrich doctor                    what is wrong with this installation
    """
    said.begin(verbose=verbose, log_format=log_format)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command; a problem is said in one line: exit code 1, wrong usage 2, an interrupt 130."""
    try:
        code: Any = group.main(arguments, standalone_mode=False, prog_name="aegis-enrich")
    except click.ClickException as error:
        if logs.is_json():
            said.problem(f"aegis-enrich: {error.format_message()}")
        else:
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        said.say("interrupted")
        sys.exit(INTERRUPTED)
    except AegisError as error:
        said.problem(f"aegis-enrich: {error}")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
