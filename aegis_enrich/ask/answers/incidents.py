"""Lists and explains incidents; where there are none, what there is: the worst alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...correlate.story import as_text, tell
from ...decide.investigate import Investigate
from ...decide.severities import WORDS
from ..plan import Answer, Columns, Plan, Row, Rows, Step, table
from ..reading import Reading
from ..scope import Scope
from ..times import said
from ..where import at, predicate
from . import alerts
from .alerts import GUIDANCE, SHOWN, counted, when

SQL = """SELECT document, status, revision FROM incidents
WHERE status IN ('open', 'closed')
ORDER BY risk DESC, first_us, incident_id"""
COLUMNS: Columns = {
    "id": lambda d: identity(d)[:8],
    "risk": lambda d: round(at(d, "event.risk_score", 0)),
    "severity": lambda d: WORDS.get(at(d, "event.severity"), ""),
    "status": lambda d: at(d, "aegis.triage.status") or at(d, "aegis.status"),
    "title": "message",
    "alerts": lambda d: at(d, "aegis.alert_count"),
    "stages": lambda d: ", ".join(s.get("name", "") for s in at(d, "aegis.incident.stages", [])),
    "first seen": lambda d: when(at(d, "aegis.first_seen")),
    "last seen": lambda d: when(at(d, "aegis.last_seen")),
}


def identity(doc: Row) -> str:
    return str(at(doc, "event.id") or at(doc, "aegis.incident.id", ""))


def step(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Step:
    """The incidents that a question is about."""
    start, end = scope.alert_span(reading)
    first, last = said(start).replace(" ", "T"), said(end).replace(" ", "T")
    matches = predicate(reading, services)
    severities = {e.value for e in reading.all("severity")}

    def keep(doc: Row) -> bool:
        return (
            matches(doc)
            and (not first or at(doc, "aegis.last_seen", "") >= first)
            and (not last or at(doc, "aegis.first_seen", "") < last)
            and (not severities or at(doc, "event.severity") in severities)
            and reading.first("status") in (None, at(doc, "aegis.triage.status") or at(doc, "aegis.status"))
        )

    asked = ", ".join(dict.fromkeys(str(e) for e in reading.entities if e.kind not in ("id", "limit")))
    return Step(
        "incidents", f"incidents, the worst first{f', with {asked}' if asked else ''}", "incidents", SQL, keep=keep
    )


def list_all(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    return Plan((step(reading, scope, services),), lambda rows: _listed(reading, rows))


def _listed(reading: Reading, rows: Rows) -> Answer:
    found = rows["incidents"]
    if not found:
        return Answer("No such incident is in this state.", found=False, see=("aegis-enrich ask 'show the alerts'",))
    limit = reading.first("limit", SHOWN)
    worst = found[0]
    verb = "is" if len(found) == 1 else "are"
    summary = f"There {verb} {counted(len(found), 'incident')}; the worst is: {worst['message']}"
    return Answer(
        f"{summary} (risk {at(worst, 'event.risk_score', 0):.0f}).",
        (table("incidents", found[:limit], COLUMNS),),
        see=(f"aegis-enrich ask 'explain incident {identity(worst)[:8]}'",),
    )


def explain(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """One incident: that with the id, else the worst (or newest) of those that are meant; else the worst alert."""
    steps = (
        step(reading, scope, services),
        alerts.step(reading, scope, services),
        alerts.step(replace(reading, entities=()), scope, services, name="every"),
        GUIDANCE,
    )
    return Plan(steps, lambda rows: _explained(reading, rows))


def _explained(reading: Reading, rows: Rows) -> Answer:
    found = rows["incidents"]
    if prefix := reading.first("id"):
        found = [d for d in found if identity(d).startswith(prefix)]
        if not found and not any(at(d, "event.id", "").startswith(prefix) for d in rows["alerts"]):
            return Answer(f"No incident's and no alert's id begins with {prefix}.", found=False)
    if not found:
        return _of_alert(reading, rows)
    latest = "latest" in reading.groups
    doc = max(found, key=lambda d: at(d, "aegis.last_seen", "")) if latest else found[0]
    others = f" ({'the newest' if latest else 'the worst'} of {len(found)})" if len(found) > 1 else ""
    hosts = table("hosts", at(doc, "aegis.incident.hosts", []), _HOSTS)
    return Answer(
        f"{at(doc, 'message')}{others}: {at(doc, 'event.reason', '').rstrip('.')}.",
        (hosts,),
        tuple(_told(doc, rows)),
        (f"aegis-enrich incidents explain {identity(doc)[:8]}",),
    )


_HOSTS: Columns = {
    "host": lambda h: h.get("ip") or h.get("name"),
    "role": "role",
    "inside": lambda h: "yes" if h.get("internal") else "no",
    "name": "name",
    "criticality": "criticality",
    "alerts": "alerts",
    "first seen": lambda h: when(h.get("first_seen")),
    "last seen": lambda h: when(h.get("last_seen")),
}


def _told(doc: Row, rows: Rows) -> list[str]:
    """The story as `incidents explain` tells it, with what the rules say of the alerts in it."""
    by_id = {at(d, "event.id"): d for d in rows["every"]}
    rules = rows["guidance"]

    def advice(alert: Mapping[str, Any]) -> Investigate | None:
        whole = by_id.get(alert["id"])
        return alerts.advice(whole, rules) if whole else None

    return as_text(tell(doc, advice)).splitlines()[2:]


def _of_alert(reading: Reading, rows: Rows) -> Answer:
    """What there is where there is no incident."""
    answer = alerts.explained(reading, rows)
    if not answer.found:
        return Answer("No incident and no alert of that kind is in this state.", found=False)
    return Answer(
        f"No such incident is in this state; the worst alert is: {answer.summary}",
        answer.tables,
        answer.lines,
        answer.see,
    )
