"""The one small form of conditions in rules, over a single finding or, columnar, over the rows of a table."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .source import Key, Source

OPERATORS = ("at_least", "at_most", "below", "starts_with", "matches", "not", "known")
ANY = "any"  # in place of a column: a list of conditions, one of which must hold


@dataclass(frozen=True)
class Condition:
    """One field, one operator (`is` for plain values), its operands."""

    field: str
    operator: str
    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Whether a value meets it; a missing value meets only `known: false` and `not`."""
        if self.operator == "known":
            return (value is not None) is self.values[0]
        if self.operator == "not":
            return not _is_one_of(value, self.values)
        if value is None:
            return False
        if self.operator == "is":
            return _is_one_of(value, self.values)
        if isinstance(value, (list, tuple)):
            return any(self.holds(v) for v in value)
        if self.operator == "below":
            name = str(value).lower().removesuffix(".")
            return any(name == v or name.endswith(f".{v}") for v in self.values)
        if self.operator == "starts_with":
            return any(str(value).startswith(str(v)) for v in self.values)
        if self.operator == "matches":
            return bool(_matching(pa.array([str(value)]), self.values)[0].as_py())
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return False
        return bool(value >= self.values[0] if self.operator == "at_least" else value <= self.values[0])

    def __str__(self) -> str:
        """As rules write it."""
        operand = self.values[0] if len(self.values) == 1 else list(self.values)
        return str(operand) if self.operator == "is" else f"{{{self.operator}: {operand}}}"


@dataclass(frozen=True)
class Conditions:
    """All of them must hold, and one of `some` where there are any; none at all hold always."""

    each: tuple[Condition, ...] = ()
    some: tuple[Conditions, ...] = ()

    def hold(self, values: Mapping[str, Any]) -> bool:
        whole = all(c.holds(values.get(c.field)) for c in self.each)
        return whole and (not self.some or any(s.hold(values) for s in self.some))

    def mask(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which rows meet them (true or false, never null); a column that is not there has no value."""
        masks = [
            _column_mask(c, rows[c.field]) if c.field in rows.column_names else _constant(c.holds(None), rows.num_rows)
            for c in self.each
        ]
        if self.some:
            masks.append(reduce(pc.or_, [s.mask(rows) for s in self.some]))
        return reduce(pc.and_, masks) if masks else _constant(True, rows.num_rows)

    @property
    def flat(self) -> tuple[Condition, ...]:
        """Every condition, those of `some` too."""
        return (*self.each, *(c for s in self.some for c in s.flat))

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c.field for c in self.flat))


def parse(source: Source, data: Any, *key: str | int) -> Conditions:
    """The conditions at a place in a rule; problems are noted in `source`."""
    if not isinstance(data, dict) or not data:
        source.wrong("conditions are expected, like {orig_h: 10.0.0.5}; rules/README.md lists their forms", *key)
        return Conditions()
    each = [c for f, value in data.items() if f != ANY for c in _of_field(source, f, value, (*key, f))]
    if ANY not in data:
        return Conditions(tuple(each))
    several = data[ANY]
    if not isinstance(several, list) or not several:
        source.wrong("any: a list of conditions is expected, like [{orig_h: 10.0.0.5}, {resp_h: 10.0.0.5}]", *key, ANY)
        return Conditions(tuple(each))
    return Conditions(tuple(each), tuple(parse(source, s, *key, ANY, n) for n, s in enumerate(several)))


def _of_field(source: Source, field: str, value: Any, key: Key) -> list[Condition]:
    if not isinstance(value, dict):
        return _condition(source, field, "is", value, key)
    if not value:
        source.wrong(f"{field}: a condition is missing; write one of {', '.join(OPERATORS)}", *key)
    found = []
    for operator, operand in value.items():
        if operator not in OPERATORS:
            source.wrong(f"{operator!r} is no condition; known are {', '.join(OPERATORS)}", *key, operator)
        else:
            found += _condition(source, field, operator, operand, (*key, operator))
    return found


def _condition(source: Source, field: str, operator: str, operand: Any, key: Key) -> list[Condition]:
    """The condition, or none and a problem where it could never hold."""
    values = tuple(operand) if isinstance(operand, list) else (operand,)
    said = field if operator == "is" else operator
    if operator == "known":
        good, what = isinstance(operand, bool), "is not true or false"
    elif operator in ("at_least", "at_most"):
        good, what = isinstance(operand, (int, float)) and not isinstance(operand, bool), "is not a number"
    elif operator in ("below", "starts_with"):
        good, what = bool(values) and all(isinstance(v, str) and v for v in values), "is not a text"
    elif operator == "matches":
        good, what = bool(values) and all(map(_is_pattern, values)), "is no regular expression of RE2"
    else:
        good = bool(values) and all(isinstance(v, (str, int, float)) for v in values)
        what = "is no value; {known: false} holds where there is none"
    if not good:
        source.wrong(f"{said}: {operand!r} {what}", *key)
        return []
    if operator == "below":
        values = tuple(v.lower().strip(".") for v in values)
    return [Condition(field, operator, values)]


def _is_one_of(value: Any, wanted: tuple[Any, ...]) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_is_one_of(v, wanted) for v in value)
    return any(_equal(value, w) or _in_network(value, w) for w in wanted)


def _is_pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(value) and len(_matching(pa.array([""]), (value,))) == 1
    except pa.ArrowInvalid:
        return False


def _matching(texts: pa.Array | pa.ChunkedArray, patterns: tuple[str, ...]) -> pa.Array | pa.ChunkedArray:
    """Which texts one of the patterns (RE2: linear in time, no back references) is found in."""
    return pc.match_substring_regex(texts, "|".join(f"(?:{p})" for p in patterns))


def _equal(value: Any, wanted: Any) -> bool:
    return bool(value == wanted) and isinstance(value, bool) is isinstance(wanted, bool)


def _in_network(value: Any, wanted: Any) -> bool:
    """Whether an address is this one, or in this network."""
    if not (isinstance(value, str) and isinstance(wanted, str)):
        return False
    network = _network(wanted)
    if network is None:
        return False
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _constant(value: bool, rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(pa.scalar(value), rows)])


def _column_mask(condition: Condition, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if condition.operator == "known":
        return pc.is_valid(column) if condition.values[0] else pc.is_null(column)
    if condition.operator in ("at_least", "at_most") and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        compare = pc.greater_equal if condition.operator == "at_least" else pc.less_equal
        return pc.fill_null(compare(column, condition.values[0]), False)
    if pa.types.is_nested(kind):
        return pa.chunked_array([pa.array([condition.holds(v) for v in column.to_pylist()], pa.bool_())])
    plain = column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column
    if condition.operator == "matches" and pa.types.is_string(plain.type):
        return pc.fill_null(_matching(plain, condition.values), False)
    # the rest is decided on the column's few distinct values
    encoded = plain.combine_chunks().dictionary_encode()
    verdicts = pa.array([condition.holds(v) for v in encoded.dictionary.to_pylist()], pa.bool_())
    mask = pc.fill_null(verdicts.take(encoded.indices), condition.holds(None))
    return pa.chunked_array([mask])
