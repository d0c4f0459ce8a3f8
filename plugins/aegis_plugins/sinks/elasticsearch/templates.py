"""The index templates: of alerts and incidents from their documents' fields, of log rows from the canonical tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_enrich.correlate.fields import FIELDS as INCIDENT_FIELDS
from aegis_enrich.decide.fields import FIELDS
from aegis_enrich.enrich import part
from aegis_enrich.plugin import Enricher
from aegis_enrich.tables import TABLES

from . import rows

VERSION = 2  # goes up with every change to what stands below
PRIORITY = 500  # Elastic's own templates for logs-*-* have 100, Fleet's about 200
ALERTS = "aegis-alerts"
ALERT_ALIASES = ("aegis-alerts", "logs-aegis.alerts")
INCIDENTS = "aegis-incidents"
LOGS = "logs-aegis"
SETTINGS = {"index.auto_expand_replicas": "0-1"}  # green on a single node, a copy where there are more
LOG_SETTINGS = {"index.codec": "best_compression", "index.mode": "standard"}
IGNORE_ABOVE = 1024  # characters of a text that are indexed: as in ECS; longer texts are kept, not found
LONG = {"url.original": 8191}  # the most that Lucene's limit of 32,766 bytes takes in UTF-8
_TEXTS = ("keyword", "flattened")


COMPONENT, INDEX = "component", "index"  # kinds of templates, as the paths of the API have them


@dataclass(frozen=True)
class Template:
    """A template by its kind and name."""

    kind: str
    name: str
    body: Mapping[str, Any]
    version: int = VERSION

    @property
    def digest(self) -> str:
        """Of the contents: by it `check` knows the template again."""
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def signed(self) -> dict[str, Any]:
        return {**self.body, "version": self.version, "_meta": {"made_by": "aegis-enrich", "digest": self.digest}}


def templates(retention: str, enrichers: Mapping[str, type[Enricher]]) -> list[Template]:
    """All of them, those first that others are composed of; log rows are kept for `retention` (such as 30d)."""
    stored = {"settings": SETTINGS | LOG_SETTINGS, "lifecycle": {"data_retention": retention}}
    return [
        Template(COMPONENT, f"{ALERTS}@settings", {"template": {"settings": SETTINGS}}),
        Template(COMPONENT, f"{LOGS}@settings", {"template": stored}),
        Template(INDEX, ALERTS, _monthly(ALERTS, FIELDS, ALERT_ALIASES)),
        Template(INDEX, INCIDENTS, _monthly(INCIDENTS, INCIDENT_FIELDS, (INCIDENTS,))),
        *(Template(INDEX, log_template_name(table), _logs(table, enrichers)) for table in sorted(TABLES)),
    ]


def log_template_name(table: str) -> str:
    return f"logs-{rows.dataset(table)}"


def _monthly(name: str, fields: Mapping[str, str], aliases: Sequence[str]) -> dict[str, Any]:
    """Of the monthly indices of alerts or incidents; a site's settings for alerts hold for both."""
    return {
        **_composed(name, ALERTS),
        "template": {"mappings": mappings(fields), "aliases": {alias: {} for alias in aliases}},
    }


def _logs(table: str, enrichers: Mapping[str, type[Enricher]]) -> dict[str, Any]:
    """Of the data streams of a table's rows."""
    added = {c.name: c.kind for enricher in enrichers.values() for c in part(enricher, table)[1]}
    return {
        **_composed(log_template_name(table), LOGS),
        "data_stream": {},
        "template": {"mappings": mappings(rows.fields(table, added))},
    }


def _composed(name: str, family: str) -> dict[str, Any]:
    """What a site puts into `<family>@custom` goes before our settings."""
    return {
        "index_patterns": [f"{name}-*"],
        "priority": PRIORITY,
        "composed_of": [f"{family}@settings", f"{family}@custom"],
        "ignore_missing_component_templates": [f"{family}@custom"],
    }


def mappings(fields: Mapping[str, str]) -> dict[str, Any]:
    """A mapping of exactly these fields (dotted, to their types): what else a document has is kept and not indexed."""
    root: dict[str, Any] = {"dynamic": False, "properties": {}}
    for dotted, kind in sorted(fields.items()):
        *objects, leaf = dotted.split(".")
        here = root
        for name in objects:
            here = here["properties"].setdefault(name, {"properties": {}})
        here["properties"][leaf] = {"type": kind}
        if kind in _TEXTS:
            here["properties"][leaf]["ignore_above"] = LONG.get(dotted, IGNORE_ABOVE)
    return root
