"""Which deliveries of an alert or incident are told: its opening, a higher severity, its end, each change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from ..plugin import Document

Event = Literal["open", "severity", "update", "close"]
EVENTS: tuple[Event, ...] = ("open", "severity", "update", "close")
SEVERITIES = {"low": 21, "medium": 47, "high": 73, "critical": 99}
REMEMBERED = 2_000  # alerts and incidents of which is known what was told


class Choice:
    """Keeps what was told, by id, so that each document is an event; the sink's mark holds it over a restart.

    An event is against what was told before, not against the revision before: where a sink was away and gets the newest
    revision only, the first that it gets is the opening.
    """

    def __init__(self, least_severity: str, when: tuple[str, ...] | list[str]) -> None:
        """`least_severity`: a word of SEVERITIES; below it nothing is told. `when`: the events that are."""
        self._least, self._when = SEVERITIES[least_severity], frozenset(when)
        self._told: dict[str, int] = {}  # severity; below zero once it is over. The newest last

    def event(self, document: Document) -> Event | None:
        """What this document is; None where its severity is too low ever to be told."""
        severity, known = _severity(document), self._told.get(_key(document))
        if known is None:
            return "open" if severity >= self._least else None
        if _is_over(document) and known > 0:
            return "close"
        return "severity" if severity > abs(known) else "update"

    def is_told(self, event: Event | None) -> bool:
        return event in self._when

    def note(self, document: Document) -> None:
        """It is dealt with: sent, or not to be sent."""
        if self.event(document) is None:
            return
        key = _key(document)
        severity = max(_severity(document), abs(self._told.pop(key, 0)))
        self._told[key] = -severity if _is_over(document) else severity
        if len(self._told) > REMEMBERED:
            del self._told[next((k for k, s in self._told.items() if s < 0), next(iter(self._told)))]

    def mark(self) -> str:
        return json.dumps(self._told, separators=(",", ":"))

    def resume(self, mark: str) -> None:
        """Takes up where this mark was made; "" for a new beginning."""
        said: Mapping[str, Any] = json.loads(mark) if mark.startswith("{") else {}
        self._told = {str(key): int(severity) for key, severity in said.items()}


def _key(document: Document) -> str:
    return f"{document.kind[:1]}{document.id[:16]}"


def _severity(document: Document) -> int:
    return int(document.body.get("event", {}).get("severity") or 0)


def _is_over(document: Document) -> bool:
    return bool(document.body.get("aegis", {}).get("status", "open") != "open")
