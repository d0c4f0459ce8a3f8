"""Every field of an alert document with its Elasticsearch type; the index template is made of it."""

from __future__ import annotations

# What is said of an end of the traffic, by its name in ECS under `source.` and `destination.`.
_END = {
    "ip": "ip",
    "port": "long",
    "domain": "keyword",
    "registered_domain": "keyword",
    "top_level_domain": "keyword",
    "subdomain": "keyword",
    "geo.city_name": "keyword",
    "geo.continent_name": "keyword",
    "geo.country_iso_code": "keyword",
    "geo.country_name": "keyword",
    "geo.region_iso_code": "keyword",
    "geo.region_name": "keyword",
    "geo.location": "geo_point",
    "as.number": "long",
    "as.organization.name": "keyword",
}
# What ECS has no name for stands under `aegis.source.` and `aegis.destination.`.
_OWN = {
    "locality": "keyword",  # internal, external
    "network.name": "keyword",
    "asset.id": "keyword",
    "asset.name": "keyword",
    "asset.owner": "keyword",
    "asset.criticality": "keyword",
}
SIDES = ("source", "destination")


def of_end(side: str, name: str) -> str:
    """The field in which a document says this of its `source` or `destination`."""
    return f"{side}.{name}" if name in _END else f"aegis.{side}.{name}"


FIELDS: dict[str, str] = {
    "@timestamp": "date",
    "message": "text",
    "tags": "keyword",
    "ecs.version": "keyword",
    "event.action": "keyword",
    "event.category": "keyword",
    "event.created": "date",
    "event.dataset": "keyword",
    "event.end": "date",
    "event.id": "keyword",
    "event.ingested": "date",
    "event.kind": "keyword",
    "event.module": "keyword",
    "event.provider": "keyword",
    "event.reason": "keyword",
    "event.risk_score": "float",
    "event.severity": "long",
    "event.start": "date",
    "event.type": "keyword",
    "rule.description": "keyword",
    "rule.id": "keyword",
    "rule.name": "keyword",
    "rule.reference": "keyword",
    "rule.ruleset": "keyword",
    "rule.version": "keyword",
    "threat.framework": "keyword",
    "threat.tactic.id": "keyword",
    "threat.tactic.name": "keyword",
    "threat.tactic.reference": "keyword",
    "threat.technique.id": "keyword",
    "threat.technique.name": "keyword",
    "threat.technique.reference": "keyword",
    "threat.technique.subtechnique.id": "keyword",
    "threat.technique.subtechnique.name": "keyword",
    "threat.technique.subtechnique.reference": "keyword",
    **{of_end(side, name): kind for side in SIDES for name, kind in {**_END, **_OWN}.items()},
    "network.community_id": "keyword",
    "network.direction": "keyword",
    "network.protocol": "keyword",
    "network.transport": "keyword",
    "related.hash": "keyword",
    "related.hosts": "keyword",
    "related.ip": "ip",
    "observer.name": "keyword",
    "observer.product": "keyword",
    "observer.type": "keyword",
    "observer.vendor": "keyword",
    "aegis.attack": "flattened",
    "aegis.attack_version": "keyword",
    "aegis.config_hash": "keyword",
    "aegis.corroborated_by": "flattened",
    "aegis.count": "long",
    "aegis.detector": "keyword",
    "aegis.entity": "flattened",
    "aegis.evidence": "object",  # the fields in it are those that detectors declare
    "aegis.false_positives": "keyword",
    "aegis.first_seen": "date",
    "aegis.incident.id": "keyword",
    "aegis.last_seen": "date",
    "aegis.lead": "keyword",
    "aegis.period": "date",
    "aegis.revision": "long",
    "aegis.score": "float",
    "aegis.sensors": "keyword",
    "aegis.status": "keyword",
    "aegis.suppressed.author": "keyword",
    "aegis.suppressed.expires": "date",
    "aegis.suppressed.reason": "keyword",
    "aegis.uids": "keyword",
}
