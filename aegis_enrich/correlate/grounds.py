"""Confidence: how likely an incident is what it says, as odds that each ground multiplies, and the grounds for doubt.

Odds multiply under the assumption that the grounds are independent (naive Bayes); the factors are judgements, stated in
docs/incidents.md, and a site's `rules/correlation/grounds.yml` adds its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..decide.conditions import Conditions
from .acts import Act
from .alert import Alert
from .sequences import Match

# Odds that an alert is what it says, by its severity alone, before anything corroborates it.
BY_SEVERITY = {21: 0.25, 47: 1.0, 73: 3.0, 99: 8.0}
PER_DETECTOR = 2.0  # each further detector, up to MOST_DETECTORS of them
MOST_DETECTORS = 4
PER_TACTIC = 1.5  # each further tactic, up to MOST_DETECTORS
BOTH_SENSORS = 1.5
SINGLE = 0.7  # nothing but one detector
LOSS = 0.8  # packets were lost on the way or at the sensor
MOST = 0.99  # nothing is certain
SIGNATURES = ("suricata_alert",)  # rules that pass on what Suricata's own engine found


@dataclass(frozen=True)
class Ground:
    """A reason to doubt: where it holds for an alert, the odds are multiplied (below 1), and the risk too."""

    id: str
    says: str
    when: Conditions
    odds: float
    risk: float = 1.0


@dataclass(frozen=True)
class Confidence:
    """`value`: 0-1; `doubts`: what speaks against it, a sentence each; `risk`: what is left of the risk for that."""

    value: float
    doubts: tuple[str, ...]
    risk: float

    @property
    def false_positive(self) -> float:
        return round(1.0 - self.value, 2)


def confidence(
    found: Sequence[Act],
    matched: Sequence[Match],
    grounds: Sequence[Ground],
    health: Sequence[Alert],
) -> Confidence:
    """Of the acts of an incident; `health`: alerts on the network's and the sensor's state over its time."""
    alerts = [a for act in found for a in (act.lead, *act.others)]
    odds = BY_SEVERITY[max(a.severity for a in alerts)]
    rules, tactics = {a.rule for a in alerts}, {t for a in alerts for t in a.tactics}
    odds *= PER_DETECTOR ** min(len(rules) - 1, MOST_DETECTORS)
    odds *= PER_TACTIC ** min(max(len(tactics) - 1, 0), MOST_DETECTORS)
    doubts, risk = [], 1.0
    odds *= max((match.sequence.odds for match in matched), default=1.0)
    if len(witnesses(alerts)) > 1:
        odds *= BOTH_SENSORS
    if len(rules) == 1:
        odds *= SINGLE
        doubts.append(f"one detector alone says so ({alerts[0].name})")
    valued = [(act.lead.risk, act.lead.values()) for act in found] if grounds else []
    for ground in grounds:
        share = _share(valued, ground)
        if share:
            odds *= ground.odds**share
            risk *= 1 - (1 - ground.risk) * share
            doubts.append(ground.says if share == 1 else f"{ground.says} (for {round(share * 100)} % of it)")
    if health:
        odds *= LOSS
        doubts.append(f"packets were lost at the time: {health[0].reason}")
    return Confidence(min(round(odds / (1 + odds), 2), MOST), tuple(doubts), risk)


def undoubted(found: Sequence[Act], grounds: Sequence[Ground]) -> list[Act]:
    """The acts whose risk no ground lowers."""
    lowering = [ground for ground in grounds if ground.risk < 1]
    return [act for act in found if not any(g.when.hold(act.lead.values()) for g in lowering)]


def _share(valued: Sequence[tuple[float, Mapping[str, Any]]], ground: Ground) -> float:
    """The part of the incident (its acts, each by its risk) for which the ground holds."""
    whole = sum(risk for risk, _ in valued)
    held = sum(risk for risk, values in valued if ground.when.hold(values))
    return held / whole if whole else 0.0


def witnesses(alerts: Sequence[Alert]) -> list[str]:
    """Who saw it, each with eyes of its own: sensors by name, Suricata's signatures beside the detectors."""
    return sorted({f"{s} (signatures)" if a.rule in SIGNATURES else s for a in alerts for s in a.sensors})
