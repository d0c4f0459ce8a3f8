"""Host: what it was accused of, whom it talks to."""

from __future__ import annotations

from ..description import Board, Panel, Rows, Search, count, different, highest, latest, over_time, total
from ..views import ALERTS, LOG_ROWS
from .common import CONN, DNS, HOST, HTTP, RISK, ROWS, SENSOR, SSL, links, severity, values

SEARCH = Search(
    "connections",
    "connections",
    LOG_ROWS,
    (
        "source.ip",
        "destination.ip",
        "destination.port",
        "network.protocol",
        "event.duration",
        "aegis.conn.conn_state",
    ),
    CONN,
    "Rows of conn, the newest first.",
)
BOARD = Board(
    "host",
    "Host",
    "One host: what it was accused of, whom it talks to, how much, and by which names.",
    (
        (4, (links("host", "Choose a host above. Traffic needs log rows of conn, dns, ssl and http."),)),
        (
            6,
            (
                Panel("Alerts about the host", "number", ALERTS, 12, (count(),)),
                Panel("Highest risk", "number", ALERTS, 12, (RISK,)),
                Panel("Connections", "number", LOG_ROWS, 12, (count("Connections"),), where=CONN),
                Panel("Peers", "number", LOG_ROWS, 12, (different("Peers", "destination.ip"),), where=CONN),
            ),
        ),
        (
            13,
            (
                Panel(
                    "What it was accused of",
                    "table",
                    ALERTS,
                    30,
                    (RISK, count(), latest("Why", "event.reason"), latest("Incident", "aegis.incident.id")),
                    (values("Rule", "rule.name", 20),),
                    to=("alerts",),
                ),
                Panel("Alerts by severity over time", "bars", ALERTS, 18, (count(),), (over_time(), severity())),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Bytes over time",
                    "area",
                    LOG_ROWS,
                    30,
                    (total("Sent", "source.bytes"), total("Answered", "destination.bytes")),
                    (over_time(),),
                    CONN,
                ),
                Panel("Direction", "donut", LOG_ROWS, 18, (ROWS,), (values("Direction", "network.direction"),), CONN),
            ),
        ),
        (
            13,
            (
                Panel(
                    "Peers by bytes sent",
                    "table",
                    LOG_ROWS,
                    20,
                    (
                        total("Sent", "source.bytes"),
                        total("Answered", "destination.bytes"),
                        count("Connections"),
                        highest("Longest", "event.duration"),
                    ),
                    (values("Peer", "destination.ip", 20),),
                    CONN,
                    to=("host",),
                ),
                Panel(
                    "Services",
                    "table",
                    LOG_ROWS,
                    14,
                    (count("Connections"), different("Peers", "destination.ip")),
                    (values("Port", "destination.port", 15), values("Protocol", "network.protocol", 2)),
                    CONN,
                ),
                Panel("States", "donut", LOG_ROWS, 14, (ROWS,), (values("State", "aegis.conn.conn_state", 12),), CONN),
            ),
        ),
        (
            13,
            (
                Panel(
                    "Names asked for", "table", LOG_ROWS, 16, (ROWS,), (values("Name", "dns.question.name", 20),), DNS
                ),
                Panel(
                    "TLS names", "table", LOG_ROWS, 16, (ROWS,), (values("Name", "tls.client.server_name", 20),), SSL
                ),
                Panel(
                    "User agents", "table", LOG_ROWS, 16, (ROWS,), (values("Agent", "user_agent.original", 20),), HTTP
                ),
            ),
        ),
        (16, (Rows("Connections, the newest first", "connections", 48),)),
    ),
    (HOST, SENSOR),
)
