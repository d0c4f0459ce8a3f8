"""The metrics there are: name, kind, labels and what each means; docs/metrics.md is this list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Metric:
    """`group` heads it in the documentation. A counter's name ends with `_total`, as Prometheus wants it."""

    group: str
    name: str
    kind: Kind
    doc: str
    labels: tuple[str, ...] = ()


def _group(group: str, *rows: tuple[str, Kind, str, str]) -> Iterator[Metric]:
    for name, kind, labels, doc in rows:
        yield Metric(group, f"aegis_{name}", kind, doc, tuple(labels.split()))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for group in (
        _group(
            "The process",
            ("build_info", "gauge", "version python", "1; the versions are its labels."),
            ("ready", "gauge", "", "1 where /readyz says ready, else 0."),
            ("loop_last_round_timestamp_seconds", "gauge", "", "When the engine's loop last went round; /healthz."),
            ("scrape_state_ok", "gauge", "", "1 where the state could be read for this scrape, else 0."),
        ),
        _group(
            "Reading",
            ("read_rows_total", "counter", "sensor log", "Rows read and decoded."),
            ("read_bytes_total", "counter", "sensor log", "Bytes read of logs, decompressed."),
            ("bad_lines_total", "counter", "sensor log", "Lines that could not be read; they are dead letters."),
            ("late_rows_total", "counter", "sensor table", "Rows that came after a window of theirs was sealed."),
            ("future_rows_total", "counter", "sensor", "Rows more than an hour ahead of this machine's clock."),
            ("overflow_rows_total", "counter", "sensor", "Rows by which a Zeek script says that it lost count."),
            ("lost_bytes_total", "counter", "sensor", "Bytes of logs that were gone before they were read."),
            ("lost_messages_total", "counter", "sensor", "Messages of a topic that were gone before they were read."),
            (
                "log_lag_bytes",
                "gauge",
                "sensor log",
                "What lies unread (of gzip that is not open yet, its size; of a topic, an estimate).",
            ),
            (
                "log_lag_seconds",
                "gauge",
                "sensor log",
                "How far the newest row read is behind the clock while something lies unread; 0 once all is read.",
            ),
            ("log_newest_row_timestamp_seconds", "gauge", "sensor log", "Greatest end_ts read, no future rows."),
            (
                "log_last_read_timestamp_seconds",
                "gauge",
                "sensor log",
                "When this run last read anything of it; at first, for a log that the state knows, its start.",
            ),
            ("followed_logs", "gauge", "sensor", "Logs that are followed, by name; 0 for a sensor that writes none."),
            ("watermark_timestamp_seconds", "gauge", "sensor", "Event time up to which every detector has rows."),
            ("waiting_rows", "gauge", "", "Rows that are read and not committed yet."),
            ("unreadable_files", "gauge", "", "Files and folders that cannot be read; `doctor` names them."),
            ("reading_paused", "gauge", "", "1 while reading waits for room on the disk, else 0."),
        ),
        _group(
            "Storing",
            (
                "flush_duration_seconds",
                "histogram",
                "step",
                "Of flushes: write (segments, fsynced, beside the reading) and commit (the transaction).",
            ),
            ("lake_bytes", "gauge", "kind", "Size of the segments in the manifest: rows, derived."),
            ("lake_segments", "gauge", "kind", "How many these are."),
            ("disk_free_bytes", "gauge", "", "Free room below the state's folder."),
            ("disk_min_free_bytes", "gauge", "", "retention.min_free, below which reading stops."),
            ("retention_lost_windows_total", "counter", "sensor", "Windows that lost rows to retention.max_size."),
            ("retention_undelivered_rows_total", "counter", "", "Log rows that went before they were delivered."),
        ),
        _group(
            "Detecting",
            (
                "evaluation_duration_seconds",
                "histogram",
                "detector kind",
                "From an evaluation's start to its result; kind: window, hour (of a derived table), early.",
            ),
            ("failed_evaluations_total", "counter", "detector kind", "Evaluations given up after three tries."),
            ("failed_windows", "gauge", "sensor detector", "Windows and hours that are marked failed."),
            (
                "sealed_timestamp_seconds",
                "gauge",
                "sensor detector",
                "Event time up to which a detector's windows (a derived table's hours) are evaluated.",
            ),
            ("rules", "gauge", "kind", "Rules in force: detector, row."),
            ("rules_refused", "gauge", "", "1 while the rules on disk do not check and older ones stay in force."),
            ("rules_loaded_timestamp_seconds", "gauge", "", "When the rules in force were taken up."),
            ("enricher_failures_total", "counter", "enricher", "Batches, refreshes and look-ups in which it failed."),
            ("enricher_disabled", "gauge", "enricher", "1 for one left out after too many failures in a row."),
        ),
        _group(
            "Deciding",
            ("alerts_opened_total", "counter", "rule severity", "Alerts, by the severity with which they opened."),
            ("alerts_open", "gauge", "detector", "Alerts that are not closed; a row rule is its own detector."),
            ("suppressed_findings_total", "counter", "rule", "Findings and rows that a suppression covers."),
            ("incidents_open", "gauge", "", "Incidents that are not closed."),
        ),
        _group(
            "Delivering",
            (
                "outbox_documents",
                "gauge",
                "sink lane",
                "Documents that wait; lane: documents (alerts, incidents, health), or a table of log rows.",
            ),
            ("outbox_oldest_age_seconds", "gauge", "sink", "How long the oldest document waits; 0 where none does."),
            ("deliveries_total", "counter", "sink lane outcome", "Documents: stored, there, retry, refused."),
            ("delivery_failures", "gauge", "sink lane", "Failures in a row; 0 while the sink takes documents."),
            ("refused_documents_total", "counter", "", "Documents that sinks refused for good; dead letters."),
            ("superseded_documents_total", "counter", "", "Revisions that went undelivered, as newer ones say it all."),
            ("dropped_health_documents_total", "counter", "", "Health documents that went while a sink was away."),
        ),
    )
    for metric in group
}


def table() -> str:
    """The metrics as Markdown."""
    lines: list[str] = []
    for group in dict.fromkeys(m.group for m in METRICS.values()):
        lines += [f"## {group}", "", "| metric | kind | labels | |", "|---|---|---|---|"]
        for m in (m for m in METRICS.values() if m.group == group):
            lines.append(f"| `{m.name}` | {m.kind} | {', '.join(f'`{label}`' for label in m.labels)} | {m.doc} |")
        lines.append("")
    return "\n".join(lines)
