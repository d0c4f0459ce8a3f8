"""Beacons: who calls the same server again and again."""

from __future__ import annotations

from ..description import Board, Panel, Rows, Search, count, different, highest, latest, over_time
from ..views import ALERTS
from .common import FOUND, RISK, links, values

C2 = {"rule.id": ["beaconing", "botnet", "long_connection", "quic_c2", "tls_c2"]}

SEARCH = Search(
    "beacons",
    "calls home",
    ALERTS,
    ("event.severity", "rule.name", "source.ip", "destination.ip", "destination.port", "event.reason"),
    C2,
    "Alerts of the rules for command and control over the network.",
)
BOARD = Board(
    "beacons",
    "Beacons",
    "Who calls the same server again and again, how even its pace is, and what else speaks for command and control.",
    (
        (4, (links("beacons", "Alerts of the rules for command and control; event.reason tells pace and size."),)),
        (
            6,
            (
                Panel("Calls home", "number", ALERTS, 16, (count(),), where=C2),
                Panel("Hosts that call", "number", ALERTS, 16, (different("Hosts", "source.ip"),), where=C2),
                Panel("Servers called", "number", ALERTS, 16, (different("Servers", "destination.ip"),), where=C2),
            ),
        ),
        (
            14,
            (
                Panel(
                    "Pairs",
                    "table",
                    ALERTS,
                    30,
                    (highest("Score", "aegis.score"), RISK, count(), latest("Why", "event.reason")),
                    (values("Host", "source.ip", 15), values("Server", "destination.ip", 5)),
                    C2,
                    to=("host", "alerts"),
                ),
                Panel(
                    "Who calls whom",
                    "heatmap",
                    ALERTS,
                    18,
                    (RISK,),
                    (values("Server", "destination.ip", 15), values("Host", "source.ip", 15)),
                    C2,
                    to=("host",),
                ),
            ),
        ),
        (
            12,
            (
                Panel(
                    "By rule over time", "bars", ALERTS, 32, (count(),), (over_time(), values("Rule", "rule.name")), C2
                ),
                Panel("Ports", "donut", ALERTS, 16, (count(),), (values("Port", "destination.port"),), C2),
            ),
        ),
        (16, (Rows("Calls home, the newest first", "beacons", 48),)),
    ),
    FOUND,
)
