"""The alert document: ECS 8, the same in NDJSON and in Elasticsearch; no clock, no path, no offset is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ..plugin import CONTEXT
from ..prefixes import is_address
from .attack import attack
from .fields import SIDES, of_end
from .fold import Fold, canonical
from .rules import Rule

ECS_VERSION = "8.17.0"
REASON_CHARACTERS = 1024
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Risk lies in the band of the severity and rises with the score in it, so that a sure low never outranks a weak high.
RISK_BANDS = {21: (1.0, 46.0), 47: (47.0, 72.0), 73: (73.0, 98.0), 99: (99.0, 100.0)}

Describe = Callable[[Literal["address", "domain"], str], Mapping[str, Any]]


def alert_id(rule_id: str, entity: Mapping[str, Any], period_us: int) -> str:
    """A hash of rule, entity and period: no clock, no offset, no path, no sensor."""
    return hashlib.sha256(canonical([rule_id, entity, period_us]).encode()).hexdigest()[:32]


def risk_score(severity: int, score: float) -> float:
    """0-100: the band of the severity, and where in it the score (0.0-1.0) lies."""
    low, high = RISK_BANDS[severity]
    return round(low + (high - low) * min(max(score, 0.0), 1.0), 2)


def document(
    rule: Rule,
    fold: Fold,
    entity: Mapping[str, Any],
    period_us: int,
    *,
    detector: str,
    describe: Describe,
    config_hash: str,
) -> dict[str, Any]:
    """What an alert is, as nested ECS; status and revision are added where it is delivered."""
    best = fold.best
    values = {**entity, **best["context"]}
    techniques = tuple(best.get("attack", rule.attack))
    doc: dict[str, Any] = {
        "@timestamp": iso(fold.first_us),
        "message": best.get("title") or rule.name,
        "ecs": {"version": ECS_VERSION},
        "event": {
            "id": alert_id(rule.id, entity, period_us),
            "kind": "alert",
            "category": ["intrusion_detection", "network"],
            "type": ["info"],
            "module": "aegis",
            "dataset": "aegis.alerts",
            "provider": "aegis-enrich",
            "action": f"{rule.id.replace('_', '-')}-detected",
            "severity": fold.severity,
            "risk_score": risk_score(fold.severity, fold.score),
            "reason": best["reason"][:REASON_CHARACTERS],
            "start": iso(fold.start_us),
            "end": iso(fold.end_us),
        },
        "rule": {
            "id": rule.id,
            "name": rule.name,
            "description": rule.description,
            "version": rule.version,
            "ruleset": "aegis-enrich",
        },
        "observer": {"vendor": "AegisEnrich", "product": "aegis-enrich", "type": "ids", "name": list(fold.sensors)},
        "aegis": {
            "detector": detector,
            "score": fold.score,
            "evidence": best["evidence"],
            "entity": dict(entity),
            "period": iso(period_us),
            "count": fold.count,
            "first_seen": iso(fold.first_us),
            "last_seen": iso(fold.last_us),
            "uids": [uid for _, uid in fold.uids],
            "sensors": list(fold.sensors),
            "config_hash": config_hash,
        },
    }
    if rule.references:
        doc["rule"]["reference"] = list(rule.references)
    if rule.false_positives:
        doc["aegis"]["false_positives"] = list(rule.false_positives)
    if threat := attack().threat(techniques):
        doc["threat"] = threat
        doc["aegis"]["attack"] = attack().pairs(techniques)
        doc["aegis"]["attack_version"] = attack().version
    _place(doc, values, describe)
    return doc


def _place(doc: dict[str, Any], values: Mapping[str, Any], describe: Describe) -> None:
    """Puts addresses, ports, names and protocols where ECS has them, described, and into `related`."""
    for column, path in CONTEXT.items():
        if path and values.get(column) is not None:
            _set(doc, path, values[column])
    ips, hosts = set(), set()
    for side in SIDES:
        end = doc.get(side, {})
        if "ip" in end and not is_address(end["ip"]):
            end.setdefault("domain", end.pop("ip"))
        if "domain" in end:
            hosts.add(end["domain"])
            _describe(doc, side, describe("domain", end["domain"]))
        if "ip" in end:
            ips.add(end["ip"])
            _describe(doc, side, describe("address", end["ip"]))
    related = {"ip": sorted(ips), "hosts": sorted(hosts)}
    if any(related.values()):
        doc["related"] = {k: v for k, v in related.items() if v}


def _describe(doc: dict[str, Any], side: str, facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        _set(doc, of_end(side, name), value)


def _set(doc: dict[str, Any], path: str, value: Any) -> None:
    *heads, tail = path.split(".")
    for head in heads:
        doc = doc.setdefault(head, {})
    doc[tail] = value


def iso(time_us: int) -> str:
    """A time as ECS has it, in UTC with microseconds."""
    moment = EPOCH + timedelta(microseconds=time_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "Z"
