"""Health of sensors by the minute: the fields of these documents, and their data stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import ecs

DATASET = "aegis.health"
STREAM = f"logs-{DATASET}-{ecs.NAMESPACE}"
TEMPLATE = f"logs-{DATASET}"

FIELDS: dict[str, str] = {
    "@timestamp": "date",
    **{name: ecs.FRAME[name] for name in sorted(ecs.FRAME) if not name.startswith("related.")},
    "observer.name": "keyword",
    "aegis.health.rows": "long",
    "aegis.health.bad_lines": "long",
    "aegis.health.late_rows": "long",
    "aegis.health.lag_bytes": "long",
    "aegis.health.lag_s": "double",
    "aegis.health.outbox": "long",
    "aegis.health.failed_windows": "long",
    "aegis.health.lost_bytes": "long",
    "aegis.health.refused": "long",
}


def document(body: Mapping[str, Any]) -> dict[str, Any]:
    """The outbox's document as the data stream wants it."""
    return {**body, "data_stream": {"type": "logs", "dataset": DATASET, "namespace": ecs.NAMESPACE}}
