"""Hosts ranked by risk: the incidents' formula over what each one does, alone, without what others did to it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..store import Store
from .alert import Alert, Host, alert_of
from .incident import incident_of
from .load import Correlation
from .order import by_risk


@dataclass(frozen=True)
class Ranked:
    """A host with its risk (0-100), its alerts, the tactics of these, and the worst one's reason."""

    host: Host
    risk: float
    severity: int
    alerts: tuple[Alert, ...]
    tactics: tuple[str, ...]
    reason: str


def rank(
    store: Store, rules: Correlation, health: Collection[str] = (), *, since_us: int | None = None
) -> list[Ranked]:
    """Every address that acts in an alert (seen since then), the worst first."""
    rows = store.query(
        "SELECT document, status FROM alerts WHERE status != 'withdrawn' AND last_us >= ? ORDER BY first_us, alert_id",
        [-(2**62) if since_us is None else since_us],
    )
    return rank_alerts((alert_of(json.loads(text), status) for text, status in rows), rules, health)


def rank_alerts(alerts: Iterable[Alert], rules: Correlation, health: Collection[str] = ()) -> list[Ranked]:
    """Every address that acts in one of these alerts, the worst first."""
    by_host: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        if alert.rule not in health and alert.actor:
            by_host[alert.actor].append(alert)
    return sorted((_ranked(h, found, rules) for h, found in by_host.items()), key=lambda r: (-r.risk, r.host.address))


def _ranked(address: str, alerts: list[Alert], rules: Correlation) -> Ranked:
    whole = incident_of(alerts, rules)
    worst = min(alerts, key=by_risk)
    return Ranked(
        host=worst.hosts.get(address, Host(address)),
        risk=whole.risk.score,
        severity=worst.severity,
        alerts=whole.alerts,
        tactics=tuple(dict.fromkeys(t for a in whole.alerts for t in a.tactics)),
        reason=worst.reason,
    )
