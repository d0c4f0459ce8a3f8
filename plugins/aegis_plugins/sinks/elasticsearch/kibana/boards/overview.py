"""Overview: what needs attention first."""

from __future__ import annotations

from ..description import Board, Not, Panel, count, different, over_time
from ..views import ALERTS, INCIDENTS
from .common import FOUND, RISK, incident_table, links, severity, values

UNTOUCHED = {"aegis.triage.status": Not(("closed",))}  # aegis.status says whether it may still grow
GRAVE = UNTOUCHED | {"event.severity": [73, 99]}

BOARD = Board(
    "overview",
    "Overview",
    "What needs attention first: incidents by risk, hosts that act, what the rules found and when.",
    (
        (4, (links("overview", "What needs attention first."),)),
        (
            6,
            (
                Panel("Incidents to look at", "number", INCIDENTS, 10, (count("Not closed"),), where=UNTOUCHED),
                Panel("Grave incidents", "number", INCIDENTS, 10, (count("Critical and high"),), where=GRAVE),
                Panel("Alerts", "number", ALERTS, 9, (count(),)),
                Panel("Hosts that act", "number", ALERTS, 10, (different("Sources", "source.ip"),)),
                Panel("Rules that fired", "number", ALERTS, 9, (different("Rules", "rule.id"),)),
            ),
        ),
        (
            12,
            (
                Panel("Alerts over time", "bars", ALERTS, 34, (count(),), (over_time(), severity()), to=("alerts",)),
                Panel("Alerts by severity", "donut", ALERTS, 14, (count(),), (severity(),)),
            ),
        ),
        (14, (incident_table(48),)),
        (
            14,
            (
                Panel(
                    "Hosts by risk",
                    "table",
                    ALERTS,
                    26,
                    (RISK, count(), different("Rules", "rule.id"), different("Tactics", "threat.tactic.id")),
                    (values("Host", "source.ip", 20),),
                    to=("host", "alerts"),
                ),
                Panel(
                    "Alerts by rule", "rows", ALERTS, 22, (count(),), (values("Rule", "rule.name", 15),), to=("alerts",)
                ),
            ),
        ),
    ),
    FOUND,
)
