"""`aegis-enrich hosts`: addresses by the risk of what they do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..correlate.hosts import Ranked, rank
from ..correlate.load import load_correlation
from ..decide import load_rules
from ..decide.attack import attack
from ..registry import load
from ..store import Store
from ..visible import CHARACTERS
from .options import COLOURS, cell, config_option, configuration, json_option, print_json


@click.command("hosts")
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="Rows of the table, worst first.")
@config_option
@json_option
def command(limit: int, config_file: Path | None, state: Path | None, as_json: bool) -> None:
    """Rank the hosts that act in alerts by risk: low alerts too, and what is too little for an incident."""
    config = configuration(config_file, state)
    rules = load_rules(config.rules_dir, load().detectors)
    correlation = load_correlation(config.rules_dir)
    with Store(config.state_dir, read_only=True) as store:
        ranked = rank(store, correlation, rules.health)
    if as_json:
        print_json([_row(r) for r in ranked])
    elif ranked:
        _table(ranked, limit)
    else:
        click.echo("no host acts in an alert")


def _row(ranked: Ranked) -> dict[str, object]:
    return {
        "ip": ranked.host.address,
        "internal": ranked.host.internal,
        "name": ranked.host.name,
        "criticality": ranked.host.criticality,
        "risk": ranked.risk,
        "severity": ranked.severity,
        "alerts": [a.id for a in ranked.alerts],
        "rules": sorted({a.rule for a in ranked.alerts}),
        "tactics": list(ranked.tactics),
        "reason": ranked.reason,
    }


def _table(ranked: Sequence[Ranked], limit: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("host", "risk", "alerts", "tactics", "worst"):
        table.add_column(column, overflow="fold")
    for one in ranked[:limit]:
        name = f" ({one.host.name})" if one.host.name else ""
        table.add_row(
            cell(f"{one.host.address}{name}"),
            Text(f"{one.risk:.0f}", COLOURS.get(one.severity, "white")),
            str(len(one.alerts)),
            ", ".join(attack().tactics.get(t, t) for t in one.tactics),
            cell(one.reason, CHARACTERS),
        )
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)
    if len(ranked) > limit:
        click.echo(f"and {len(ranked) - limit} more: --limit")
