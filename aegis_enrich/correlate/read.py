"""Incidents as the state holds them, with what analysts said of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from ..store import Store
from ..store.triage import Said, Triage
from .incident import with_state

LIVING = "status IN ('open', 'closed')"


def incident_documents(store: Store, where: str = LIVING, values: tuple[object, ...] = ()) -> list[dict[str, Any]]:
    """Documents of incidents, the worst first (risk, then time), with their triage."""
    said = Triage(store.root).latest()
    rows = store.query(
        "SELECT incident_id, document, status, revision, merged_into FROM incidents"
        f" WHERE {where} ORDER BY risk DESC, first_us, incident_id",
        values,
    )
    merged = _taken_in(dict(store.query(_MERGED))) if said.marks else {}
    return [
        with_state(json.loads(text), status, revision, said.of(incident, merged), into)
        for incident, text, status, revision, into in rows
    ]


def resolve(store: Store, incident: str) -> str:
    """The id of the incident that one with this id has become part of; the id itself where it has not."""
    return _heir(dict(store.query(_MERGED)), incident)


def triage_of(tx: sqlite3.Connection, said: Said, incident: str) -> Mapping[str, Any] | None:
    """What was said of an incident and of those that it took in."""
    return said.of(incident, _taken_in(dict(tx.execute(_MERGED).fetchall()))) if said.marks else None


_MERGED = "SELECT incident_id, merged_into FROM incidents WHERE merged_into != ''"


def _heir(into: Mapping[str, str], incident: str) -> str:
    while incident in into:
        incident = into[incident]
    return incident


def _taken_in(into: Mapping[str, str]) -> dict[str, list[str]]:
    """By incident: the ids that it has taken in, itself or through others."""
    found: dict[str, list[str]] = {}
    for old in into:
        found.setdefault(_heir(into, old), []).append(old)
    return found
