"""A Sigma rule as SQL over its table, with what is needed to look it up among many."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from sigma.conversion.state import ConversionState
from sigma.rule import SigmaRule

from ..tables import TABLES
from .atoms import Clauses, clauses, columns
from .backend import DuckdbBackend
from .taxonomy import Column, Place, place

_NAME = re.compile(r"\w+")


@dataclass(frozen=True)
class Compiled:
    """`sql`: a boolean expression over the columns of each of the place's tables; null where it is not known.

    `clauses`: of atoms, one of each clause holds in every row that matches; none where nothing can be said of them.
    """

    place: Place
    sql: str
    columns: tuple[Column, ...]
    clauses: Clauses

    @property
    def shown(self) -> tuple[str, ...]:
        """The canonical columns that it looks at (of what is computed, those behind it), in the order of the rule."""
        held = TABLES[self.place.table].schema.names
        behind = {c: [n for n in held if n in _NAME.findall(c.sql)] for c in self.columns if not (c.name or c.extra)}
        return tuple(dict.fromkeys(name for c in self.columns for name in behind.get(c, [c.name]) if name))

    @property
    def beyond(self) -> tuple[str, ...]:
        """The fields that are no columns of the table, and are looked for in `extra`."""
        return tuple(dict.fromkeys(c.extra for c in self.columns if c.extra))


def compiled(rule: SigmaRule, placeholders: Mapping[str, Sequence[str]]) -> Compiled:
    """The rule's condition; raises SigmaError where a part of it cannot be written."""
    where = place(rule.logsource)
    backend = DuckdbBackend(where, {name: list(values) for name, values in placeholders.items()})
    sql = backend.predicate(rule)
    parsed = [c.parsed for c in rule.detection.parsed_condition]

    def convert(node: Any) -> str:
        return str(backend.convert_condition(node, ConversionState()))

    named = dict.fromkeys(c for node in parsed for c in columns(node, where))
    return Compiled(where, sql, tuple(named), clauses(parsed, where, convert))


def refusals(rules: Iterable[Compiled]) -> dict[Compiled, str]:
    """Those that DuckDB does not take, such as a regular expression that RE2 does not know, with what it says."""
    by_table: dict[str, list[Compiled]] = {}
    for rule in rules:
        by_table.setdefault(rule.place.table, []).append(rule)
    refused: dict[Compiled, str] = {}
    with duckdb.connect(":memory:") as connection:
        for table, held in by_table.items():
            connection.register("rows_", TABLES[table].schema.empty_table())
            if _refused(connection, [r.sql for r in held]):
                refused |= {r: why for r in held if (why := _refused(connection, [r.sql]))}
    return refused


def _refused(connection: duckdb.DuckDBPyConnection, conditions: Sequence[str]) -> str:
    try:
        connection.execute(f"SELECT {', '.join(f'({sql})' for sql in conditions)} FROM rows_")
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return ""
