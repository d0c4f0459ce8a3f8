"""What rules say once they are read: frozen, checked, and told apart by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..plugin import DAY_US, HOUR_US, Detector
from .cases import Case
from .conditions import Conditions
from .severities import RowSeverity, Severity
from .suppression import Suppression

PERIODS = {"hour": HOUR_US, "day": DAY_US}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What every rule says. `path` is its file; `attack` holds techniques, some with their tactic before them."""

    id: str
    name: str
    title: str
    description: str
    version: str
    enabled: bool
    attack: tuple[str, ...]
    period_us: int
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    suppress: tuple[Suppression, ...]
    tests: tuple[Case, ...]
    path: str


@dataclass(frozen=True, kw_only=True)
class DetectorRule(Rule):
    """What a detector's findings mean."""

    detector: type[Detector]
    tuning: Any
    severities: tuple[Severity, ...]
    group_by: tuple[str, ...]
    lateness_s: int | None

    def severity(self, score: float, values: Mapping[str, Any]) -> int:
        """That of the last line that holds; 0 where none does."""
        holding = (s.severity for s in reversed(self.severities) if score >= s.at_least and s.when.hold(values))
        return next(holding, 0)

    @property
    def levels(self) -> list[int]:
        """The severities that its alerts may have, ascending."""
        return sorted({s.severity for s in self.severities})


@dataclass(frozen=True, kw_only=True)
class RowRule(Rule):
    """What single rows mean."""

    tables: tuple[str, ...]
    where: Conditions
    entity: tuple[str, ...]
    context: Mapping[str, str]  # the document's column -> the row's
    evidence: tuple[str, ...]
    severity: RowSeverity
    score_column: str
    score_most: float
    attack_column: str
    reason: str

    @property
    def levels(self) -> list[int]:
        """The severities that its alerts may have, ascending."""
        return sorted(self.severity.levels)


@dataclass(frozen=True)
class RuleSet:
    """The enabled rules by id, and those that are off; `hash` changes with what they mean, not with where they lie."""

    detectors: Mapping[str, DetectorRule]
    rows: Mapping[str, RowRule]
    suppress: tuple[Suppression, ...] = ()
    off: tuple[DetectorRule | RowRule, ...] = ()
    hash: str = ""

    @classmethod
    def of(
        cls,
        rules: Sequence[DetectorRule | RowRule],
        suppress: tuple[Suppression, ...] = (),
        off: tuple[DetectorRule | RowRule, ...] = (),
        hash: str = "",
    ) -> RuleSet:
        return cls(
            {r.id: r for r in rules if isinstance(r, DetectorRule)},
            {r.id: r for r in rules if isinstance(r, RowRule)},
            suppress,
            off,
            hash,
        )

    def __iter__(self) -> Iterator[DetectorRule | RowRule]:
        """Every rule, those that are not enabled too, by id."""
        return iter(sorted((*self.detectors.values(), *self.rows.values(), *self.off), key=lambda r: r.id))

    def __len__(self) -> int:
        return len(self.detectors) + len(self.rows) + len(self.off)

    @property
    def disabled(self) -> tuple[str, ...]:
        """Ids of the rules that are there and not enabled."""
        return tuple(rule.id for rule in self.off)

    def get(self, rule_id: str) -> DetectorRule | RowRule | None:
        return self.detectors.get(rule_id) or self.rows.get(rule_id)

    def suppressions(self, rule: Rule) -> list[Suppression]:
        """The rule's own, and those of the site that mean it."""
        return [*rule.suppress, *(s for s in self.suppress if not s.rules or rule.id in s.rules)]

    def suppressed(self, rule: Rule, values: Mapping[str, Any], time_us: int) -> Suppression | None:
        """The first suppression that covers these values at a time of event time (µs)."""
        return next((s for s in self.suppressions(rule) if s.covers(values, time_us)), None)
