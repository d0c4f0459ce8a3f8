"""The board of ATT&CK: the matrix with a table for each tactic, and when and how gravely techniques were seen."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_enrich.decide.attack import attack

from ..description import Board, Panel, Split, count, different, highest, over_time
from ..views import ALERTS
from .common import HOST, RULE, SENSOR, SEVERITY, links, severity, values

A_ROW = 5  # tactics side by side
WIDTHS = (10, 10, 10, 9, 9)
ABOUT = "Techniques by tactic, in the order of the matrix; the colour says how many alerts."


def _tactics() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Id, name and the names of the techniques of each tactic.

    An alert's tactics and techniques are two lists in Elasticsearch, which forgets what belongs to what: a tactic's
    table counts none but its own techniques.
    """
    table = attack()
    for tactic, name in table.tactics.items():
        own = {str(t["name"]) for i, t in table.techniques.items() if "." not in i and tactic in t["tactics"]}
        yield tactic, name, tuple(sorted(own))


def _column(tactic: str, name: str, techniques: tuple[str, ...], width: int) -> Panel:
    by = Split("Technique", "threat.technique.name", 15, techniques)
    return Panel(name, "cells", ALERTS, width, (count(),), (by,), {"threat.tactic.id": tactic}, to=("alerts",))


def _matrix() -> Iterator[tuple[int, tuple[Panel, ...]]]:
    tactics = list(_tactics())
    for start in range(0, len(tactics), A_ROW):
        row = tactics[start : start + A_ROW]
        yield 12, tuple(_column(*tactic, width) for tactic, width in zip(row, WIDTHS, strict=False))


TECHNIQUE = values("Technique", "threat.technique.name", 20)

BOARD = Board(
    "attack",
    "ATT&CK",
    "Which tactics and techniques were seen, how often, when and how gravely.",
    (
        (4, (links("attack", ABOUT),)),
        *_matrix(),
        (
            16,
            (
                Panel(
                    "Techniques by severity", "heatmap", ALERTS, 20, (count(),), (severity(), TECHNIQUE), to=("alerts",)
                ),
                Panel(
                    "Techniques over time", "heatmap", ALERTS, 28, (count(),), (over_time(), TECHNIQUE), to=("alerts",)
                ),
            ),
        ),
        (
            14,
            (
                Panel(
                    "Sub-techniques",
                    "table",
                    ALERTS,
                    24,
                    (count(), different("Hosts", "source.ip"), highest("Highest risk", "event.risk_score")),
                    (values("Sub-technique", "threat.technique.subtechnique.id", 20),),
                    to=("alerts",),
                ),
                Panel(
                    "Tactics by host",
                    "heatmap",
                    ALERTS,
                    24,
                    (count(),),
                    (values("Tactic", "threat.tactic.name", 15), values("Host", "source.ip", 15)),
                    to=("host",),
                ),
            ),
        ),
    ),
    (HOST, SEVERITY, SENSOR, RULE),
)
