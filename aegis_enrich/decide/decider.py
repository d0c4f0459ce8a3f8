"""Alerts in the state: opened and revised by findings and row hits, closed by marks, put into the outbox when due."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..detect.windows import Window
from ..plugin import MICROS, Finding
from ..store.state import add
from .document import Describe, alert_id, document
from .findings import Opened, opened_by
from .fold import Fold, canonical, of_windows
from .row_rules import RowHit
from .rules import DetectorRule, Rule, RuleSet
from .standing import suppressed_fold, with_reason
from .suppression import Suppression

SUPPRESSED = "suppressed:"  # and the rule's id: the counter of findings (or rows) that a suppression covers
OPENED = "opened:"  # rule's id, severity: the counter of alerts, by the severity with which they opened
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
        opened = opened_by(self.rules, rule, found, self.describe) if rule else Opened()
        for by_sensor, number in opened.suppressed.items() if not early else ():
            add(tx, f"{SUPPRESSED}{rule.id if rule else detector}", by_sensor, number)
        for alert, entity, period_us, fold in opened.alerts:
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

    def _refold(
        self,
        tx: sqlite3.Connection,
        rule: DetectorRule | None,
        detector: str,
        alert: str,
        entity: Mapping[str, Any],
        period_us: int,
    ) -> None:
        fold, by = self._left(tx, rule, alert, entity) if rule else (None, None)
        if rule is None or fold is None:
            self._withdraw(tx, alert, by)
            return
        spans = (rule.detector.window_s - rule.detector.every_s) * MICROS
        self._revise(tx, rule, detector, alert, entity, period_us, fold, period_us + rule.period_us + spans)

    def _left(
        self, tx: sqlite3.Connection, rule: DetectorRule, alert: str, entity: Mapping[str, Any]
    ) -> tuple[Fold | None, Suppression | None]:
        """The fold of an alert's findings that no suppression in force covers, and one that covers others."""
        left, covers = [], []
        for end_us, body in tx.execute("SELECT end_us, body FROM findings WHERE alert_id = ?", (alert,)):
            fold = Fold.of(body)
            by = suppressed_fold(self.rules, rule, fold, entity, self.describe)
            covers += [by] if by else []
            left += [] if by else [(end_us, fold)]
        return (of_windows(left) if left else None), next(iter(covers), None)

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
            known = tx.execute(
                "SELECT fold FROM alerts WHERE alert_id = ? AND status != 'withdrawn'", (alert,)
            ).fetchone()
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
            " document = excluded.document, pending = 1, correlated = 0,"
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
        if not known:
            add(tx, f"{OPENED}{rule.id}:{fold.severity}", "", 1)
        if not known or known[1] != "open" or fold.severity > known[0] or self.now_us() - known[3] >= EACH_US:
            status = "closed" if known and known[1] == "closed" else "open"
            self._deliver(tx, alert, status)

    def review(self, tx: sqlite3.Connection) -> int:
        """Puts the alerts that are not closed under the suppressions in force: withdraws what these cover, and opens
        what they no longer do; how many changed."""
        before = tx.total_changes
        for alert, detector, rule_id, period_us, status, text, document_text in tx.execute(
            "SELECT alert_id, detector, rule_id, period_us, status, fold, document FROM alerts WHERE status != 'closed'"
            " ORDER BY alert_id"
        ).fetchall():
            rule = self.rules.get(rule_id)
            if rule is None:
                continue
            entity = json.loads(document_text)["aegis"]["entity"]
            if isinstance(rule, DetectorRule):
                fold, _ = self._left(tx, rule, alert, entity)
                if status == "withdrawn" or fold is None or fold.text() != text:
                    self._refold(tx, rule, detector, alert, entity, period_us)
                continue
            by = suppressed_fold(self.rules, rule, Fold.of(text), entity, self.describe)
            if by is not None:
                self._withdraw(tx, alert, by)
            elif status == "withdrawn":
                self._deliver(tx, alert, "open")
        return tx.total_changes - before

    def _withdraw(self, tx: sqlite3.Connection, alert: str, by: Suppression | None = None) -> None:
        """Nothing is left of an alert: a window that was open was evaluated again with more rows, or all that was
        found is suppressed."""
        if tx.execute("SELECT 1 FROM alerts WHERE alert_id = ? AND status = 'open'", (alert,)).fetchone():
            self._deliver(tx, alert, "withdrawn", by)

    def _deliver(self, tx: sqlite3.Connection, alert: str, status: str, by: Suppression | None = None) -> None:
        """Puts the document as it is now into the outbox, under the next revision."""
        tx.execute(
            "UPDATE alerts SET correlated = correlated * (status = ?1), status = ?1, revision = revision + 1,"
            " pending = 0, delivered_us = ?2 WHERE alert_id = ?3",
            (status, self.now_us(), alert),
        )
        text, revision, told = tx.execute(
            "SELECT document, revision, told FROM alerts WHERE alert_id = ?", (alert,)
        ).fetchone()
        body = with_status(json.loads(text), status, revision, told)
        body = with_reason(body, by) if by else body
        tx.execute(
            "INSERT INTO outbox (kind, id, revision, body) VALUES ('alert', ?, ?, ?)",
            (alert, revision, canonical(body)),
        )


STORED = "document, status, revision, told"  # columns of an alert that `alert_documents` reads


def with_status(doc: dict[str, Any], status: str, revision: int, told: str = "") -> dict[str, Any]:
    """A document as it is delivered; `told`: what the correlator says of it, as JSON."""
    doc["aegis"] |= {"status": status, "revision": revision, **(json.loads(told) if told else {})}
    return doc


def alert_documents(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Documents of rows with the columns STORED, as the state holds them."""
    return [with_status(json.loads(text), status, revision, *told) for text, status, revision, *told in rows]
