"""What makes a plan of each intent, by its name in intents.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..plan import Plan
from ..reading import Reading
from ..scope import Scope
from . import advice, alerts, health, incidents, lookups, periods, techniques, timeline, traffic, verdict

Planner = Callable[[Reading, Scope, Mapping[str, Any]], Plan]

PLANNERS: Mapping[str, Planner] = {
    "explain_incident": incidents.explain,
    "list_incidents": incidents.list_all,
    "explain_alert": alerts.explain,
    "compare_periods": periods.compare,
    "what_changed": periods.changed,
    "is_benign": verdict.plan,
    "technique": techniques.technique,
    "coverage": techniques.coverage,
    "next_steps": advice.plan,
    "rank_hosts": alerts.rank,
    "network_health": health.plan,
    "inventory": health.inventory,
    "domain_lookups": lookups.plan,
    "top_talkers": traffic.talkers,
    "contacts": traffic.contacts,
    "host_timeline": timeline.plan,
    "find_alerts": alerts.find,
}
