"""The table of ties: by it the alerts that may belong to a changed one are found without reading all."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .alert import Alert
from .settings import Settings
from .ties import DOING, ties

HEALTH = ""  # the tie of what tells of the state of network and sensors: it ties nothing, but has its time


@dataclass(frozen=True, order=True)
class Span:
    """A host or name, and when (µs) something was told of it."""

    tie: str
    first_us: int
    last_us: int


# How an alert stands to a host or name, as the table of ties writes it before the name: it acts or goes there (`a`),
# the same of an alert that only joins others (`l`), it got in (`e`), it tried (`t`); and which of these matter to it.
# Those that only join, or only tried, do not matter to one another: else all of months would hang together.
MATTERS = {"a": "alet", "l": "ae", "e": "al", "t": "a"}


def written_ties(alert: Alert, settings: Settings) -> set[str]:
    """The ties of an alert as the table has them."""
    core = alert.severity >= settings.core_severity
    found = set()
    for name, kind in ties(alert, settings):
        if kind in ("entered", "tried"):
            found |= {f"{kind[0]}:{name}"} if core else set()
        elif core or kind in DOING:
            found.add(f"{'a' if core else 'l'}:{name}")
    return found


def renew_ties(tx: sqlite3.Connection, alert: Alert, only: Collection[str] | None, settings: Settings) -> list[Span]:
    """Writes the ties of an alert (`only` these, where some are given) in the place of those that it had; the old and
    the new ones."""
    old = [Span(*row) for row in tx.execute("SELECT tie, first_us, last_us FROM ties WHERE alert_id = ?", (alert.id,))]
    names = written_ties(alert, settings) if only is None else set(only)
    new = [Span(name, alert.first_us, alert.last_us) for name in sorted(names)]
    if set(old) != set(new):
        tx.execute("DELETE FROM ties WHERE alert_id = ?", (alert.id,))
        tx.executemany("INSERT INTO ties VALUES (?, ?, ?, ?)", [(s.tie, alert.id, s.first_us, s.last_us) for s in new])
    return [*old, *(s for s in new if s not in old)]


def reached(tx: sqlite3.Connection, spans: Iterable[Span], known: Collection[str], settings: Settings) -> set[str]:
    """Ids of the alerts that may be tied to something within these spans, without those that are known."""
    far_us = {"e": settings.carry_us, "t": settings.tried_us}
    found: set[str] = set()
    for span in _merged(spans, 2 * settings.reach_us):
        kind, _, name = span.tie.partition(":")
        for other in MATTERS.get(kind, ""):  # older versions wrote them otherwise
            before_us = 0 if kind in far_us else far_us.get(other, settings.reach_us)
            after_us = 0 if other in far_us else far_us.get(kind, settings.reach_us)
            # of what comes of an entry the beginning counts, so that this ends with the entry's reach
            rows = tx.execute(
                "SELECT alert_id FROM ties WHERE tie = ? AND first_us <= ? AND "
                f"{'first_us' if kind in far_us else 'last_us'} >= ?",
                (f"{other}:{name}", span.last_us + after_us, span.first_us - before_us),
            )
            found |= {alert for (alert,) in rows}
    return found - set(known)


def of_incident(tx: sqlite3.Connection, incidents: Iterable[str]) -> set[str]:
    """Ids of the alerts that were told to be part of these."""
    found: set[str] = set()
    for incident in incidents:
        rows = tx.execute(
            "SELECT alert_id FROM alerts WHERE json_extract(nullif(told, ''), '$.incident.id') = ?", (incident,)
        )
        found |= {alert for (alert,) in rows}
    return found


def _merged(spans: Iterable[Span], gap_us: int) -> list[Span]:
    """The same stretches of time in fewer spans; between those of entries nothing is filled."""
    runs: list[Span] = []
    for span in sorted(set(spans)):
        most_us = gap_us if span.tie[0] in "al" else 0
        if runs and runs[-1].tie == span.tie and span.first_us - runs[-1].last_us <= most_us:
            runs[-1] = Span(span.tie, runs[-1].first_us, max(runs[-1].last_us, span.last_us))
        else:
            runs.append(span)
    return runs
