"""Incidents: which alerts belong together, how bad, how sure."""

from __future__ import annotations

from ..description import Board, Panel, Rows, Search, count, highest, over_time
from ..views import INCIDENTS
from .common import FOUND, RISK, incident_table, links, severity, values

SEARCH = Search(
    "incidents",
    "incidents",
    INCIDENTS,
    ("event.severity", "event.risk_score", "aegis.confidence", "aegis.status", "message", "event.reason"),
    about="Every incident that is one still, the newest first.",
)
BOARD = Board(
    "incidents",
    "Incidents",
    "Which alerts belong together: how bad, how sure, which stages, which hosts.",
    (
        (4, (links("incidents", "An incident is what one attacker did. Merged and withdrawn ones are left out."),)),
        (
            12,
            (
                Panel("Incidents over time", "bars", INCIDENTS, 30, (count("Incidents"),), (over_time(), severity())),
                Panel(
                    "Still growing or over",
                    "donut",
                    INCIDENTS,
                    18,
                    (count("Incidents"),),
                    (values("State", "aegis.status"),),
                    about="open: its alerts may still grow; closed: they are over. What analysts said is their triage.",
                ),
            ),
        ),
        (14, (incident_table(48),)),
        (
            13,
            (
                Panel(
                    "Stages",
                    "rows",
                    INCIDENTS,
                    16,
                    (count("Incidents"),),
                    (values("Stage", "aegis.incident.stages.name", 15),),
                ),
                Panel(
                    "Sequences",
                    "rows",
                    INCIDENTS,
                    16,
                    (count("Incidents"),),
                    (values("Sequence", "aegis.incident.sequences.name", 15),),
                ),
                Panel(
                    "Grounds for doubt",
                    "table",
                    INCIDENTS,
                    16,
                    (count("Incidents"), highest("Likelihood", "aegis.false_positive.likelihood")),
                    (values("Ground", "aegis.false_positive.grounds"),),
                    about="What speaks against an incident, and the highest likelihood that it is none.",
                ),
            ),
        ),
        (
            13,
            (
                Panel(
                    "Hosts in incidents",
                    "table",
                    INCIDENTS,
                    24,
                    (RISK, count("Incidents")),
                    (values("Host", "related.ip", 20),),
                    to=("host",),
                ),
                Panel(
                    "Rules in incidents",
                    "table",
                    INCIDENTS,
                    24,
                    (count("Incidents"), RISK),
                    (values("Rule", "aegis.incident.alerts.rule", 20),),
                ),
            ),
        ),
        (16, (Rows("Incidents, the newest first", "incidents", 48),)),
    ),
    FOUND,
)
