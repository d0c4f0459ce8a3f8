"""What a rule's rows must have in common: a few literals or tests, one of which every row that it matches meets.

Thousands of rules are looked up at once by these; only the rows that are left are shown to the rules' whole conditions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionOR, ConditionValueExpression
from sigma.types import (
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
)

from .regex import required_literal
from .taxonomy import NUMBER, Column, Place
from .text import canonical, is_text, is_textual, number_of, plain

MOST_OF_PROBES = 2  # strength
SHORTEST = 3  # characters of a literal that is worth looking for
_ASCII = re.compile(r"[\x00-\x7f]+")


@dataclass(frozen=True)
class Text:
    """A literal in a column's text, in lower case: all of it, its beginning, its end, or anywhere (`has`)."""

    column: Column
    side: str  # is, begins, ends, has
    literal: str

    @property
    def strength(self) -> int:
        """The higher, the fewer rows it lets through."""
        return min(len(self.literal), 20) + (10 if self.side == "is" else 5)


@dataclass(frozen=True)
class Number:
    """A number in a column."""

    column: Column
    value: int | float
    strength: int = 5


@dataclass(frozen=True)
class Probe:
    """A condition over one column alone, to be decided on the column's distinct values."""

    column: Column
    sql: str

    @property
    def strength(self) -> int:
        """Texts have many distinct values, so that it takes long; the others few."""
        return 1 if is_textual(self.column) else 2


Atom = Text | Number | Probe
Clause = tuple[Atom, ...]  # one of them holds in every row that matches
Clauses = tuple[Clause, ...]  # each of them holds in every row that matches; none: nothing can be said
Convert = Callable[[Any], str]


def clauses(nodes: Sequence[Any], place: Place, convert: Convert) -> Clauses:
    """Those of parsed conditions one of which must hold; `convert` writes a part of them as SQL."""
    if len(nodes) != 1:
        whole = any_of([_best(_clauses(node, place, convert)) for node in nodes])
        return (whole,) if whole else ()
    found = list(dict.fromkeys(_clauses(nodes[0], place, convert)))
    strong = tuple(c for c in found if _strength(c) > MOST_OF_PROBES)
    return strong or tuple(c for c in [_best(found)] if c)


def _clauses(node: Any, place: Place, convert: Convert) -> list[Clause]:
    found: list[Clause | None]
    if isinstance(node, ConditionAND):
        found = [c for arg in node.args for c in _clauses(arg, place, convert)]
    elif isinstance(node, ConditionOR):
        found = [any_of([_best(_clauses(arg, place, convert)) for arg in node.args])]
    elif isinstance(node, ConditionValueExpression):
        return [c for c in [_keyword(node.value, place)] if c]
    elif isinstance(node, ConditionFieldEqualsValueExpression):
        found = [_value(place.column(node.field), node.value)]
    else:
        found = []
    return [c for c in found if c] or [c for c in [_tested(node, place, convert)] if c]


def _best(found: Sequence[Clause]) -> Clause | None:
    return max(found, key=_strength, default=None)


def columns(node: Any, place: Place) -> Iterator[Column]:
    """Every column that a condition names; keywords name all with text."""
    if isinstance(node, ConditionFieldEqualsValueExpression):
        yield place.column(node.field)
        if isinstance(node.value, SigmaFieldReference):
            yield place.column(node.value.field)
    elif isinstance(node, ConditionValueExpression):
        yield from place.texts
    else:
        for arg in getattr(node, "args", ()):
            yield from columns(arg, place)


def _strength(atoms: Clause) -> int:
    return min(a.strength for a in atoms)


def any_of(clauses: Sequence[Clause | None]) -> Clause | None:
    found: list[Atom] = []
    for part in clauses:
        if not part:
            return None
        found += part
    return tuple(dict.fromkeys(found)) or None


def _tested(node: Any, place: Place, convert: Convert) -> Clause | None:
    """The condition itself, where it is about one column with one value a row."""
    named = set(columns(node, place))
    if len(named) != 1:
        return None
    (column,) = named
    return (Probe(column, convert(node)),) if column.name and not column.several else None


def _value(column: Column, value: Any) -> Clause | None:
    if isinstance(value, SigmaExpansion):
        return any_of([_value(column, v) for v in value.values])
    if isinstance(value, SigmaTimestampPart):
        return None
    if isinstance(value, SigmaNumber):
        return _number(column, value.number)
    if isinstance(value, SigmaRegularExpression):
        return _searched(column, value)
    if not isinstance(value, SigmaString):
        return None
    if column.kind in NUMBER and is_text(value):
        number = number_of(plain(value))
        return None if number is None else _number(column, number)
    return _literal(column, canonical(column, value)) if is_textual(column) else None


def _searched(column: Column, value: SigmaRegularExpression) -> Clause | None:
    literal = required_literal(str(value.regexp)) if is_textual(column) else ""
    return (Text(column, "has", literal),) if len(literal) >= SHORTEST else None


def _number(column: Column, number: int | float) -> Clause | None:
    if column.kind in NUMBER:
        return (Number(column, number),)
    whole = str(number)
    return (Text(column, "is", whole),) if is_textual(column) and len(whole) >= SHORTEST else None


def _keyword(value: Any, place: Place) -> Clause | None:
    """A literal anywhere in any text of a row."""
    if isinstance(value, SigmaExpansion):
        return any_of([_keyword(v, place) for v in value.values])
    words = [str(value.number)] if isinstance(value, SigmaNumber) else _runs(value)
    longest = max((run for word in words for run in _ASCII.findall(word)), key=len, default="")
    if len(longest) < SHORTEST:
        return None
    return tuple(Text(column, "has", longest.lower()) for column in place.texts)


def _literal(column: Column, value: SigmaString) -> Clause | None:
    """The longest run of a value without wildcards (and, beyond ASCII, where lower case is simple)."""
    if is_text(value) and plain(value).isascii():
        whole = plain(value).lower()
        return (Text(column, "is", whole),) if len(whole) >= SHORTEST else None
    best = max(_sided(value.s), key=lambda found: len(found[1]), default=("has", ""))
    return (Text(column, *best),) if len(best[1]) >= SHORTEST else None


def _sided(parts: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for number, part in enumerate(parts):
        if not isinstance(part, str):
            continue
        if not part.isascii():
            yield from (("has", run.lower()) for run in _ASCII.findall(part))
        elif number == 0:
            yield "begins", part.lower()
        elif number == len(parts) - 1:
            yield "ends", part.lower()
        else:
            yield "has", part.lower()


def _runs(value: Any) -> Iterable[str]:
    return [part for part in value.s if isinstance(part, str)] if isinstance(value, SigmaString) else []
