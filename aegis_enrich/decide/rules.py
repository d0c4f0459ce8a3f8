"""What rules say once they are read: frozen, checked, and told apart by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..plugin import DAY_US, HOUR_US, Detector
from .attack import attack
from .cases import Case
from .conditions import Conditions
from .investigate import Investigate
from .overrides import Override, Verdict, overridden
from .severities import RowSeverity, Severity, ladder
from .suppression import Suppression
from .techniques import Technique, chosen
from .templates import filled

if TYPE_CHECKING:  # pySigma is imported only where there are Sigma rules
    from ..sigma.compiled import Compiled
    from ..sigma.matcher import Matcher

ABOUT = ("attack", "network")  # what a rule tells of; network: the state of network and sensors, and no attack
PERIODS = {"hour": HOUR_US, "day": DAY_US}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What every rule says. `path` is its file.

    `attack` holds every technique that its alerts may have, some with their tactic before them; `techniques` says
    which of them hold when. `overrides` are the rule's own and then the site's; `by_tactic` is what the site makes of
    severities where a technique of this tactic is chosen. `written` is the rule before the site's changes, if any.
    """

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
    about: str = ABOUT[0]
    techniques: tuple[Technique, ...] = ()
    investigate: Investigate = field(default_factory=Investigate)
    overrides: tuple[Override, ...] = ()
    by_tactic: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    written: DetectorRule | RowRule | None = None

    def chosen(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The techniques that an alert with these values has."""
        return chosen(self.techniques, values) if self.techniques else self.attack

    def judged(self, verdict: Verdict, score: float, values: Mapping[str, Any], time_us: int) -> Verdict:
        """What the rule itself says, after the overrides that hold and the site's map of severities."""
        found = overridden(self.overrides, verdict, score, values, time_us)
        if not self.by_tactic or not found.severity:
            return found
        maps = [self.by_tactic[t] for t, _ in attack().resolve(found.techniques) if t in self.by_tactic]
        worst = max((m.get(found.severity, found.severity) for m in maps), default=found.severity)
        return replace(found, severity=worst)

    def _reached(self, levels: set[int]) -> list[int]:
        """The severities that may come of these, ascending."""
        for override in self.overrides:
            said = {s.severity for s in override.severities} or levels
            made = {override.changed.get(level, level) for level in said}
            levels = made if override.always else levels | made
        for changed in self.by_tactic.values():
            levels = levels | {changed.get(level, level) for level in levels}
        return sorted(levels - {0})


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
        return ladder(self.severities, score, values)

    def verdict(self, score: float, values: Mapping[str, Any], time_us: int) -> Verdict:
        """What a finding comes to, at a time of event time (µs)."""
        return self.judged(Verdict(self.severity(score, values), self.chosen(values)), score, values, time_us)

    @property
    def levels(self) -> list[int]:
        """The severities that its alerts may have, ascending."""
        return self._reached({s.severity for s in self.severities})


@dataclass(frozen=True, kw_only=True)
class RowRule(Rule):
    """What single rows mean; `sigma`: the condition of a Sigma rule, which holds beside `where`."""

    tables: tuple[str, ...]
    where: Conditions
    entity: tuple[str, ...]
    context: Mapping[str, str]  # the document's column -> the row's; "": the row's of that name is something else
    evidence: tuple[str, ...]
    severity: RowSeverity
    score_column: str
    score_most: float
    attack_column: str
    reason: str
    sigma: Compiled | None = None

    def told(self, values: Mapping[str, Any]) -> str:
        """The sentence of its reason; of a Sigma rule, with what the row holds in the columns that it looks at."""
        held = [f"{c} {_shown(values[c])}" for c in self.evidence if values.get(c)] if self.sigma else []
        return filled(self.reason, values) + (f": {', '.join(held)}" if held else "")

    @property
    def levels(self) -> list[int]:
        """The severities that its alerts may have, ascending."""
        return self._reached(self.severity.levels)


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

    @property
    def health(self) -> frozenset[str]:
        """Ids of the rules that tell of the state of network and sensors, and of no attack."""
        return frozenset(rule.id for rule in self if rule.about == "network")

    @cached_property
    def sigma(self) -> Matcher | None:
        """What finds the rows of all Sigma rules at once; None where there are none."""
        held = {r.id: r.sigma for r in self.rows.values() if r.sigma is not None}
        if not held:
            return None
        from ..sigma.matcher import Matcher

        return Matcher(held)

    def get(self, rule_id: str) -> DetectorRule | RowRule | None:
        return self.detectors.get(rule_id) or self.rows.get(rule_id)

    def expired(self, now_us: int) -> list[Suppression]:
        """The suppressions of all rules and of the site whose last day is over, by file and line."""
        every = (*self.suppress, *(s for rule in self for s in rule.suppress))
        return sorted((s for s in every if s.expired(now_us)), key=lambda s: s.written)

    def suppressions(self, rule: Rule) -> list[Suppression]:
        """The rule's own, and those of the site that mean it."""
        return [*rule.suppress, *(s for s in self.suppress if not s.rules or rule.id in s.rules)]

    def suppressed(self, rule: Rule, values: Mapping[str, Any], time_us: int) -> Suppression | None:
        """The first suppression that covers these values at a time of event time (µs)."""
        return next((s for s in self.suppressions(rule) if s.covers(values, time_us)), None)


def _shown(value: Any, most: int = 200) -> str:
    """A value in a sentence."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"
