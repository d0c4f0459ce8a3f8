"""A window's findings to the alerts that they open: what a rule, its overrides and the suppressions make of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..detect.windows import floor_to
from ..plugin import Finding
from .document import Describe, alert_id
from .fold import UIDS, Fold
from .overrides import Verdict
from .rules import DetectorRule, RuleSet
from .seen import Seen, finding_values
from .templates import filled


@dataclass(frozen=True)
class Opened:
    """`alerts`: id, entity, period and fold of each; `suppressed`: by sensor, how many findings became none."""

    alerts: Sequence[tuple[str, Mapping[str, Any], int, Fold]] = ()
    suppressed: Mapping[str, int] = field(default_factory=dict)


def opened_by(rules: RuleSet, rule: DetectorRule, found: Sequence[Finding], describe: Describe) -> Opened:
    """One fold per alert of a window; findings that `group_by` puts together are one.

    A finding that is suppressed, or no alert by an override, counts as suppressed where the rule has a severity for it.
    """
    folds: dict[str, tuple[dict[str, Any], int, Fold]] = {}
    suppressed: Counter[str] = Counter()
    for finding in found:
        values = Seen(finding_values(finding), describe)
        verdict = rule.verdict(finding.score, values, finding.last_us)
        if not verdict.severity or rules.suppressed(rule, values, finding.last_us):
            suppressed[finding.sensor] += bool(verdict.severity or rule.severity(finding.score, values))
            continue
        entity = {c: finding.entity[c] for c in sorted(rule.group_by)}
        period_us = floor_to(finding.period_us, rule.period_us)
        fold = fold_of(finding, verdict, filled(rule.title, values))
        alert = alert_id(rule.id, entity, period_us)
        if alert in folds:
            fold = replace(folds[alert][2] + fold, count=1)
        folds[alert] = (entity, period_us, fold)
    return Opened([(alert, *rest) for alert, rest in folds.items()], +suppressed)


def fold_of(finding: Finding, verdict: Verdict, title: str) -> Fold:
    """A finding as an alert knows it."""
    return Fold(
        count=1,
        first_us=finding.first_us,
        last_us=finding.last_us,
        start_us=finding.window_start_us,
        end_us=finding.window_end_us,
        severity=verdict.severity,
        score=finding.score,
        sensors=(finding.sensor,),
        best={
            "severity": verdict.severity,
            "score": finding.score,
            "time_us": finding.window_end_us,
            "context": {**finding.entity, **finding.context},
            "evidence": dict(finding.evidence),
            "title": title,
            "reason": finding.reason,
            "attack": list(verdict.techniques),
        },
        uids=tuple((n, uid) for n, uid in enumerate(finding.uids[:UIDS])),
    )
