"""What is put into the server: index templates of alerts, incidents, health and log rows, and a policy if asked for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aegis_enrich.correlate.fields import FIELDS as INCIDENT_FIELDS
from aegis_enrich.decide.fields import FIELDS
from aegis_enrich.enrich import part
from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import Enricher
from aegis_enrich.registry import Registry
from aegis_enrich.tables import TABLES

from . import evidence, health, rows

VERSION = 3  # goes up with every change to what stands below
PRIORITY = 500  # Elastic's own templates for logs-*-* have 100, Fleet's about 200
ALERTS = "aegis-alerts"
ALERT_ALIASES = ("aegis-alerts", "logs-aegis.alerts")
INCIDENTS = "aegis-incidents"
LOGS = "logs-aegis"
POLICY = "aegis-logs"
FAMILIES = (ALERTS, LOGS)  # with settings of their own each, and a site's over them
IGNORE_ABOVE = 1024  # characters of a text that are indexed: as in ECS; longer texts are kept, not found
LONG = {"url.original": 8191}  # the most that Lucene's limit of 32,766 bytes takes in UTF-8
ROLLOVER_SIZE, ROLLOVER_AGE = "50gb", "1d"  # of a log stream's index by policy: what goes goes a day at a time
EMPTY: Mapping[str, Any] = {"template": {}}
_TEXTS = ("keyword", "flattened")

COMPONENT, INDEX, ILM, ISM = "component", "index", "ilm", "ism"
DATA_STREAM = "data_stream"  # the lifecycle that data streams have themselves, beside policies
_PATHS = {
    COMPONENT: "/_component_template/",
    INDEX: "/_index_template/",
    ILM: "/_ilm/policy/",
    ISM: "/_plugins/_ism/policies/",
}
_SAID = {
    COMPONENT: "component template",
    INDEX: "index template",
    ILM: "lifecycle policy",
    ISM: "state management policy",
}


@dataclass(frozen=True)
class Template:
    """A template or policy by its kind and name."""

    kind: str
    name: str
    body: Mapping[str, Any]
    version: int = VERSION
    once: bool = False  # made where it is missing, and never changed: it is the site's

    @property
    def path(self) -> str:
        return _PATHS[self.kind] + self.name

    @property
    def said(self) -> str:
        """What it is called in messages."""
        return f"{_SAID[self.kind]} {self.name}"

    @property
    def digest(self) -> str:
        """Of the contents: by it `check` knows the template again."""
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def signed(self) -> dict[str, Any]:
        """What is put."""
        meta = {"made_by": "aegis-enrich", "digest": self.digest}
        if self.kind == ILM:
            return {"policy": {**self.body, "_meta": {**meta, "version": self.version}}}
        if self.kind == ISM:  # has no place for more than a description
            return {"policy": {**self.body, "description": f"made by aegis-enrich: {self.version} {self.digest}"}}
        return {**self.body, "version": self.version, "_meta": meta}


@dataclass(frozen=True)
class Dialect:
    """In what servers that have Elasticsearch's API differ."""

    settings: Mapping[str, Any] = field(default_factory=lambda: {"index.auto_expand_replicas": "0-1"})
    log_settings: Mapping[str, Any] = field(
        default_factory=lambda: {"index.codec": "best_compression", "index.mode": "standard"}
    )
    types: Mapping[str, str] = field(default_factory=dict)  # ours to theirs, where they differ
    malformed: frozenset[str] = frozenset({"long", "double", "float", "boolean", "ip", "date"})  # may be kept unindexed
    optional_components: bool = True  # templates may name components that are not there
    lifecycles: tuple[str, ...] = (DATA_STREAM, ILM)  # the first is the default


ELASTICSEARCH = Dialect()


def templates(
    retention: str, registry: Registry, *, lifecycle: str = "", dialect: Dialect = ELASTICSEARCH
) -> list[Template]:
    """All of them, those first that others need; log rows and health are kept for `retention` (such as 30d).

    Raises ConfigError for a retention or lifecycle that is none, and where detectors contradict one another.
    """
    if not re.fullmatch(r"[1-9]\d*[dhms]", retention):
        raise ConfigError(f"{retention!r} is no time; write it like 30d or 48h", where="log_retention")
    lifecycle = lifecycle or dialect.lifecycles[0]
    if lifecycle not in dialect.lifecycles:
        raise ConfigError(
            f"{lifecycle!r} is not known; it is one of {', '.join(dialect.lifecycles)}", where="lifecycle"
        )
    ours = evidence.fields(registry.detectors)
    alerts = {name: kind for name, kind in FIELDS.items() if name != "aegis.evidence"} | ours
    monthly = ((ALERTS, alerts, ALERT_ALIASES), (INCIDENTS, INCIDENT_FIELDS, (INCIDENTS,)))
    return [
        *([Template(lifecycle, POLICY, POLICIES[lifecycle](retention))] if lifecycle in POLICIES else ()),
        *(() if dialect.optional_components else (Template(COMPONENT, custom(f), EMPTY, once=True) for f in FAMILIES)),
        Template(COMPONENT, f"{ALERTS}@settings", {"template": {"settings": dict(dialect.settings)}}),
        Template(COMPONENT, f"{LOGS}@settings", {"template": _log_settings(retention, lifecycle, dialect)}),
        *(Template(INDEX, name, _monthly(name, known, aliases, dialect)) for name, known, aliases in monthly),
        Template(INDEX, health.TEMPLATE, _stream(health.TEMPLATE, health.FIELDS, dialect)),
        *(Template(INDEX, log_template_name(t), _logs(t, registry.enrichers, dialect)) for t in sorted(TABLES)),
    ]


def log_template_name(table: str) -> str:
    return f"logs-{rows.dataset(table)}"


def _ilm(retention: str) -> dict[str, Any]:
    """Of index lifecycle management: the same as the data streams' own lifecycle, for who wants tiers in it."""
    rollover = {"max_primary_shard_size": ROLLOVER_SIZE, "max_age": ROLLOVER_AGE}
    return {
        "phases": {
            "hot": {"actions": {"rollover": rollover}},
            "delete": {"min_age": retention, "actions": {"delete": {}}},
        }
    }


def _ism(retention: str) -> dict[str, Any]:
    """Of OpenSearch's index state management, for the data streams of log rows and health."""
    rollover = {"min_primary_shard_size": ROLLOVER_SIZE, "min_index_age": ROLLOVER_AGE}
    old = {"state_name": "delete", "conditions": {"min_index_age": retention}}
    return {
        "default_state": "hot",
        "states": [
            {"name": "hot", "actions": [{"rollover": rollover}], "transitions": [old]},
            {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
        ],
        "ism_template": [{"index_patterns": [f"{LOGS}.*"], "priority": PRIORITY}],
    }


POLICIES = {ILM: _ilm, ISM: _ism}


def _log_settings(retention: str, lifecycle: str, dialect: Dialect) -> dict[str, Any]:
    settings = {**dialect.settings, **dialect.log_settings}
    if lifecycle == ILM:
        return {"settings": settings | {"index.lifecycle.name": POLICY}}
    if DATA_STREAM in dialect.lifecycles:
        return {"settings": settings, "lifecycle": {"data_retention": retention}}
    return {"settings": settings}


def _monthly(name: str, fields: Mapping[str, str], aliases: Sequence[str], dialect: Dialect) -> dict[str, Any]:
    """Of the monthly indices of alerts or incidents; a site's settings for alerts hold for both."""
    return {
        **_composed(name, ALERTS, dialect),
        "template": {"mappings": mappings(fields, dialect), "aliases": {alias: {} for alias in aliases}},
    }


def _logs(table: str, enrichers: Mapping[str, type[Enricher]], dialect: Dialect) -> dict[str, Any]:
    """Of the data streams of a table's rows."""
    added = {c.name: c.kind for enricher in enrichers.values() for c in part(enricher, table)[1]}
    return _stream(log_template_name(table), rows.fields(table, added), dialect)


def _stream(name: str, fields: Mapping[str, str], dialect: Dialect) -> dict[str, Any]:
    return {
        **_composed(name, LOGS, dialect),
        "data_stream": {},
        "template": {"mappings": mappings(fields, dialect)},
    }


def custom(family: str) -> str:
    """The component template in which a site has settings of its own."""
    return f"{family}@custom"


def _composed(name: str, family: str, dialect: Dialect) -> dict[str, Any]:
    """What a site puts into `<family>@custom` goes before our settings."""
    composed = {
        "index_patterns": [f"{name}-*"],
        "priority": PRIORITY,
        "composed_of": [f"{family}@settings", custom(family)],
    }
    return composed | ({"ignore_missing_component_templates": [custom(family)]} if dialect.optional_components else {})


def mappings(fields: Mapping[str, str], dialect: Dialect = ELASTICSEARCH) -> dict[str, Any]:
    """A mapping of exactly these fields (dotted, to their types): what else a document has is kept and not indexed."""
    root: dict[str, Any] = {"dynamic": False, "properties": {}}
    for dotted, kind in sorted(fields.items()):
        *objects, leaf = dotted.split(".")
        here = root
        for name in objects:
            here = here["properties"].setdefault(name, {"properties": {}})
        here["properties"][leaf] = _leaf(dotted, kind, dialect)
    return root


def _leaf(dotted: str, kind: str, dialect: Dialect) -> dict[str, Any]:
    leaf: dict[str, Any] = {"type": dialect.types.get(kind, kind)}
    if kind in _TEXTS and kind not in dialect.types:
        leaf["ignore_above"] = LONG.get(dotted, IGNORE_ABOVE)
    if dotted.startswith(evidence.PREFIX) and kind in dialect.malformed:
        leaf["ignore_malformed"] = True  # a rule's or another package's evidence under this name loses no alert
    return leaf


def field_count(mapping: Mapping[str, Any]) -> int:
    """What Elasticsearch counts against `index.mapping.total_fields.limit` (1,000): fields, and objects around them."""
    return sum(1 + (field_count(below) if "properties" in below else 0) for below in mapping["properties"].values())
