"""The `attack` of a rule: techniques that hold always, and those that hold under conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .attack import attack
from .conditions import Conditions, parse
from .source import Key, Source


@dataclass(frozen=True)
class Technique:
    """One item: `written` as in `T1046` or `TA0007/T1046`; without `when` it holds always.

    Where `instead` holds, those without `when` do not count.
    """

    written: str
    when: Conditions | None = None
    instead: bool = False


def chosen(techniques: Sequence[Technique], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The techniques that hold for these values, in their order."""
    holding = [t for t in techniques if t.when is None or t.when.hold(values)]
    replaced = any(t.instead for t in holding)
    return tuple(dict.fromkeys(t.written for t in holding if t.when is not None or not replaced))


def all_of(techniques: Sequence[Technique]) -> tuple[str, ...]:
    """Every technique that there may be, for coverage and checks."""
    return tuple(dict.fromkeys(t.written for t in techniques))


def parse_techniques(source: Source, *key: str | int) -> tuple[Technique, ...]:
    """The list `attack` in the mapping at `key`; problems are noted in `source`."""
    found = []
    for number, item in enumerate(source.items("attack", *key)):
        at: Key = (*key, "attack", number)
        technique = _conditional(source, item, at) if isinstance(item, dict) else _plain(source, item, at)
        if technique is not None:
            found.append(technique)
    return tuple(found)


def _conditional(source: Source, item: Mapping[str, Any], at: Key) -> Technique | None:
    source.unknown_keys(("id", "when", "instead"), *at, of=" in attack")
    instead = source.flag("instead", *at, default=False)
    plain = _plain(source, item.get("id"), at)
    if "when" not in item:
        source.wrong("attack: `when` is missing; write {id: T1595.001, when: {orig_scope: external}}", *at)
        return None
    when = parse(source, item["when"], *at, "when")
    return plain and Technique(plain.written, when, instead)


def _plain(source: Source, written: Any, at: Key) -> Technique | None:
    """One technique id, with the tactic that is meant before it where the rule names one."""
    table = attack()
    if isinstance(written, str) and table.knows(written):
        return Technique(written)
    what = f"attack: {written!r} is not in the table of ATT&CK {table.version}"
    source.wrong(f"{what}; write one like T1046, or TA0007/T1046", *at)
    return None
