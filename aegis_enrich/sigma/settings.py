"""What a site says of its Sigma rules beside them: which are in force, the period of alerts, lists of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

from .read import Document

LEVELS = ("informational", "low", "medium", "high", "critical")
STATUSES = ("unsupported", "deprecated", "experimental", "test", "stable")
_KEYS = ("least_level", "statuses", "per", "disabled", "placeholders")


@dataclass(frozen=True)
class Settings:
    """`disabled`: ids of rules that are not in force; `placeholders`: the values of `%name%` in rules (`expand`)."""

    least_level: str = LEVELS[0]
    statuses: tuple[str, ...] = ("experimental", "test", "stable")
    per: str = "day"
    disabled: tuple[str, ...] = ()
    placeholders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def in_force(self, rule: SigmaRule | SigmaCorrelationRule, rule_id: str) -> bool:
        """Whether a rule's level and status are wanted; one that says neither is."""
        level = rule.level.name.lower() if rule.level else LEVELS[-1]
        status = rule.status.name.lower() if rule.status else STATUSES[-1]
        wanted = LEVELS.index(level) >= LEVELS.index(self.least_level) and status in self.statuses
        return wanted and rule_id not in self.disabled


def parse_settings(document: Document) -> Settings:
    """`settings.yml`; problems are noted in the document."""
    data = document.data if document.data is not None else {}
    if not isinstance(data, Mapping):
        document.wrong(f"a mapping is expected, with any of {', '.join(_KEYS)}")
        return Settings()
    for key in data:
        if key not in _KEYS:
            document.wrong(f"unknown key {key!r}; known are {', '.join(_KEYS)}", key)
    made = Settings()
    return Settings(
        _choice(document, data, "least_level", LEVELS, made.least_level),
        _choices(document, data, "statuses", STATUSES, made.statuses),
        _choice(document, data, "per", ("hour", "day"), made.per),
        tuple(str(v) for v in _list(document, data.get("disabled"), "disabled")),
        _placeholders(document, data.get("placeholders") or {}),
    )


def _choice(document: Document, data: Mapping[str, Any], key: str, allowed: Sequence[str], default: str) -> str:
    value = data.get(key, default)
    if value in allowed:
        return str(value)
    document.wrong(f"{key}: {value!r} is not one of {', '.join(allowed)}", key)
    return default


def _choices(
    document: Document, data: Mapping[str, Any], key: str, allowed: Sequence[str], default: tuple[str, ...]
) -> tuple[str, ...]:
    if key not in data:
        return default
    values = _list(document, data[key], key)
    for value in values:
        if value not in allowed:
            document.wrong(f"{key}: {value!r} is not one of {', '.join(allowed)}", key)
    return tuple(v for v in values if v in allowed)


def _placeholders(document: Document, data: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(data, Mapping):
        document.wrong("placeholders: a mapping of names to lists of values is expected", "placeholders")
        return {}
    return {str(n): tuple(map(str, _list(document, v, "placeholders", n))) for n, v in data.items()}


def _list(document: Document, value: Any, *key: str | int) -> list[Any]:
    if value is None or isinstance(value, list):
        return value or []
    document.wrong(f"{key[-1]}: a list is expected, like [a, b]", *key)
    return []
