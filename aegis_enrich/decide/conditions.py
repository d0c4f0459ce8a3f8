"""The one small form of conditions in rules, over a single finding or, columnar, over the rows of a table."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .source import Key, Source

OPERATORS = ("at_least", "at_most", "below", "starts_with", "not", "known")


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
            return any(value == v or str(value).endswith(f".{v}") for v in self.values)
        if self.operator == "starts_with":
            return any(str(value).startswith(str(v)) for v in self.values)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return False
        return bool(value >= self.values[0] if self.operator == "at_least" else value <= self.values[0])


@dataclass(frozen=True)
class Conditions:
    """All of them must hold; none at all hold always."""

    each: tuple[Condition, ...] = ()

    def hold(self, values: Mapping[str, Any]) -> bool:
        return all(c.holds(values.get(c.field)) for c in self.each)

    def mask(self, rows: pa.Table) -> pa.ChunkedArray | None:
        """Which rows meet them (true or false, never null); None where a column that is asked for is not there."""
        masks = []
        for condition in self.each:
            if condition.field not in rows.column_names:
                return None
            masks.append(_column_mask(condition, rows[condition.field]))
        return reduce(pc.and_, masks) if masks else pa.chunked_array([pa.repeat(pa.scalar(True), rows.num_rows)])

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(c.field for c in self.each)


def parse(source: Source, data: Any, *key: str | int) -> Conditions:
    """The conditions at a place in a rule; problems are noted in `source`."""
    if not isinstance(data, dict) or not data:
        source.wrong("conditions are expected, like {orig_h: 10.0.0.5}; rules/README.md lists their forms", *key)
        return Conditions()
    return Conditions(tuple(c for field, value in data.items() for c in _of_field(source, field, value, (*key, field))))


def _of_field(source: Source, field: str, value: Any, key: Key) -> list[Condition]:
    if not isinstance(value, dict):
        values = tuple(value) if isinstance(value, list) else (value,)
        return [Condition(field, "is", values)]
    found = []
    for operator, operand in value.items():
        if operator not in OPERATORS:
            source.wrong(f"{operator!r} is no condition; known are {', '.join(OPERATORS)}", *key, operator)
        elif operator == "known" and not isinstance(operand, bool):
            source.wrong(f"known: {operand!r} is not true or false", *key, operator)
        elif operator in ("at_least", "at_most") and (
            isinstance(operand, bool) or not isinstance(operand, (int, float))
        ):
            source.wrong(f"{operator}: {operand!r} is not a number", *key, operator)
        else:
            found.append(Condition(field, operator, tuple(operand) if isinstance(operand, list) else (operand,)))
    return found


def _is_one_of(value: Any, wanted: tuple[Any, ...]) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_is_one_of(v, wanted) for v in value)
    return any(value == w or _in_network(value, w) for w in wanted)


def _in_network(value: Any, network: Any) -> bool:
    if not (isinstance(value, str) and isinstance(network, str) and "/" in network):
        return False
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _column_mask(condition: Condition, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if condition.operator == "known":
        return pc.is_valid(column) if condition.values[0] else pc.is_null(column)
    if condition.operator == "at_least":
        return pc.fill_null(pc.greater_equal(column, condition.values[0]), False)
    if condition.operator == "at_most":
        return pc.fill_null(pc.less_equal(column, condition.values[0]), False)
    # the rest is decided on the column's few distinct values
    encoded = column.combine_chunks().dictionary_encode() if not pa.types.is_list(column.type) else None
    if encoded is None:
        return pa.chunked_array([pa.array([condition.holds(v) for v in column.to_pylist()], pa.bool_())])
    verdicts = pa.array([condition.holds(v) for v in encoded.dictionary.to_pylist()], pa.bool_())
    mask = pc.fill_null(verdicts.take(encoded.indices), condition.holds(None))
    return pa.chunked_array([mask])
