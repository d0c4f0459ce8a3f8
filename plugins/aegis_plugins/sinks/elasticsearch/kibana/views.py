"""The data views, and which fields of which types there are behind each, by the index templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aegis_enrich.registry import Registry

from ..health import TEMPLATE as HEALTH_INDEX
from ..templates import ALERTS as ALERTS_INDEX
from ..templates import INCIDENTS as INCIDENTS_INDEX
from ..templates import INDEX, LOGS, templates
from .description import Not, View

_BYTES: tuple[str, Mapping[str, Any]] = ("bytes", {})
_SHORT = {"outputPrecision": 1, "showSuffix": True, "useShortSuffix": True}
_OF_NS: tuple[str, Mapping[str, Any]] = (
    "duration",
    {"inputFormat": "nanoseconds", "outputFormat": "asSeconds", **_SHORT},
)
_OF_S: tuple[str, Mapping[str, Any]] = (
    "duration",
    {"inputFormat": "seconds", "outputFormat": "asMilliseconds", **_SHORT},
)
_COUNTED_IN_BYTES = (
    "aegis.aegis_retransmission.orig_bytes",
    "aegis.aegis_retransmission.orig_rexmit_bytes_est",
    "aegis.aegis_retransmission.resp_bytes",
    "aegis.aegis_retransmission.resp_rexmit_bytes_est",
    "aegis.conn.missed_bytes",
    "aegis.dns.answer_bytes",
    "destination.bytes",
    "source.bytes",
)

ALERTS = View("aegis-alerts", ALERTS_INDEX, "Aegis alerts", {"aegis.status": Not(("withdrawn",))})
INCIDENTS = View("aegis-incidents", INCIDENTS_INDEX, "Aegis incidents", {"aegis.status": Not(("merged", "withdrawn"))})
LOG_ROWS = View(
    "aegis-logs",
    f"{LOGS}.*",
    "Aegis log rows",
    {"event.kind": "event"},  # the alias logs-aegis.alerts has the same pattern
    {
        "aegis.conn.orig_rtt": _OF_S,
        "aegis.conn.resp_rtt": _OF_S,
        "aegis.dns.rtt": _OF_S,
        "event.duration": _OF_NS,
        **dict.fromkeys(_COUNTED_IN_BYTES, _BYTES),
    },
)
HEALTH = View(
    "aegis-health",
    f"{HEALTH_INDEX}-*",
    "Aegis health",
    {"event.kind": "metric"},
    {
        "aegis.health.lag_s": ("duration", {"inputFormat": "seconds", "outputFormat": "humanizePrecise", **_SHORT}),
        "aegis.health.lag_bytes": _BYTES,
        "aegis.health.lost_bytes": _BYTES,
    },
)
VIEWS = (ALERTS, INCIDENTS, LOG_ROWS, HEALTH)

# What Kibana takes for one type: fields of one name and several of these it finds in conflict.
_FAMILY = {"long": "number", "double": "number", "float": "number", "keyword": "string", "flattened": "string"}
CONFLICT = "conflict"

Fields = Mapping[str, Mapping[str, str]]  # key of a view, to fields (dotted) and their types


def fields(registry: Registry) -> Fields:
    """The fields behind each view, with those of these plugins."""
    found: dict[str, dict[str, str]] = {view.key: {} for view in VIEWS}
    for template in templates("30d", registry):
        if template.kind != INDEX:
            continue
        mapped = dict(_leaves(template.body["template"]["mappings"]))
        key = {ALERTS_INDEX: ALERTS.key, INCIDENTS_INDEX: INCIDENTS.key, HEALTH_INDEX: HEALTH.key}.get(template.name)
        for view in (key,) if key else ():
            found[view] = mapped
        if key != INCIDENTS.key:
            _add(found[LOG_ROWS.key], mapped)
    return found


def _add(found: dict[str, str], mapped: Mapping[str, str]) -> None:
    for name, kind in mapped.items():
        before = found.setdefault(name, kind)
        if _FAMILY.get(before, before) != _FAMILY.get(kind, kind):
            found[name] = CONFLICT


def _leaves(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, below in node["properties"].items():
        if "properties" in below:
            yield from _leaves(below, f"{path}{name}.")
        else:
            yield f"{path}{name}", below["type"]
