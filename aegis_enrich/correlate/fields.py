"""Every field of an incident document that Elasticsearch finds, with its type; the index template is made of it."""

from __future__ import annotations

from ..decide.fields import FIELDS as OF_ALERTS

_AS_ALERTS = ("@timestamp", "message", "tags", "ecs.", "event.", "threat.", "related.", "observer.")

FIELDS: dict[str, str] = {
    **{name: kind for name, kind in OF_ALERTS.items() if name.startswith(_AS_ALERTS)},
    "aegis.alert_count": "long",
    "aegis.attack": "flattened",
    "aegis.attack_version": "keyword",
    "aegis.confidence": "float",
    "aegis.false_positive.grounds": "keyword",
    "aegis.false_positive.likelihood": "float",
    "aegis.first_seen": "date",
    "aegis.host_count": "long",
    "aegis.incident.alerts.id": "keyword",
    "aegis.incident.alerts.rule": "keyword",
    "aegis.incident.hosts.criticality": "keyword",
    "aegis.incident.hosts.ip": "keyword",
    "aegis.incident.hosts.name": "keyword",
    "aegis.incident.hosts.role": "keyword",
    "aegis.incident.id": "keyword",
    "aegis.incident.merged_into": "keyword",
    "aegis.incident.sequences.id": "keyword",
    "aegis.incident.sequences.name": "keyword",
    "aegis.incident.stages.name": "keyword",
    "aegis.incident.title": "keyword",
    "aegis.last_seen": "date",
    "aegis.period": "date",
    "aegis.revision": "long",
    "aegis.risk.base": "float",
    "aegis.risk.score": "float",
    "aegis.sensors": "keyword",
    "aegis.status": "keyword",
    "aegis.triage.at": "date",
    "aegis.triage.author": "keyword",
    "aegis.triage.status": "keyword",
}
