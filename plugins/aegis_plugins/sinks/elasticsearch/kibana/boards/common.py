"""What several boards share."""

from __future__ import annotations

from ..dashboards import board_id
from ..description import Control, Panel, Split, Text, count, highest, latest
from ..views import ALERTS, INCIDENTS, LOG_ROWS

ORDER = {
    "overview": "Overview",
    "incidents": "Incidents",
    "alerts": "Alerts",
    "attack": "ATT&CK",
    "host": "Host",
    "beacons": "Beacons",
    "dns": "DNS",
    "tls": "TLS",
    "network": "Network health",
    "sensors": "Sensor health",
}

HOST = Control("host", "Host (on either side)", "related.ip", ALERTS)
SENSOR = Control("sensor", "Sensor", "observer.name", ALERTS)
SEVERITY = Control(
    "severity", "Severity (21 low, 47 medium, 73 high, 99 critical)", "event.severity", ALERTS, range=True
)
FOUND = (HOST, SEVERITY, SENSOR)
RULE = Control("rule", "Rule", "rule.name", ALERTS)
LOG_HOST = Control("host", "Host (on either side)", "related.ip", LOG_ROWS)
LOG_SENSOR = Control("sensor", "Sensor", "observer.name", LOG_ROWS)
# The log rows of a table.
CONN = {"event.dataset": "aegis.conn"}
DNS = {"event.dataset": "aegis.dns"}
HTTP = {"event.dataset": "aegis.http"}
QUIC = {"event.dataset": "aegis.quic"}
SSL = {"event.dataset": "aegis.ssl"}
RISK = highest("Highest risk", "event.risk_score")
ROWS = count("Rows")


def links(here: str, about: str) -> Text:
    """The way to the other boards, and what this one answers."""
    shown = [f"**{title}**" if key == here else f"[{title}](#/view/{board_id(key)})" for key, title in ORDER.items()]
    return Text("Boards", f"{' · '.join(shown)}\n\n{about}", 48)


def severity() -> Split:
    named = {"critical": 99, "high": 73, "medium": 47, "low": 21}
    return Split("Severity", named={word: f"event.severity: {number}" for word, number in named.items()})


def values(label: str, field: str, size: int = 10) -> Split:
    return Split(label, field, size)


def incident_table(width: int) -> Panel:
    figures = (
        highest("Risk", "event.risk_score"),
        latest("What", "aegis.incident.title"),
        latest("Confidence", "aegis.confidence"),
        latest("Alerts", "aegis.alert_count"),
        latest("State", "aegis.status"),
        latest("Triage", "aegis.triage.status"),
    )
    return Panel(
        "Incidents by risk",
        "table",
        INCIDENTS,
        width,
        figures,
        (values("Incident", "aegis.incident.id", 20),),
        to=("alerts", "incidents"),
    )
