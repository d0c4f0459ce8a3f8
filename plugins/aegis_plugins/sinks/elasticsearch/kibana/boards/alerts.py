"""Alerts: which rules, which hosts, which targets, and the words of each."""

from __future__ import annotations

from ..description import Board, Panel, Rows, Search, count, different, over_time
from ..views import ALERTS
from .common import FOUND, RISK, RULE, links, values

SEARCH = Search(
    "alerts",
    "alerts",
    ALERTS,
    ("event.severity", "rule.name", "source.ip", "destination.ip", "event.reason", "aegis.incident.id"),
    about="Every alert, the newest first.",
)
BOARD = Board(
    "alerts",
    "Alerts",
    "Every alert: which rules, which hosts, which targets, and the words of each.",
    (
        (4, (links("alerts", "Every alert; those that tell of the same act as another name it in aegis.lead."),)),
        (
            6,
            tuple(
                Panel(f"{word} alerts", "number", ALERTS, 12, (count(word),), where={"event.severity": number})
                for word, number in (("Critical", 99), ("High", 73), ("Medium", 47), ("Low", 21))
            ),
        ),
        (
            13,
            (
                Panel(
                    "Alerts over time by rule",
                    "bars",
                    ALERTS,
                    32,
                    (count(),),
                    (over_time(), values("Rule", "rule.name")),
                ),
                Panel(
                    "Tactics",
                    "rows",
                    ALERTS,
                    16,
                    (count(),),
                    (values("Tactic", "threat.tactic.name", 15),),
                    to=("attack",),
                ),
            ),
        ),
        (
            14,
            (
                Panel(
                    "Rules",
                    "table",
                    ALERTS,
                    18,
                    (count(), RISK, different("Hosts", "source.ip")),
                    (values("Rule", "rule.name", 20),),
                ),
                Panel(
                    "Sources", "table", ALERTS, 15, (RISK, count()), (values("Source", "source.ip", 20),), to=("host",)
                ),
                Panel(
                    "Targets",
                    "table",
                    ALERTS,
                    15,
                    (RISK, count()),
                    (values("Target", "destination.ip", 20),),
                    to=("host",),
                ),
            ),
        ),
        (18, (Rows("Alerts, the newest first", "alerts", 48),)),
    ),
    (*FOUND, RULE),
)
