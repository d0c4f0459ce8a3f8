"""Overrides: what a rule's findings or rows mean at some places and times of the site, decided after the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .conditions import Conditions, parse
from .hours import Hours, parse_hours
from .severities import SEVERITIES, Severity, ladder, parse_map, parse_severities
from .source import Key, Source
from .techniques import Technique, chosen, parse_techniques

KEYS = ("where", "hours", "days", "time_zone", "reason", "author")
CHANGES = ("enabled", "at_least", "severity", "attack")


@dataclass(frozen=True)
class Verdict:
    """What a finding or row comes to; severity 0: no alert."""

    severity: int
    techniques: tuple[str, ...]


@dataclass(frozen=True)
class Override:
    """Where `where` and `hours` hold, what it says takes the place of what was decided before.

    `enabled` false, a score below `at_least`, or a severity that `changed` makes 0 is no alert. `severities` decide
    anew; `changed` then says what each severity becomes.
    """

    where: Conditions = field(default_factory=Conditions)
    hours: Hours = field(default_factory=Hours)
    enabled: bool = True
    at_least: float = 0.0
    severities: tuple[Severity, ...] = ()
    changed: Mapping[int, int] = field(default_factory=dict)
    techniques: tuple[Technique, ...] = ()
    reason: str = ""
    author: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """Every column that its conditions ask for."""
        conditions = [self.where, *(s.when for s in self.severities), *(t.when for t in self.techniques if t.when)]
        return tuple(dict.fromkeys(f for c in conditions for f in c.fields))

    @property
    def always(self) -> bool:
        """Whether it says something of everything that the rule means."""
        return self.where == Conditions() and self.hours.always

    def holds(self, values: Mapping[str, Any], time_us: int) -> bool:
        """Whether it says something of these values at a time of event time (µs)."""
        return self.hours.hold(time_us) and self.where.hold(values)

    def of(self, before: Verdict, score: float, values: Mapping[str, Any]) -> Verdict:
        """What becomes of a verdict where it holds."""
        if not self.enabled or score < self.at_least:
            return Verdict(0, before.techniques)
        severity = ladder(self.severities, score, values) if self.severities else before.severity
        techniques = chosen(self.techniques, values) if self.techniques else before.techniques
        return Verdict(self.changed.get(severity, severity), techniques)


def overridden(
    overrides: Sequence[Override], verdict: Verdict, score: float, values: Mapping[str, Any], time_us: int
) -> Verdict:
    """The verdict after all that hold, in their order."""
    for override in overrides:
        if override.holds(values, time_us):
            verdict = override.of(verdict, score, values)
    return verdict


def parse_overrides(source: Source, *key: str | int) -> tuple[Override, ...]:
    """The list `overrides` in the mapping at `key`; problems are noted in `source`."""
    found = []
    for number, item in enumerate(source.items("overrides", *key)):
        at: Key = (*key, "overrides", number)
        if not isinstance(item, dict):
            source.wrong("an override is a mapping with where and what changes; rules/README.md shows one", *at)
            continue
        allowed: tuple[str, ...] = (*KEYS, *CHANGES)
        if "tuning" in item:
            what = "tuning: it stands in the detector's query for all hosts, so that an override cannot change it"
            source.wrong(f"{what}; write a condition on evidence, or the rule's own tuning", *at, "tuning")
            allowed = (*allowed, "tuning")
        source.unknown_keys(allowed, *at, of=" in an override")
        if not any(name in item for name in allowed[len(KEYS) :]):
            source.wrong(f"an override changes nothing; write one of {', '.join(CHANGES)}", *at)
        found.append(_override(source, item, at))
    return tuple(found)


def _override(source: Source, item: Mapping[str, Any], at: Key) -> Override:
    severities, changed = parse_change(source, *at)
    return Override(
        parse(source, item["where"], *at, "where") if "where" in item else Conditions(),
        parse_hours(source, *at),
        source.flag("enabled", *at, default=True),
        float(source.number("at_least", *at, default=0.0, least=0)),
        severities,
        changed,
        parse_techniques(source, *at),
        source.text("reason", *at),
        source.text("author", *at),
    )


def parse_change(source: Source, *key: str | int) -> tuple[tuple[Severity, ...], dict[int, int]]:
    """`severity` of an override: a word for all, a map of severities, or a list as a detector's rule has it."""
    value = source.at(key).get("severity")
    if value is None:
        return (), {}
    if isinstance(value, dict):
        return (), parse_map(source, *key, "severity")
    if isinstance(value, list):
        return parse_severities(source, *key), {}
    word = source.choice("severity", tuple(SEVERITIES), *key, default="low")
    return (), dict.fromkeys(SEVERITIES.values(), SEVERITIES[word])
