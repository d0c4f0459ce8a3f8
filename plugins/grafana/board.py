"""Makes aegis-enrich.json, the Grafana board over AegisEnrich's metrics: `python plugins/grafana/board.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOARD = Path(__file__).with_name("aegis-enrich.json")
COLUMNS, TALL, LOW = 24, 8, 4  # of Grafana's grid; heights
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF = 'instance=~"$instance"'
SENSOR = f'{OF}, sensor=~"$sensor"'
RATE = "[$__rate_interval]"


@dataclass(frozen=True)
class Panel:
    """A panel: queries with what each is called; `red` is the value from which it is a problem."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    width: int = 12
    kind: str = "timeseries"
    about: str = ""
    red: float | None = None


def _slow(metric: str, by: str, share: float) -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{OF}}}{RATE})))"


def _risen(metric: str, by: str) -> str:
    """How much a counter of the state rose in an hour, from its first appearance on, which increase() does not see."""
    now, before = (f"sum by ({by}) ({metric}{{{OF}}}{ago})" for ago in ("", " offset 1h"))
    return f"{now} - ({before} or {now} * 0) > 0"


ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    (
        "At a glance",
        (
            Panel("Ready", [(f"min(aegis_ready{{{OF}}})", "")], "bool_yes_no", 3, "stat"),
            Panel("Rows per second", [(f"sum(rate(aegis_read_rows_total{{{SENSOR}}}{RATE}))", "")], "short", 4, "stat"),
            Panel("Furthest behind", [(f"max(aegis_log_lag_seconds{{{SENSOR}}})", "")], "s", 4, "stat", red=60),
            Panel("Unread", [(f"sum(aegis_log_lag_bytes{{{SENSOR}}})", "")], "bytes", 3, "stat"),
            Panel("Documents that wait", [(f"sum(aegis_outbox_documents{{{OF}}})", "")], "short", 3, "stat"),
            Panel("Open alerts", [(f"sum(aegis_alerts_open{{{OF}}}) or vector(0)", "")], "short", 3, "stat"),
            Panel("Lost bytes", [(f"sum(aegis_lost_bytes_total{{{SENSOR}}})", "")], "bytes", 4, "stat", red=1),
        ),
    ),
    (
        "Reading",
        (
            Panel(
                "Rows per second by log",
                [(f"sum by (sensor, log) (rate(aegis_read_rows_total{{{SENSOR}}}{RATE}))", "{{sensor}} {{log}}")],
            ),
            Panel(
                "Bytes per second by sensor",
                [(f"sum by (sensor) (rate(aegis_read_bytes_total{{{SENSOR}}}{RATE}))", "{{sensor}}")],
                "Bps",
            ),
            Panel(
                "Lag by log",
                [(f"max by (sensor, log) (aegis_log_lag_seconds{{{SENSOR}}}) > 0", "{{sensor}} {{log}}")],
                "s",
                about="How far the newest row read is behind the clock while something lies unread.",
            ),
            Panel(
                "Unread bytes by log",
                [(f"sum by (sensor, log) (aegis_log_lag_bytes{{{SENSOR}}})", "{{sensor}} {{log}}")],
                "bytes",
            ),
            Panel(
                "Age of the newest row by log",
                [
                    (
                        f"time() - max by (sensor, log) (aegis_log_newest_row_timestamp_seconds{{{SENSOR}}})",
                        "{{sensor}} {{log}}",
                    )
                ],
                "s",
                about="A log that grows old and has no lag is one that the sensor has stopped to write.",
            ),
            Panel(
                "Rows that are late, from the future, or unreadable, per second",
                [
                    (f"sum by (sensor) (rate(aegis_late_rows_total{{{SENSOR}}}{RATE}))", "{{sensor}} late"),
                    (f"sum by (sensor) (rate(aegis_future_rows_total{{{SENSOR}}}{RATE}))", "{{sensor}} future"),
                    (f"sum by (sensor) (rate(aegis_bad_lines_total{{{SENSOR}}}{RATE}))", "{{sensor}} bad lines"),
                ],
            ),
        ),
    ),
    (
        "Detecting",
        (
            Panel(
                "Evaluations, 95th percentile by detector",
                [(_slow("aegis_evaluation_duration_seconds", "detector", 0.95), "{{detector}}")],
                "s",
            ),
            Panel(
                "Share of the time in evaluations",
                [(f"sum by (detector) (rate(aegis_evaluation_duration_seconds_sum{{{OF}}}{RATE}))", "{{detector}}")],
                "percentunit",
                about="One evaluation runs at a time: near 100 % in all, windows are evaluated late.",
            ),
            Panel(
                "Behind the clock, by detector",
                [
                    (
                        f"time() - max by (sensor, detector) (aegis_sealed_timestamp_seconds{{{SENSOR}}})",
                        "{{sensor}} {{detector}}",
                    )
                ],
                "s",
                about="How long ago the last evaluated window ended: its length and lateness, and more where it hangs.",
            ),
            Panel(
                "Failures",
                [
                    (
                        f"sum by (detector) (rate(aegis_failed_evaluations_total{{{OF}}}{RATE}))",
                        "{{detector}} evaluations",
                    ),
                    (f"sum by (enricher) (rate(aegis_enricher_failures_total{{{OF}}}{RATE}))", "{{enricher}}"),
                ],
            ),
            Panel(
                "Alerts opened per hour by rule",
                [(_risen("aegis_alerts_opened_total", "rule"), "{{rule}}")],
            ),
            Panel(
                "Findings suppressed per hour by rule",
                [(_risen("aegis_suppressed_findings_total", "rule"), "{{rule}}")],
            ),
        ),
    ),
    (
        "Delivering",
        (
            Panel(
                "Documents that wait",
                [(f"sum by (sink, lane) (aegis_outbox_documents{{{OF}}})", "{{sink}} {{lane}}")],
            ),
            Panel(
                "Oldest document that waits",
                [(f"max by (sink) (aegis_outbox_oldest_age_seconds{{{OF}}})", "{{sink}}")],
                "s",
            ),
            Panel(
                "Deliveries per second by outcome",
                [(f"sum by (sink, outcome) (rate(aegis_deliveries_total{{{OF}}}{RATE}))", "{{sink}} {{outcome}}")],
            ),
            Panel(
                "Refused documents per hour",
                [(f"sum(increase(aegis_refused_documents_total{{{OF}}}[1h]))", "refused")],
            ),
        ),
    ),
    (
        "Storing and the process",
        (
            Panel("Lake", [(f"sum by (kind) (aegis_lake_bytes{{{OF}}})", "{{kind}}")], "bytes", 8),
            Panel(
                "Free disk",
                [
                    (f"min(aegis_disk_free_bytes{{{OF}}})", "free"),
                    (f"max(aegis_disk_min_free_bytes{{{OF}}})", "retention.min_free"),
                ],
                "bytes",
                8,
            ),
            Panel("Segments", [(f"sum by (kind) (aegis_lake_segments{{{OF}}})", "{{kind}}")], width=8),
            Panel(
                "Flushes, 99th percentile", [(_slow("aegis_flush_duration_seconds", "step", 0.99), "{{step}}")], "s", 8
            ),
            Panel(
                "Memory", [(f"sum by (instance) (process_resident_memory_bytes{{{OF}}})", "{{instance}}")], "bytes", 8
            ),
            Panel(
                "CPU", [(f"sum by (instance) (rate(process_cpu_seconds_total{{{OF}}}{RATE}))", "{{instance}}")], width=8
            ),
        ),
    ),
)


def board() -> dict[str, Any]:
    """The board as Grafana imports it."""
    return {
        "annotations": {"list": []},
        "description": "Whether AegisEnrich keeps up, loses nothing and delivers.",
        "editable": True,
        "graphTooltip": 1,
        "links": [],
        "panels": list(_panels()),
        "refresh": "30s",
        "schemaVersion": 39,
        "tags": ["aegis-enrich", "zeek", "suricata"],
        "templating": {"list": list(_variables())},
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "timezone": "utc",
        "title": "AegisEnrich",
        "uid": "aegis-enrich",
        "version": 1,
    }


def _panels() -> Iterator[dict[str, Any]]:
    ident, y = 0, 0
    for title, panels in ROWS:
        ident += 1
        place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
        yield {"collapsed": False, "gridPos": place, "id": ident, "panels": [], "title": title, "type": "row"}
        x, y, height = 0, y + 1, LOW if panels[0].kind == "stat" else TALL
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + height
            ident += 1
            yield _panel(panel, ident, {"h": height, "w": panel.width, "x": x, "y": y})
            x += panel.width
        y += height


def _panel(panel: Panel, ident: int, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [{"color": "red", "value": panel.red}] if panel.red is not None else []
    options: dict[str, Any] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    if panel.kind == "timeseries":
        options = {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {
        "datasource": SOURCE,
        "description": panel.about,
        "fieldConfig": {
            "defaults": {"min": 0, "thresholds": {"mode": "absolute", "steps": steps}, "unit": panel.unit},
            "overrides": [],
        },
        "gridPos": place,
        "id": ident,
        "options": options,
        "targets": [
            {"datasource": SOURCE, "expr": query, "legendFormat": legend, "refId": chr(ord("A") + n)}
            for n, (query, legend) in enumerate(panel.queries)
        ],
        "title": panel.title,
        "type": panel.kind,
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"label": "Data source", "name": "datasource", "query": "prometheus", "type": "datasource"}
    for name, label, query in (
        ("instance", "Instance", "label_values(aegis_build_info, instance)"),
        ("sensor", "Sensor", 'label_values(aegis_read_rows_total{instance=~"$instance"}, sensor)'),
    ):
        yield {
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
            "datasource": SOURCE,
            "includeAll": True,
            "label": label,
            "multi": True,
            "name": name,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "sort": 1,
            "type": "query",
        }


def text() -> str:
    return json.dumps(board(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    BOARD.write_text(text(), encoding="utf-8")
