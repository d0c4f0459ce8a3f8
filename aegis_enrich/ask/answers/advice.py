"""What to do next: open incidents, then open alerts that are in none, with what their rules say of how to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..plan import Answer, Plan, Row, Rows, Step, table
from ..reading import Reading
from ..scope import Scope
from ..where import at, sources
from . import alerts, incidents
from .alerts import GUIDANCE, counted, when

SHOWN = 5
LEAST = 47  # alerts below medium are not worth a person's next hour, unless there is nothing else


def plan(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:

    reading = _undated(reading, scope)
    steps = (incidents.step(reading, scope, services), alerts.step(reading, scope, services), GUIDANCE)
    failed = Step(
        "failed",
        "windows that could not be evaluated",
        "state",
        "SELECT count(*) FROM windows_failed",
        (),
        ("windows",),
    )
    return Plan((*steps, failed), lambda rows: _told(reading, rows))


def _undated(reading: Reading, scope: Scope) -> Reading:
    """Without times that reach past the newest event: "today" is when the work is done, not when things happened."""
    kept = [e for e in reading.entities if e.kind != "time" or (e.value.end_us or 0) <= scope.now_us]
    return replace(reading, entities=tuple(kept))


def _told(reading: Reading, rows: Rows) -> Answer:
    """Incidents that nobody closed, then alerts outside of them, each with the first thing to do."""
    limit = int(reading.first("limit", SHOWN))
    opened = [d for d in rows["incidents"] if at(d, "aegis.triage.status") != "closed"]
    within = {a.get("id") for d in rows["incidents"] for a in at(d, "aegis.incident.alerts", [])}
    ranked = alerts.by_risk(rows["alerts"])
    alone = [d for d in ranked if at(d, "event.id") not in within]
    worth = [d for d in alone if at(d, "event.severity", 0) >= LEAST] or ([] if opened else alone)
    todo = [_of_incident(d, ranked, rows["guidance"]) for d in opened] + [
        _of_alert(d, rows["guidance"]) for d in _once(worth)
    ]
    if not todo:
        failed = rows["failed"][0]["windows"]
        more = f" {counted(failed, 'window')} could not be evaluated: see `aegis-enrich doctor`." if failed else ""
        return Answer(f"Nothing is open: there is no incident and no alert to work on.{more}", found=False)
    left = f"; then {len(todo) - limit} more" if len(todo) > limit else ""
    first = todo[0]
    return Answer(
        f"First: {first['what']} ({first['why']}){left}.",
        (table("next", todo[:limit], {k: k for k in ("what", "risk", "since", "why", "do", "see")}),),
        see=(first["see"],),
    )


def _once(docs: list[Row]) -> list[Row]:
    """The worst alert of each rule and source: the same act on another day is the same work."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for doc in docs:
        key = (at(doc, "rule.id", ""), " ".join(sorted(sources(doc))))
        if key not in seen:
            seen.add(key)
            kept.append(doc)
    return kept


def _advice(doc: Row, rules: list[Row]) -> list[str]:
    told = alerts.investigation(doc, rules)
    chosen = [t for t in told if t.startswith("would confirm")][:1] + [t for t in told if t.startswith("to do")][:1]
    return [t.partition(": ")[2] for t in chosen] or [f"look at what else {' '.join(sorted(sources(doc))) or 'it'} did"]


def _of_incident(doc: Row, ranked: list[Row], rules: list[Row]) -> Row:
    ids = {a.get("id") for a in at(doc, "aegis.incident.alerts", [])}
    advice = [text for alert in ranked if at(alert, "event.id") in ids for text in _advice(alert, rules)]
    return {
        "what": f"incident: {at(doc, 'message')}",
        "risk": round(at(doc, "event.risk_score", 0)),
        "since": when(at(doc, "aegis.first_seen")),
        "why": at(doc, "event.reason"),
        "do": " ".join(list(dict.fromkeys(advice))[:3]),
        "see": f"aegis-enrich incidents explain {incidents.identity(doc)[:8]}",
    }


def _of_alert(doc: Row, rules: list[Row]) -> Row:
    return {
        "what": f"alert: {at(doc, 'message')}",
        "risk": round(at(doc, "event.risk_score", 0)),
        "since": when(at(doc, "aegis.first_seen")),
        "why": at(doc, "event.reason"),
        "do": " ".join(_advice(doc, rules)),
        "see": f"aegis-enrich alerts show {at(doc, 'event.id', '')[:8]}",
    }
