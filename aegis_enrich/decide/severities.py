"""Severities: the four words, and how a rule chooses among them for a finding or for a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .conditions import Conditions, parse
from .source import Source

SEVERITIES = {"low": 21, "medium": 47, "high": 73, "critical": 99}
WORDS = {number: word for word, number in SEVERITIES.items()}
NONE = "none"  # no alert, where a map of severities says so


@dataclass(frozen=True)
class Severity:
    """One line of a severity list: it holds from this score on and under these conditions."""

    severity: int
    at_least: float = 0.0
    when: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True)
class RowSeverity:
    """A constant, or what a column says: by a map, or by bands (least value, severity), ascending."""

    otherwise: int
    column: str = ""
    map: Mapping[Any, int] = field(default_factory=dict)
    bands: tuple[tuple[float, int], ...] = ()

    def of(self, value: Any) -> int:
        """That of a column's value; a list, a missing or an unknown value has that of `otherwise`."""
        if self.bands and isinstance(value, (int, float)):
            return next((s for least, s in reversed(self.bands) if value >= least), self.otherwise)
        return self.map.get(value, self.otherwise) if isinstance(value, (str, int, float)) else self.otherwise

    @property
    def levels(self) -> set[int]:
        return {self.otherwise, *self.map.values(), *(s for _, s in self.bands)}


def ladder(lines: Sequence[Severity], score: float, values: Mapping[str, Any]) -> int:
    """The severity of the last line that holds; 0 where none does."""
    return next((s.severity for s in reversed(lines) if score >= s.at_least and s.when.hold(values)), 0)


def parse_severities(source: Source, *key: str | int) -> tuple[Severity, ...]:
    """The list `severity` in the mapping at `key`, a detector's rule if none is given."""
    found = []
    items = source.items("severity", *key)
    if not items:
        what = "severity is missing; write a list such as [{severity: low}, {at_least: 0.8, severity: high}]"
        source.wrong(what, *key)
    for number, item in enumerate(items):
        at = (*key, "severity", number)
        if not isinstance(item, dict):
            source.wrong(f"severity: {item!r}; write it like {{at_least: 0.8, severity: high}}", *at)
            continue
        source.unknown_keys(("severity", "at_least", "when"), *at)
        when = parse(source, item["when"], *at, "when") if "when" in item else Conditions()
        found.append(Severity(_word(source, *at), float(source.number("at_least", *at, default=0.0, least=0)), when))
    return tuple(found)


def parse_map(source: Source, *key: str | int) -> dict[int, int]:
    """The mapping at `key` of severities to others, or to `none`: 0, no alert."""
    found = {}
    *around, name = key
    for word in source.mapping(str(name), *around):
        if word not in SEVERITIES:
            source.wrong(f"{name}: {word!r} is not one of {', '.join(SEVERITIES)}", *key, word)
            continue
        other = source.choice(word, (*SEVERITIES, NONE), *key, default=word)
        found[SEVERITIES[word]] = SEVERITIES.get(other, 0)
    return found


def parse_row_severity(source: Source) -> RowSeverity:
    """The word of a row rule, or what its column says."""
    value = source.data.get("severity")
    if isinstance(value, str):
        return RowSeverity(_word(source))
    if not isinstance(value, dict) or not isinstance(value.get("column"), str):
        source.wrong("severity: write low, medium, high or critical, or {column: …, map: …}", "severity")
        return RowSeverity(SEVERITIES["low"])
    source.unknown_keys(("column", "map", "at_least", "otherwise"), "severity")
    otherwise = SEVERITIES[source.choice("otherwise", tuple(SEVERITIES), "severity", default="low")]
    mapped = {
        key: SEVERITIES[source.choice(key, tuple(SEVERITIES), "severity", "map", default="low")]
        for key in source.mapping("map", "severity")
    }
    bands = []
    for number, item in enumerate(source.items("at_least", "severity")):
        key = ("severity", "at_least", number)
        if not isinstance(item, dict):
            source.wrong("at_least: write {at_least: 70, severity: high}", *key)
            continue
        source.unknown_keys(("severity", "at_least"), *key)
        bands.append((float(source.number("at_least", *key, default=0.0)), _word(source, *key)))
    if not mapped and not bands:
        source.wrong("severity: what the column's values mean is missing; write map or at_least", "severity")
    return RowSeverity(otherwise, value["column"], mapped, tuple(sorted(bands)))


def _word(source: Source, *key: str | int) -> int:
    word = source.choice("severity", tuple(SEVERITIES), *key, default="")
    return SEVERITIES.get(word, SEVERITIES["low"])
