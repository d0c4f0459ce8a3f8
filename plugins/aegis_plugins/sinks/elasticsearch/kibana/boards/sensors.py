"""Sensor health: whether sensors see everything and their rows arrive."""

from __future__ import annotations

from ..description import Board, Panel, count, different, highest, latest, over_time, total
from ..views import ALERTS, HEALTH, LOG_ROWS
from .common import CONN, LOG_SENSOR, RISK, links, values

CAPTURE = {"event.dataset": "aegis.capture_loss"}
STATS = {"event.dataset": "aegis.suricata_stats"}
WEIRD = {"event.dataset": "aegis.weird"}
OF_SENSOR = {"rule.id": "capture_loss"}
BY_SENSOR = values("Sensor", "observer.name")
LAG = "How far the newest row read is behind the clock while something lies unread; the highest of the time chosen."
QUEUE = "Documents that the slowest sink has not taken yet, and those that sinks refused for good."

BOARD = Board(
    "sensors",
    "Sensor health",
    "Whether sensors see everything and their rows arrive: rows by sensor and log, capture loss, drops.",
    (
        (
            4,
            (
                links(
                    "sensors",
                    "Reading, lag and the queue are told by each `watch` once a minute. Other rows are those "
                    "that are indexed: a log that is missing here may be one that `index_logs` does not name.",
                ),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Rows read by sensor over time",
                    "bars",
                    HEALTH,
                    16,
                    (total("Rows", "aegis.health.rows"),),
                    (over_time(), BY_SENSOR),
                ),
                Panel(
                    "Lag by sensor over time",
                    "line",
                    HEALTH,
                    16,
                    (highest("Behind", "aegis.health.lag_s"),),
                    (over_time(), BY_SENSOR),
                    about=LAG,
                ),
                Panel(
                    "Queue and refused documents over time",
                    "line",
                    HEALTH,
                    16,
                    (highest("Waiting", "aegis.health.outbox"), highest("Refused", "aegis.health.refused")),
                    (over_time(),),
                    about=QUEUE,
                ),
            ),
        ),
        (
            12,
            (
                Panel(
                    "How each sensor is read",
                    "table",
                    HEALTH,
                    48,
                    (
                        total("Rows", "aegis.health.rows"),
                        latest("Last told", "@timestamp"),
                        latest("Behind now", "aegis.health.lag_s"),
                        latest("Unread now", "aegis.health.lag_bytes"),
                        total("Late rows", "aegis.health.late_rows"),
                        total("Bad lines", "aegis.health.bad_lines"),
                        total("Lost bytes", "aegis.health.lost_bytes"),
                        total("Failed windows", "aegis.health.failed_windows"),
                    ),
                    (BY_SENSOR,),
                    about="Lost bytes were gone before they were read, late rows came after their window was sealed.",
                ),
            ),
        ),
        (
            12,
            (
                Panel("Rows by sensor over time", "bars", LOG_ROWS, 28, (count("Rows"),), (over_time(), BY_SENSOR)),
                Panel("Rows by log", "rows", LOG_ROWS, 20, (count("Rows"),), (values("Log", "event.dataset", 20),)),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Newest row by sensor",
                    "table",
                    LOG_ROWS,
                    28,
                    (
                        count("Rows"),
                        latest("Newest row", "@timestamp"),
                        latest("Sent to the index", "event.ingested"),
                        different("Logs", "event.dataset"),
                        different("Hosts", "related.ip"),
                    ),
                    (BY_SENSOR,),
                ),
                Panel(
                    "Alerts about sensors",
                    "table",
                    ALERTS,
                    20,
                    (count(), RISK, latest("Why", "event.reason")),
                    (BY_SENSOR,),
                    OF_SENSOR,
                    to=("alerts",),
                ),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Capture loss over time (percent, Zeek)",
                    "line",
                    LOG_ROWS,
                    24,
                    (highest("Percent lost", "aegis.capture_loss.percent_lost"),),
                    (over_time(), BY_SENSOR),
                    CAPTURE,
                ),
                Panel(
                    "Bytes missing in connections",
                    "line",
                    LOG_ROWS,
                    24,
                    (total("Missing", "aegis.conn.missed_bytes"),),
                    (over_time(), BY_SENSOR),
                    CONN,
                ),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Suricata's packets since its start",
                    "table",
                    LOG_ROWS,
                    24,
                    (
                        highest("Decoded", "aegis.suricata_stats.decoder_pkts"),
                        highest("Dropped by the kernel", "aegis.suricata_stats.capture_kernel_drops"),
                        highest("Gaps in streams", "aegis.suricata_stats.tcp_reassembly_gap"),
                        highest("Out of memory (TCP)", "aegis.suricata_stats.tcp_memcap_drop"),
                    ),
                    (BY_SENSOR,),
                    STATS,
                    about="The highest value in the time chosen of counters that run since Suricata's start.",
                ),
                Panel(
                    "Oddities that Zeek met",
                    "table",
                    LOG_ROWS,
                    24,
                    (count("Rows"), different("Sensors", "observer.name")),
                    (values("Name", "aegis.weird.name", 20),),
                    WEIRD,
                ),
            ),
        ),
    ),
    (LOG_SENSOR,),
)
