"""Alert documents made as the decider makes them, a state that holds them, and the correlation that ships."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.correlate import Correlation, Correlator, load_correlation
from aegis_enrich.correlate.alert import Alert, alert_of
from aegis_enrich.decide.attack import attack
from aegis_enrich.decide.document import iso, risk_score
from aegis_enrich.decide.fold import canonical
from aegis_enrich.store import Store

ROOT = Path(__file__).parents[2]
START_US = 1_780_000_000_000_000  # 2026-05-28 20:26:40
INSIDE = ipaddress.ip_network("10.0.0.0/8")

Document = dict[str, Any]


def made(
    rule: str = "port_scan",
    actor: str | None = "10.0.0.5",
    target: str | None = None,
    *,
    at_s: float = 0,
    for_s: float = 10,
    severity: int = 47,
    score: float = 0.5,
    techniques: Sequence[str] = ("TA0007/T1046",),
    name: str | None = None,
    sensors: Sequence[str] = ("sensor",),
    criticality: str = "",
    **evidence: Any,
) -> Document:
    """An alert document; addresses in 10.0.0.0/8 are inside."""
    first_us = START_US + int(at_s * 1e6)
    doc: Document = {
        "message": f"{rule} by {actor}",
        "event": {
            "id": hashlib.sha256(canonical([rule, actor, target, name, at_s]).encode()).hexdigest()[:32],
            "severity": severity,
            "risk_score": risk_score(severity, score),
            "reason": f"{actor} did {rule} to {target or name}",
        },
        "rule": {"id": rule, "name": rule.replace("_", " ").capitalize()},
        "aegis": {
            "score": score,
            "evidence": evidence,
            "count": 1,
            "first_seen": iso(first_us),
            "last_seen": iso(first_us + int(for_s * 1e6)),
            "uids": [f"C{rule}{n}" for n in range(3)],
            "sensors": list(sensors),
        },
    }
    if techniques:
        doc["aegis"]["attack"] = attack().pairs(techniques)
    if actor:
        doc["source"], doc["aegis"]["source"] = {"ip": actor}, _side(actor, criticality)
    if target:
        doc["destination"], doc["aegis"]["destination"] = {"ip": target}, _side(target, "")
    if name:
        doc.setdefault("destination", {})["domain"] = name
    return doc


def _side(address: str, criticality: str) -> dict[str, Any]:
    inside = ipaddress.ip_address(address) in INSIDE
    side: dict[str, Any] = {"locality": "internal" if inside else "external"}
    if criticality:
        side["asset"] = {"name": f"host {address}", "criticality": criticality}
    return side


def seen(*documents: Document) -> list[Alert]:
    return sorted((alert_of(d) for d in documents), key=lambda a: (a.first_us, a.id))


# An intrusion: from outside into one host, from that into another, which then sends data out.
INTRUSION = (
    made("port_scan", "198.51.100.7", "10.0.0.5", at_s=0, techniques=("TA0043/T1595.001",)),
    made(
        "brute_force",
        "198.51.100.7",
        "10.0.0.5",
        at_s=100,
        severity=99,
        techniques=("TA0006/T1110.001", "TA0001/T1078"),
        got_into=["10.0.0.5"],
    ),
    made("beaconing", "10.0.0.5", "203.0.113.9", at_s=200, for_s=600, severity=21, techniques=("TA0011/T1071",)),
    made("port_scan", "10.0.0.5", at_s=300, hosts_sample=["10.0.0.6", "10.0.0.7"]),
    made(
        "brute_force",
        "10.0.0.5",
        "10.0.0.6",
        at_s=400,
        severity=73,
        techniques=("TA0006/T1110.001", "TA0008/T1021.004"),
        got_into=["10.0.0.6"],
    ),
    made("exfiltration", "10.0.0.6", "203.0.113.8", at_s=900, techniques=("TA0010/T1048.002",)),
)
ELSEWHERE = made("beaconing", "10.0.9.9", "203.0.113.77", at_s=50, severity=73, techniques=("TA0011/T1071",))


@pytest.fixture(scope="session")
def shipped() -> Correlation:
    return load_correlation(ROOT / "rules")


@pytest.fixture
def store(tmp_path: Path) -> Iterable[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


Put = Callable[..., None]


@pytest.fixture
def put(store: Store) -> Put:
    """Opens or revises alerts in the state."""
    return lambda *documents, status="open": put_into(store, documents, status)


def put_into(store: Store, documents: Iterable[Document], status: str = "open") -> None:
    with store.transaction() as tx:
        for doc in documents:
            alert = alert_of(doc)
            tx.execute(
                "INSERT INTO alerts (alert_id, rule_id, detector, period_us, closes_us, status, revision, severity,"
                " score, first_us, last_us, fold, document, pending, delivered_us)"
                " VALUES (?, ?, ?, 0, 0, ?, 1, ?, ?, ?, ?, '', ?, 0, 0) ON CONFLICT (alert_id) DO UPDATE SET"
                " status = excluded.status, severity = excluded.severity, first_us = excluded.first_us,"
                " last_us = excluded.last_us, document = excluded.document, correlated = 0",
                (
                    alert.id,
                    alert.rule,
                    alert.rule,
                    status,
                    alert.severity,
                    alert.score,
                    alert.first_us,
                    alert.last_us,
                    canonical(doc),
                ),
            )


@pytest.fixture
def correlate(store: Store, shipped: Correlation) -> Callable[..., list[Document]]:
    """Runs the correlator; the incidents that live then."""

    def run(*, now_s: float = 0, health: Sequence[str] = ("packet_loss",)) -> list[Document]:
        Correlator(store, shipped, health, lambda: int(now_s * 1e6)).run()
        return living(store)

    return run


def living(store: Store) -> list[Document]:
    rows = store.query("SELECT document FROM incidents WHERE status IN ('open', 'closed') ORDER BY incident_id")
    return [json.loads(text) for (text,) in rows]
