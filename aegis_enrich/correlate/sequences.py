"""Sequences: stages that, together, mean more than each alone; found in an incident's alerts by their first times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..decide.conditions import Conditions
from .alert import Alert

SAME = ("actor", "target", "place", "sensor", "rule")
ALERTS = 400  # of a stage that are tried, the first ones: a stage of more is there by these already


@dataclass(frozen=True)
class Stage:
    """Which alerts are this stage: those that one of the rules, of the tactics and of the techniques is of."""

    name: str
    rules: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    severity: int = 0
    where: Conditions = field(default_factory=Conditions)
    optional: bool = False

    def takes(self, alert: Alert, values: Mapping[str, Any]) -> bool:
        return (
            alert.severity >= self.severity
            and (not self.rules or alert.rule in self.rules)
            and (not self.tactics or not set(self.tactics).isdisjoint(alert.tactics))
            and (not self.techniques or any(t.startswith(self.techniques) for t in alert.techniques))
            and self.where.hold(values)
        )


@dataclass(frozen=True)
class Pattern:
    """A sequence of a rule file. `within_us`: from the first to the last of its alerts; `least`: stages it needs.

    `same`: what the alerts of its stages have in common. `risk`: what it takes of the rest of an incident's risk;
    `odds`: by what it multiplies the odds that the incident is what it says.
    """

    id: str
    name: str
    title: str
    description: str
    version: str
    enabled: bool
    ordered: bool
    within_us: int
    least: int
    same: tuple[str, ...]
    stages: tuple[Stage, ...]
    unless: tuple[Stage, ...]
    risk: float
    odds: float
    references: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class Match:
    """A sequence that was found, and the alert of each of its stages that are there, in their order."""

    sequence: Pattern
    found: tuple[tuple[Stage, Alert], ...]


def matches(alerts: Sequence[Alert], sequences: Iterable[Pattern]) -> list[Match]:
    """The sequences that these alerts (of one incident, in the order of time) hold, each by its best match."""
    valued = [(alert, alert.values()) for alert in alerts]
    found = (_match(sequence, valued) for sequence in sequences)
    return [match for match in found if match is not None]


def _match(sequence: Pattern, valued: Sequence[tuple[Alert, Mapping[str, Any]]]) -> Match | None:
    if any(stage.takes(alert, values) for stage in sequence.unless for alert, values in valued):
        return None
    best: tuple[tuple[Stage, Alert], ...] = ()
    for group in _groups(valued, sequence.same):
        by_stage = [[a for a, v in group if stage.takes(a, v)][:ALERTS] for stage in sequence.stages]
        for start_us in sorted({a.first_us for found in by_stage for a in found}):
            chain = _from(sequence, by_stage, start_us)
            if len(chain) > len(best):
                best = chain
    there = {stage.name for stage, _ in best}
    complete = all(stage.optional or stage.name in there for stage in sequence.stages)
    enough = len(best) >= sequence.least and (complete or sequence.least < sum(not s.optional for s in sequence.stages))
    return Match(sequence, best) if enough else None


def _from(sequence: Pattern, by_stage: Sequence[Sequence[Alert]], start_us: int) -> tuple[tuple[Stage, Alert], ...]:
    """The most stages that are there from a time on within the span: in order, each as early as it can be.

    Longest chain over the stages: of the chains of n stages among those seen so far, the one that ends first is kept.
    """
    until_us = start_us + sequence.within_us
    chains: list[tuple[tuple[Stage, Alert], ...]] = [()]
    for stage, found in zip(sequence.stages, by_stage, strict=True):
        longer: list[tuple[int, tuple[tuple[Stage, Alert], ...]]] = []
        for length, chain in enumerate(chains):
            after_us = chain[-1][1].first_us if chain and sequence.ordered else start_us
            used = {a.id for _, a in chain}
            alert = next((a for a in found if after_us <= a.first_us <= until_us and a.id not in used), None)
            if alert is not None:
                longer.append((length + 1, (*chain, (stage, alert))))
        for length, chain in longer:
            if length == len(chains):
                chains.append(chain)
            elif chain[-1][1].first_us < chains[length][-1][1].first_us:
                chains[length] = chain
    return chains[-1]


def _groups(
    valued: Sequence[tuple[Alert, Mapping[str, Any]]], same: Sequence[str]
) -> list[list[tuple[Alert, Mapping[str, Any]]]]:
    if not same:
        return [list(valued)]
    found: dict[tuple[str, ...], list[tuple[Alert, Mapping[str, Any]]]] = defaultdict(list)
    for alert, values in valued:
        for key in _keys(alert, same):
            found[key].append((alert, values))
    return [found[key] for key in sorted(found)]


def _keys(alert: Alert, same: Sequence[str]) -> list[tuple[str, ...]]:
    """The values of what is to be the same; several where an alert has several targets."""
    keys: list[tuple[str, ...]] = [()]
    for name in same:
        keys = [(*key, value) for key in keys for value in _values(alert, name)]
    return keys


def _values(alert: Alert, name: str) -> tuple[str, ...]:
    if name == "actor":
        return (alert.subject,)
    if name == "target":
        return alert.targets
    if name == "place":
        return (*alert.names, *alert.targets)
    return alert.sensors if name == "sensor" else (alert.rule,)
