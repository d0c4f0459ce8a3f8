"""Alerts in the state: opened and revised by findings and row hits, closed by marks, put into the outbox when due."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..detect.windows import Window, floor_to
from ..plugin import MICROS, Finding
from ..store.state import add
from .document import Describe, alert_id, document
from .fold import UIDS, Fold, canonical, of_windows
from .row_rules import RowHit, filled
from .rules import DetectorRule, Rule, RuleSet

SUPPRESSED = "suppressed:"  # and the rule's id: the counter of findings (or rows) that a suppression covers
EARLY = "early:"  # and the detector's name: of findings by its early tables, until their window is evaluated
EACH_US = 60 * MICROS  # an open alert whose contents change is delivered at most this often


@dataclass
class Decider:
    """Takes what was found, inside the transactions of others. `now_us` (wall clock) never enters an alert."""

    rules: RuleSet
    describe: Describe
    config_hash: str
    now_us: Callable[[], int]

    def window(
        self,
        tx: sqlite3.Connection,
        detector: str,
        sensor: str,
        window: Window,
        found: Sequence[Finding],
        *,
        early: bool = False,
    ) -> None:
        """Puts a window's findings in the place of those that an earlier evaluation of it gave, and revises alerts.

        What is found `early` takes only the place of what was; beside a finding of the whole window it says nothing.
        """
        rule = self.rules.detectors.get(detector)
        key = (f"{EARLY}{detector}" if early else detector, sensor, window.end_us)
        touched: dict[str, tuple[str, int]] = {}
        before: dict[str, str] = {}
        for replaced in {key, (f"{EARLY}{detector}", sensor, window.end_us)}:
            this = "WHERE detector = ? AND sensor = ? AND end_us = ?"
            for alert, entity_text, period_us, body in tx.execute(
                f"SELECT alert_id, entity, period_us, body FROM findings {this}", replaced
            ):
                touched[alert], before[alert] = (entity_text, period_us), body
            tx.execute(f"DELETE FROM findings {this}", replaced)
        for alert, entity, period_us, fold in self._folds(tx, rule, found, counted=not early) if rule else ():
            touched[alert] = (canonical(entity), period_us)
            tx.execute(
                "INSERT INTO findings (alert_id, detector, sensor, end_us, entity, period_us, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (alert, *key, canonical(entity), period_us, text := fold.text()),
            )
            if early and before.get(alert) == text:  # the same rows again, among which others are new
                del touched[alert]
        for alert, (entity_text, period_us) in sorted(touched.items()):
            self._refold(tx, rule, detector, alert, json.loads(entity_text), period_us)

    def _folds(
        self, tx: sqlite3.Connection, rule: DetectorRule, found: Sequence[Finding], *, counted: bool
    ) -> Iterable[tuple[str, dict[str, Any], int, Fold]]:
        """One fold per alert of a window; findings that `group_by` puts together are one. Suppressed ones are counted
        where `counted`."""
        folds: dict[str, tuple[dict[str, Any], int, Fold]] = {}
        for finding in found:
            values = finding_values(finding)
            if self.rules.suppressed(rule, values, finding.last_us):
                if counted:
                    add(tx, SUPPRESSED + rule.id, finding.sensor, 1)
                continue
            severity = rule.severity(finding.score, values)
            if not severity:
                continue
            entity = {c: finding.entity[c] for c in sorted(rule.group_by)}
            period_us = floor_to(finding.period_us, rule.period_us)
            fold = _of_finding(finding, severity, filled(rule.title, values))
            alert = alert_id(rule.id, entity, period_us)
            if alert in folds:
                both = folds[alert][2] + fold
                fold = replace(both, count=1)
            folds[alert] = (entity, period_us, fold)
        return [(alert, *rest) for alert, rest in folds.items()]

    def _refold(
        self,
        tx: sqlite3.Connection,
        rule: DetectorRule | None,
        detector: str,
        alert: str,
        entity: Mapping[str, Any],
        period_us: int,
    ) -> None:
        rows = tx.execute("SELECT end_us, body FROM findings WHERE alert_id = ?", (alert,)).fetchall()
        if not rows or rule is None:
            self._withdraw(tx, alert)
            return
        fold = of_windows((end_us, Fold.of(body)) for end_us, body in rows)
        spans = (rule.detector.window_s - rule.detector.every_s) * MICROS
        self._revise(tx, rule, detector, alert, entity, period_us, fold, period_us + rule.period_us + spans)

    def rows(self, tx: sqlite3.Connection, hits: Sequence[RowHit]) -> None:
        """Adds row hits to their alerts, in the transaction that commits the rows."""
        folds: dict[str, tuple[RowHit, Fold]] = {}
        for hit in hits:
            if hit.suppressed:
                add(tx, SUPPRESSED + hit.rule.id, hit.fold.sensors[0], hit.fold.count)
                continue
            alert = alert_id(hit.rule.id, hit.entity, hit.period_us)
            folds[alert] = (hit, folds[alert][1] + hit.fold if alert in folds else hit.fold)
        for alert, (hit, fold) in sorted(folds.items()):
            known = tx.execute("SELECT fold FROM alerts WHERE alert_id = ?", (alert,)).fetchone()
            whole = Fold.of(known[0]) + fold if known else fold
            closes_us = hit.period_us + hit.rule.period_us
            self._revise(tx, hit.rule, hit.rule.id, alert, hit.entity, hit.period_us, whole, closes_us)

    def close(self, tx: sqlite3.Connection, detector: str, mark_us: int) -> int:
        """Closes the alerts of a detector (or row rule) whose last window every sensor has passed; how many."""
        due = tx.execute(
            "SELECT alert_id FROM alerts WHERE detector = ? AND status = 'open' AND closes_us <= ?", (detector, mark_us)
        ).fetchall()
        for (alert,) in due:
            self._deliver(tx, alert, "closed")
        return len(due)

    def settle(self, tx: sqlite3.Connection, *, all_of_them: bool = False) -> int:
        """Delivers open alerts whose contents changed and that have waited a minute (or all of them); how many."""
        before_us = 2**62 if all_of_them else self.now_us() - EACH_US
        due = tx.execute(
            "SELECT alert_id, status FROM alerts WHERE pending = 1 AND delivered_us <= ?", (before_us,)
        ).fetchall()
        for alert, status in due:
            self._deliver(tx, alert, status)
        return len(due)

    def _revise(
        self,
        tx: sqlite3.Connection,
        rule: Rule,
        detector: str,
        alert: str,
        entity: Mapping[str, Any],
        period_us: int,
        fold: Fold,
        closes_us: int,
    ) -> None:
        doc = document(
            rule, fold, entity, period_us, detector=detector, describe=self.describe, config_hash=self.config_hash
        )
        text = canonical(doc)
        known = tx.execute(
            "SELECT severity, status, document, delivered_us FROM alerts WHERE alert_id = ?", (alert,)
        ).fetchone()
        if known and known[2] == text and known[1] != "withdrawn":
            return
        tx.execute(
            "INSERT INTO alerts (alert_id, rule_id, detector, period_us, closes_us, status, revision, severity, score,"
            " first_us, last_us, fold, document, pending, delivered_us)"
            " VALUES (?, ?, ?, ?, ?, 'open', 0, ?, ?, ?, ?, ?, ?, 1, 0) ON CONFLICT (alert_id) DO UPDATE SET"
            " closes_us = excluded.closes_us, severity = excluded.severity, score = excluded.score,"
            " first_us = excluded.first_us, last_us = excluded.last_us, fold = excluded.fold,"
            " document = excluded.document, pending = 1,"
            " status = CASE status WHEN 'withdrawn' THEN 'open' ELSE status END",
            (
                alert,
                rule.id,
                detector,
                period_us,
                closes_us,
                fold.severity,
                fold.score,
                fold.first_us,
                fold.last_us,
                fold.text(),
                text,
            ),
        )
        if not known or known[1] != "open" or fold.severity > known[0] or self.now_us() - known[3] >= EACH_US:
            status = "closed" if known and known[1] == "closed" else "open"
            self._deliver(tx, alert, status)

    def _withdraw(self, tx: sqlite3.Connection, alert: str) -> None:
        """A window that was open was evaluated again with more rows, and nothing is left of the alert."""
        if tx.execute("SELECT 1 FROM alerts WHERE alert_id = ? AND status = 'open'", (alert,)).fetchone():
            self._deliver(tx, alert, "withdrawn")

    def _deliver(self, tx: sqlite3.Connection, alert: str, status: str) -> None:
        """Puts the document as it is now into the outbox, under the next revision."""
        tx.execute(
            "UPDATE alerts SET status = ?, revision = revision + 1, pending = 0, delivered_us = ? WHERE alert_id = ?",
            (status, self.now_us(), alert),
        )
        text, revision = tx.execute("SELECT document, revision FROM alerts WHERE alert_id = ?", (alert,)).fetchone()
        body = with_status(json.loads(text), status, revision)
        tx.execute(
            "INSERT INTO outbox (kind, id, revision, body) VALUES ('alert', ?, ?, ?)",
            (alert, revision, canonical(body)),
        )


def with_status(doc: dict[str, Any], status: str, revision: int) -> dict[str, Any]:
    """A document as it is delivered."""
    doc["aegis"] |= {"status": status, "revision": revision}
    return doc


def alert_documents(rows: Iterable[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Documents of (document, status, revision) as the state holds them."""
    return [with_status(json.loads(text), status, revision) for text, status, revision in rows]


def finding_values(finding: Finding) -> dict[str, Any]:
    """What conditions and titles of a detector's rule see: columns, `sensor`, `score`, and `evidence.<name>`."""
    numbers = {f"evidence.{name}": value for name, value in finding.evidence.items()}
    return {**numbers, "sensor": finding.sensor, "score": finding.score, **finding.context, **finding.entity}


def _of_finding(finding: Finding, severity: int, title: str) -> Fold:
    return Fold(
        count=1,
        first_us=finding.first_us,
        last_us=finding.last_us,
        start_us=finding.window_start_us,
        end_us=finding.window_end_us,
        severity=severity,
        score=finding.score,
        sensors=(finding.sensor,),
        best={
            "severity": severity,
            "score": finding.score,
            "time_us": finding.window_end_us,
            "context": {**finding.entity, **finding.context},
            "evidence": dict(finding.evidence),
            "title": title,
            "reason": finding.reason,
        },
        uids=tuple((n, uid) for n, uid in enumerate(finding.uids[:UIDS])),
    )
