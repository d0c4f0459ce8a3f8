"""Runs the tests inside rules the way that rows go: into segments, hours and windows, findings and alerts."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..detect.evaluate import Limits
from ..detect.scheduler import Scheduler, Watch
from ..detect.windows import Window
from ..enrich import Enrichment
from ..errors import Problems
from ..plugin import DerivedTable, Finding
from ..registry import Registry
from ..store import Rows, Store
from .attack import attack
from .cases import PARTS, Case, Expectation
from .decider import SUPPRESSED, Decider
from .fold import Fold
from .made_rows import make_rows
from .row_rules import evaluate_rows
from .rules import DetectorRule, RowRule, RuleSet
from .severities import WORDS


@dataclass(frozen=True)
class Bench:
    """What tests run on: the installed enrichers without any settings (so they know no site), and derived tables."""

    enrichment: Enrichment
    tables: Mapping[str, type[DerivedTable]]

    @classmethod
    def of(cls, registry: Registry) -> Bench:
        return cls(Enrichment([kind({}) for kind in registry.enrichers.values()]), registry.tables)


@dataclass(frozen=True)
class Outcome:
    """What came of one test; `problems` is empty where it passed, else `file:line: what differs`."""

    rule_id: str
    name: str
    where: str
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Alert:
    """As much of an alert as a test can ask for."""

    severity: int
    parts: Mapping[str, Mapping[str, Any]]
    reason: str
    techniques: Sequence[str]


def run_tests(rules: Sequence[DetectorRule | RowRule], bench: Bench) -> Iterator[Outcome]:
    """Every test of these rules, in their order, as the rules are written: what the site makes of them is left out."""
    for rule in (r.written or r for r in rules):
        for case in rule.tests:
            yield Outcome(rule.id, case.name, case.where, tuple(run_case(rule, case, bench)))


def run_case(rule: DetectorRule | RowRule, case: Case, bench: Bench) -> list[str]:
    """What differs from what a test expects; empty where nothing does."""
    try:
        rows = make_rows(case, bench.enrichment)
    except Problems as error:
        return [str(p) for p in error.problems]
    with tempfile.TemporaryDirectory(prefix="aegis-test-") as folder, Store(Path(folder) / "state") as store:
        tuned = rule if case.tuning is None else replace(rule, tuning=case.tuning)
        run = _Run(tuned, bench, store, case.site)
        run.take(rows)
        failed = [f"{case.where}: a window failed: {error}" for error in run.failures()]
        return failed or [f"{case.expect.where}: {d}" for d in _differences(case.expect, run.alerts(), run)]


class _Run:
    """One rule over rows of one test, as at the end of the input."""

    def __init__(
        self, rule: DetectorRule | RowRule, bench: Bench, store: Store, site: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.rule, self.bench, self.store, self.site = rule, bench, store, site
        self.rules = RuleSet.of([rule])
        self.decider = Decider(self.rules, self._describe, "", lambda: 0)
        self.found: list[Finding] = []

    def _describe(self, kind: Literal["address", "domain"], value: str) -> Mapping[str, Any]:
        said = self.site.get(value, {}) if kind == "address" else {}
        return {**self.bench.enrichment.describe(kind, value), **said}

    def take(self, groups: Sequence[Rows]) -> None:
        self.store.flush(groups, [])
        if isinstance(self.rule, DetectorRule):
            self._detect({g.sensor for g in groups})
        else:
            hits = [h for g in groups for h in evaluate_rows(self.rules, g.table, g.sensor, g.rows, self._describe)]
            with self.store.transaction() as tx:
                self.decider.rows(tx, hits)

    def _detect(self, sensors: set[str]) -> None:
        assert isinstance(self.rule, DetectorRule)
        watch = Watch(self.rule.detector, self.rule.tuning, self.rule.lateness_s)
        scheduler = Scheduler(
            self.store,
            [watch],
            self.bench.tables,
            self.bench.enrichment.schema,
            self._decide,
            lambda tx, unit: None,
            Limits(threads=1),
        )
        for job in (job for group in scheduler.finish(sorted(sensors)) for job in group):
            job.run_here()

    def _decide(
        self,
        tx: sqlite3.Connection,
        detector: str,
        sensor: str,
        window: Window,
        found: Sequence[Finding],
        *,
        early: bool = False,
    ) -> None:
        self.found += found
        self.decider.window(tx, detector, sensor, window, found)

    def failures(self) -> list[str]:
        return [str(error) for (error,) in self.store.query("SELECT DISTINCT error FROM windows_failed")]

    def alerts(self) -> list[Alert]:
        rows = self.store.query("SELECT fold, document FROM alerts WHERE status != 'withdrawn' ORDER BY alert_id")
        return [_alert(Fold.of(fold), document) for fold, document in rows]

    def why_none(self) -> str:
        """Why there is no alert, where that can be told."""
        if any(name.startswith(SUPPRESSED) for name, _ in self.store.counters()):
            return "what was found is suppressed"
        if isinstance(self.rule, RowRule):
            return "no row meets `where`"
        if not self.found:
            return "the detector found nothing"
        worst = max(self.found, key=lambda f: f.score)
        return f"no line of severity holds for the finding of score {worst.score}: {worst.reason}"


def _alert(fold: Fold, document: str) -> Alert:
    body = json.loads(document)
    parts = {"entity": body["aegis"]["entity"], "context": fold.best["context"], "evidence": fold.best["evidence"]}
    return Alert(fold.severity, parts, str(fold.best["reason"]), fold.best["attack"])


def _differences(expect: Expectation, alerts: Sequence[Alert], run: _Run) -> Iterator[str]:
    if len(alerts) != expect.alerts:
        said = "; ".join(f"{WORDS[a.severity]}: {a.reason}" for a in alerts[:3])
        some = f", {len(alerts) - 3} more" if len(alerts) > 3 else ""
        yield f"{_number(len(alerts))} came, {_number(expect.alerts)} expected ({said + some or run.why_none()})"
        return
    for alert in alerts:
        if expect.severity is not None and alert.severity != expect.severity:
            yield f"severity is {WORDS[alert.severity]}, expected {WORDS[expect.severity]} ({alert.reason})"
        if expect.techniques is not None and _pairs(alert.techniques) != _pairs(expect.techniques):
            yield f"attack is {_said(alert.techniques)}, expected {_said(expect.techniques)} ({alert.reason})"
        for part in PARTS:
            for condition in expect.parts[part].each if part in expect.parts else ():
                value = alert.parts[part].get(condition.field)
                if not condition.holds(value):
                    yield f"{part}: {condition.field} is {value!r}, expected {condition} ({alert.reason})"


def _pairs(techniques: Sequence[str]) -> list[tuple[str, str]]:
    return sorted(attack().resolve(techniques))


def _said(techniques: Sequence[str]) -> str:
    return ", ".join(techniques) or "none"


def _number(alerts: int) -> str:
    return f"{alerts or 'no'} alert{'' if alerts == 1 else 's'}"
