"""Keeps the state's incidents what its alerts make of them: only the groups that changed are made anew."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..decide.decider import EACH_US
from ..decide.fold import canonical
from ..store import Store
from ..store.triage import Triage
from .acts import relations
from .alert import Alert, alert_of
from .incident import Incident, document, incident_of, with_state
from .load import Correlation
from .nearby import HEALTH, Span, of_incident, reached, renew_ties
from .read import triage_of
from .ties import groups

AT_ONCE = 500  # alerts
SHAPE = 3  # goes up with every change to how incidents are made, so that those in a state are made anew


@dataclass
class Correlator:
    """Run it after alerts changed, and at the end. `now_us` (wall clock) never enters an incident.

    `health`: ids of the rules that tell of the state of network and sensors and of no attacker.
    """

    store: Store
    rules: Correlation
    health: Collection[str]
    now_us: Callable[[], int]

    def __post_init__(self) -> None:
        self._triage = Triage(self.store.root)
        known = dict(self.store.query("SELECT key, value FROM meta WHERE key IN ('correlation', 'triage')"))
        self._said = int(known.get("triage", 0))
        self._made_by = " ".join((str(SHAPE), self.rules.hash, *sorted(self.health)))
        self._anew = known.get("correlation") != self._made_by

    def run(self, *, all_of_them: bool = False) -> int:
        """Correlates alerts that changed since the last run, in one transaction; how many these were.

        At most AT_ONCE of them, so that nobody waits long for it, and delivers what has waited a minute. With
        `all_of_them` it goes on until all are correlated and delivered.
        """
        done = self._some(all_of_them=all_of_them)
        while all_of_them and self.store.query("SELECT 1 FROM alerts WHERE correlated = 0 LIMIT 1"):
            done += self._some(all_of_them=True)
        return done

    def _begin_anew(self) -> None:
        """Under other rules than those that it was made by, every alert is looked at again."""
        with self.store.transaction() as tx:
            tx.execute("UPDATE alerts SET correlated = 0")
            tx.execute("INSERT OR REPLACE INTO meta VALUES ('correlation', ?)", [self._made_by])
        self._anew = False

    def _some(self, *, all_of_them: bool) -> int:
        if self._anew:
            self._begin_anew()
        changed = [
            i for (i,) in self.store.query("SELECT alert_id FROM alerts WHERE correlated = 0 LIMIT ?", [AT_ONCE])
        ]
        done = 0
        waiting = self.store.query("SELECT 1 FROM incidents WHERE pending = 1 LIMIT 1")
        if changed or waiting or self._triage.stamp() != self._said:
            with self.store.transaction() as tx:
                if changed:
                    done = self._correlate(tx, changed)
                self._note_triage(tx)
                self._settle(tx, all_of_them=all_of_them)
        return done

    def _correlate(self, tx: sqlite3.Connection, changed: Sequence[str]) -> int:
        settings = self.rules.settings
        alerts, told, renewed = self._around(tx, changed)
        healthy = [a for a in alerts.values() if a.rule not in self.health and a.status != "withdrawn"]
        found = groups(healthy, settings)
        worse = self._health(tx, [a for group in found for a in group.alerts], renewed)
        incidents = [incident_of(group.alerts, self.rules, worse, crowd=group.crowd) for group in found]
        real = [i for i in incidents if i.risk.score >= settings.least_risk]
        for incident in real:
            self._put(tx, incident, alerts)
        self._end(tx, told, real)
        self._tell(tx, alerts, told, incidents, {i.id for i in real})
        tx.executemany("UPDATE alerts SET correlated = 1 WHERE alert_id = ?", [(i,) for i in sorted(renewed)])
        return len(renewed)

    def _around(
        self, tx: sqlite3.Connection, changed: Iterable[str]
    ) -> tuple[dict[str, Alert], dict[str, Mapping[str, Any]], set[str]]:
        """The changed alerts and all that are, were or may be tied to them, and what was told of each; which of these
        had changed, too: their ties are renewed."""
        alerts: dict[str, Alert] = {}
        told: dict[str, Mapping[str, Any]] = {}
        renewed: set[str] = set()
        incidents: set[str] = set()
        more = set(changed)
        while more:
            found = _load(tx, sorted(more))
            spans: list[Span] = []
            for alert, said, known in found:
                alerts[alert.id], told[alert.id] = alert, said
                spans += _spans(tx, alert) if known else self._renew(tx, alert)
                renewed |= set() if known else {alert.id}
            named = {said["incident"]["id"] for _, said, _ in found if "incident" in said} - incidents
            incidents |= named
            more = reached(tx, (s for s in spans if s.tie != HEALTH), set(alerts), self.rules.settings)
            more |= of_incident(tx, named) | _at_the_time(tx, [s for s in spans if s.tie == HEALTH])
            more -= set(alerts)
        return alerts, told, renewed

    def _renew(self, tx: sqlite3.Connection, alert: Alert) -> list[Span]:
        """Writes an alert's ties as they are now; these and those that it had."""
        ignored = (HEALTH,) if alert.rule in self.health else ()
        return renew_ties(
            tx,
            alert,
            () if alert.status == "withdrawn" else ignored or None,
            self.rules.settings,
        )

    def _health(self, tx: sqlite3.Connection, alerts: Sequence[Alert], renewed: Collection[str]) -> list[Alert]:
        """The alerts on network and sensors over the time of these; what changed since the correlator looked at it
        counts once that is renewed, with all over whose time it was and is."""
        if not alerts or not self.health:
            return []
        marks = ", ".join("?" * len(self.health))
        rows = tx.execute(
            f"SELECT alert_id, correlated, document, status FROM alerts WHERE rule_id IN ({marks})"
            " AND status != 'withdrawn' AND first_us <= ? AND last_us >= ? ORDER BY first_us, alert_id",
            [*sorted(self.health), max(a.last_us for a in alerts), min(a.first_us for a in alerts)],
        )
        return [alert_of(json.loads(text), status) for i, known, text, status in rows if known or i in renewed]

    def _put(self, tx: sqlite3.Connection, incident: Incident, alerts: Mapping[str, Alert]) -> None:
        """Opens or revises an incident; delivers it at once where it is new, worse, closed or alive again."""
        text = canonical(document(incident))
        status = "closed" if all(alerts[a.id].status == "closed" for a in incident.alerts) else "open"
        known = tx.execute(
            "SELECT document, status, severity FROM incidents WHERE incident_id = ?", (incident.id,)
        ).fetchone()
        if known and known[:2] == (text, status):
            return
        tx.execute(
            "INSERT INTO incidents (incident_id, first_us, last_us, severity, risk, status, revision, document,"
            " pending, delivered_us) VALUES (?, ?, ?, ?, ?, ?, 0, ?, 1, 0) ON CONFLICT (incident_id) DO UPDATE SET"
            " first_us = excluded.first_us, last_us = excluded.last_us, severity = excluded.severity,"
            " risk = excluded.risk, status = excluded.status, merged_into = '', document = excluded.document,"
            " pending = 1",
            (
                incident.id,
                incident.first_us,
                incident.last_us,
                incident.severity,
                incident.risk.score,
                status,
                text,
            ),
        )
        if not known or status != known[1] or incident.severity > known[2]:
            self._deliver(tx, incident.id)

    def _end(self, tx: sqlite3.Connection, told: Mapping[str, Mapping[str, Any]], real: Sequence[Incident]) -> None:
        """What these alerts were told to be and is no more: part of another now, or nothing."""
        now = {a.id: i.id for i in real for a in i.alerts}
        before: dict[str, list[str]] = {}
        for alert, said in told.items():
            if "incident" in said:
                before.setdefault(said["incident"]["id"], []).append(alert)
        for incident in sorted(set(before) - {i.id for i in real}):
            heirs = sorted(now[a] for a in before[incident] if a in now)
            into = max(dict.fromkeys(heirs), key=heirs.count, default="")
            ended = tx.execute(
                "UPDATE incidents SET status = ?, merged_into = ? WHERE incident_id = ?",
                ("merged" if into else "withdrawn", into, incident),
            )
            if ended.rowcount:  # retention may have taken it
                self._deliver(tx, incident)

    def _tell(
        self,
        tx: sqlite3.Connection,
        alerts: Mapping[str, Alert],
        told: Mapping[str, Mapping[str, Any]],
        incidents: Sequence[Incident],
        real: Collection[str],
    ) -> None:
        """Writes to each alert which incident it is part of, and which alerts tell of the same act."""
        say: dict[str, dict[str, Any]] = {}
        for incident in incidents:
            for alert, (lead, others) in relations(incident.acts).items():
                said: dict[str, Any] = {"incident": {"id": incident.id}} if incident.id in real else {}
                if lead:
                    said["lead"] = lead
                if others:
                    said["corroborated_by"] = [{"id": a.id, "rule": a.rule, "reason": a.reason} for a in others]
                say[alert] = said
        changes = [
            (canonical(now) if (now := say.get(alert, {})) else "", alert)
            for alert in sorted(alerts)
            if say.get(alert, {}) != told.get(alert, {})
        ]
        tx.executemany("UPDATE alerts SET told = ?, pending = 1 WHERE alert_id = ?", changes)

    def _note_triage(self, tx: sqlite3.Connection) -> None:
        """What analysts said since, also while nothing ran: the incidents they meant are delivered with it."""
        stamp = self._triage.stamp()
        if stamp != self._said:
            meant = self._triage.since(self._said)
            tx.executemany("UPDATE incidents SET pending = 1 WHERE incident_id = ?", [(i,) for i in sorted(meant)])
            tx.execute("INSERT OR REPLACE INTO meta VALUES ('triage', ?)", [str(stamp)])
            self._said = stamp

    def _settle(self, tx: sqlite3.Connection, *, all_of_them: bool) -> None:
        before_us = 2**62 if all_of_them else self.now_us() - EACH_US
        due = tx.execute("SELECT incident_id FROM incidents WHERE pending = 1 AND delivered_us <= ?", (before_us,))
        for (incident,) in due.fetchall():
            self._deliver(tx, incident)

    def _deliver(self, tx: sqlite3.Connection, incident: str) -> None:
        """Puts the document as it is now into the outbox, under the next revision."""
        tx.execute(
            "UPDATE incidents SET revision = revision + 1, pending = 0, delivered_us = ? WHERE incident_id = ?",
            (self.now_us(), incident),
        )
        text, status, revision, into = tx.execute(
            "SELECT document, status, revision, merged_into FROM incidents WHERE incident_id = ?", (incident,)
        ).fetchone()
        body = with_state(json.loads(text), status, revision, triage_of(tx, self._triage.latest(), incident), into)
        tx.execute(
            "INSERT INTO outbox (kind, id, revision, body) VALUES ('incident', ?, ?, ?)",
            (incident, revision, canonical(body)),
        )


def _load(tx: sqlite3.Connection, ids: Iterable[str]) -> list[tuple[Alert, Mapping[str, Any], bool]]:
    """Alerts, what was told of each, and whether its ties are those that it has now."""
    found = []
    for alert in ids:
        row = tx.execute(
            "SELECT document, status, told, correlated FROM alerts WHERE alert_id = ?", (alert,)
        ).fetchone()
        if row:  # retention may have taken it since it was named
            text, status, said, known = row
            found.append((alert_of(json.loads(text), status), json.loads(said) if said else {}, bool(known)))
    return found


def _spans(tx: sqlite3.Connection, alert: Alert) -> list[Span]:
    return [Span(*row) for row in tx.execute("SELECT tie, first_us, last_us FROM ties WHERE alert_id = ?", (alert.id,))]


def _at_the_time(tx: sqlite3.Connection, health: Iterable[Span]) -> set[str]:
    """The alerts of incidents over whose time the state of network or sensors is, or was, told otherwise."""
    found: set[str] = set()
    for span in health:
        rows = tx.execute(
            "SELECT document FROM incidents WHERE first_us <= ? AND last_us >= ? AND status IN ('open', 'closed')",
            (span.last_us, span.first_us),
        )
        found |= {a["id"] for (text,) in rows for a in json.loads(text)["aegis"]["incident"]["alerts"]}
    return found
