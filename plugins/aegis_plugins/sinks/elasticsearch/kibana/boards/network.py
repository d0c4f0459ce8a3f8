"""Network health: loss, latency, floods and spikes."""

from __future__ import annotations

from ..description import ANY, Board, Metric, Panel, Rows, Search, count, latest, median, over_time, percentile, total
from ..views import ALERTS, LOG_ROWS
from .common import CONN, LOG_HOST, LOG_SENSOR, RISK, links, values

# Rows of connections that are open are cumulative: only the last of each is counted.
RESENT = {"event.dataset": "aegis.aegis_retransmission", "aegis.aegis_retransmission.final": True}
ILL = {"rule.id": ["high_latency", "packet_loss", "syn_flood", "traffic_spike"]}
WAIT = "aegis.conn.resp_rtt"

SEARCH = Search(
    "health",
    "alerts about the network's health",
    ALERTS,
    ("event.severity", "rule.name", "source.ip", "destination.ip", "event.reason"),
    {"rule.id": [*ILL["rule.id"], "capture_loss"]},
    "Loss, latency, floods, spikes and what sensors missed.",
)


def _waits() -> tuple[Metric, ...]:
    return median("Median", WAIT), percentile("p95", WAIT, 95)


BOARD = Board(
    "network",
    "Network health",
    "Loss, latency and spikes: when, between whom, and against the usual.",
    (
        (4, (links("network", "Needs log rows of conn; loss and round trips need the sensor's scripts."),)),
        (
            12,
            (
                Panel(
                    "Alerts about loss, latency, floods and spikes",
                    "bars",
                    ALERTS,
                    24,
                    (count(),),
                    (over_time(), values("Rule", "rule.name")),
                    ILL,
                ),
                Panel(
                    "Where it is ill",
                    "table",
                    ALERTS,
                    24,
                    (RISK, count(), latest("Why", "event.reason")),
                    (values("Rule", "rule.name"), values("Target", "destination.ip", 5)),
                    ILL,
                    to=("host", "alerts"),
                ),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Bytes over time",
                    "area",
                    LOG_ROWS,
                    24,
                    (total("Sent", "source.bytes"), total("Answered", "destination.bytes")),
                    (over_time(),),
                    CONN,
                ),
                Panel(
                    "Connections over time by state",
                    "bars",
                    LOG_ROWS,
                    24,
                    (count("Connections"),),
                    (over_time(), values("State", "aegis.conn.conn_state", 8)),
                    CONN,
                ),
            ),
        ),
        (
            12,
            (
                Panel("Round trips to servers over time", "line", LOG_ROWS, 24, _waits(), (over_time(),), CONN),
                Panel(
                    "Slowest servers",
                    "table",
                    LOG_ROWS,
                    24,
                    (*_waits(), count("Connections")),
                    (values("Server", "destination.ip", 20),),
                    CONN | {WAIT: ANY},
                    to=("host",),
                ),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Bytes sent again over time",
                    "line",
                    LOG_ROWS,
                    24,
                    (
                        total("By clients", "aegis.aegis_retransmission.orig_rexmit_bytes_est"),
                        total("By servers", "aegis.aegis_retransmission.resp_rexmit_bytes_est"),
                    ),
                    (over_time(),),
                    RESENT,
                ),
                Panel(
                    "Loss by pair",
                    "table",
                    LOG_ROWS,
                    24,
                    (
                        total("Client: sent again", "aegis.aegis_retransmission.orig_rexmit_bytes_est"),
                        total("Client: payload", "aegis.aegis_retransmission.orig_bytes"),
                        total("Server: sent again", "aegis.aegis_retransmission.resp_rexmit_bytes_est"),
                        total("Server: payload", "aegis.aegis_retransmission.resp_bytes"),
                    ),
                    (values("Client", "source.ip", 10), values("Server", "destination.ip", 5)),
                    RESENT,
                    to=("host",),
                    about="Bytes sent again (estimated) beside the payload, of connections that have ended.",
                ),
            ),
        ),
        (14, (Rows("Alerts about health, the newest first", "health", 48),)),
    ),
    (LOG_HOST, LOG_SENSOR),
)
