"""Which rows of a batch which Sigma rules match: first by what their rows must hold, then by their whole conditions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from ..tables import TABLES
from .asked import asked, session
from .atoms import Atom, Number, Probe, Text
from .compiled import Compiled
from .taxonomy import Column
from .values import Values
from .words import Words, lowered

Met = tuple[Values, np.ndarray]  # the numbers of the distinct values that meet an atom
A = TypeVar("A", Text, Number, Probe)
_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)
FEW = (16, 256, 4096)  # rules with up to so many rows to be looked at are asked together


class Matcher:
    """Rules by id. Its cost grows with the distinct values of the columns that they name, and with the rows left."""

    def __init__(self, rules: Mapping[str, Compiled]) -> None:
        self.rules = rules

    @cached_property
    def _tables(self) -> dict[str, _OfTable]:
        by_table: dict[str, dict[str, Compiled]] = defaultdict(dict)
        for name, rule in self.rules.items():
            for table in rule.place.tables:
                by_table[table][name] = rule
        return {table: _OfTable(table, rules) for table, rules in by_table.items()}

    def matches(self, table: str, rows: pa.Table) -> dict[str, np.ndarray]:
        """Rule -> the numbers of the rows that it matches, ascending; only rules that match some."""
        return self._tables[table].matches(rows) if table in self._tables and rows.num_rows else {}


class _OfTable:
    """The rules over one table, by the atoms that they are looked up by."""

    def __init__(self, table: str, rules: Mapping[str, Compiled]) -> None:
        self.table, self.rules = table, rules
        self.schema = TABLES[table].schema
        self.by_atom: dict[Atom, list[tuple[str, int]]] = defaultdict(list)  # the clauses that an atom is in
        for name, rule in rules.items():
            for number, clause in enumerate(rule.clauses):
                for atom in clause:
                    self.by_atom[atom].append((name, number))
        self.everywhere = [name for name, rule in rules.items() if not rule.clauses]
        self.words = {c: Words(self._atoms(Text, c)) for c in self._columns(Text)}
        self.tests = {c: self._atoms(Probe, c) for c in self._columns(Probe)}
        self.numbers = {c: self._atoms(Number, c) for c in self._columns(Number)}

    def _columns(self, kind: type[A]) -> list[Column]:
        return list(dict.fromkeys(a.column for a in self.by_atom if isinstance(a, kind)))

    def _atoms(self, kind: type[A], column: Column) -> list[A]:
        return [a for a in self.by_atom if isinstance(a, kind) and a.column == column]

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        return session()

    def matches(self, rows: pa.Table) -> dict[str, np.ndarray]:
        met: dict[Atom, Met] = {}
        for column in dict.fromkeys((*self.words, *self.numbers, *self.tests)):
            values = self._values(column, rows)
            met |= {atom: (values, numbers) for atom, numbers in self._met(column, values)}
        left = {name: _rows_of([met[a] for a in clause], rows.num_rows) for name, clause in self._narrowest(met)}
        left |= {name: np.arange(rows.num_rows) for name in self.everywhere}
        found: dict[str, np.ndarray] = {}
        for names in _together(left):
            found |= self._whole(names, left, rows)
        return {name: found[name] for name in self.rules if name in found}

    def _narrowest(self, met: Mapping[Atom, Met]) -> Iterator[tuple[str, list[Atom]]]:
        """Rules each of whose clauses is met, with the met atoms of the clause that leaves the fewest rows."""
        atoms: dict[str, dict[int, list[Atom]]] = defaultdict(lambda: defaultdict(list))
        counts: dict[tuple[str, int], int] = defaultdict(int)
        for atom, (values, numbers) in met.items():
            held = values.count(numbers)
            for name, number in self.by_atom[atom]:
                atoms[name][number].append(atom)
                counts[name, number] += held
        for name, clauses in atoms.items():
            if len(clauses) == len(self.rules[name].clauses):
                yield name, clauses[min((counts[name, number], number) for number in clauses)[1]]

    def _values(self, column: Column, rows: pa.Table) -> Values:
        if not column.name:
            needed = _named(rows, _names(column.sql, self.schema), self.schema)
            return Values.of(asked(self.connection, f"{column.sql} AS v", needed)["v"])
        return Values.of(_named(rows, [column.name], self.schema)[column.name])

    def _met(self, column: Column, values: Values) -> Iterator[tuple[Atom, np.ndarray]]:
        """Each atom with the numbers of the distinct values that meet it."""
        if column in self.words:
            yield from self.words[column].find(lowered(values.distinct, self.connection))
        if column in self.numbers:
            atoms = self.numbers[column]
            held = {v: n for n, v in enumerate(values.distinct.to_pylist()) if v is not None}
            yield from ((a, np.array([held[a.value]])) for a in atoms if a.value in held)
        if column in self.tests:
            yield from self._tested(column, self.tests[column], values.distinct)

    def _tested(self, column: Column, tests: Sequence[Probe], distinct: pa.Array) -> Iterator[tuple[Atom, np.ndarray]]:
        table = pa.table({column.name: distinct, "_n": np.arange(len(distinct))})
        yield from zip(tests, self._ask(table, [t.sql for t in tests]), strict=True)

    def _whole(self, names: Sequence[str], left: Mapping[str, np.ndarray], rows: pa.Table) -> dict[str, np.ndarray]:
        """Which of the rows that are left of these rules match them."""
        at = _union([left[name] for name in names], rows.num_rows)
        conditions = [self.rules[name].sql for name in names]
        needed = _names(" ".join(conditions), self.schema)
        held = rows.select([c for c in needed if c in rows.column_names])
        some = _named(held.take(pa.array(at)), needed, self.schema)
        met = self._ask(some.append_column("_n", pa.array(at)), conditions)
        return {name: numbers for name, numbers in zip(names, met, strict=True) if len(numbers)}

    def _ask(self, rows: pa.Table, conditions: Sequence[str]) -> list[np.ndarray]:
        """The numbers (`_n`) of the rows that meet each condition."""
        columns = ", ".join(f"coalesce(({sql}), FALSE) AS c{n}" for n, sql in enumerate(conditions))
        answer = asked(self.connection, f"_n, {columns}", rows)
        numbers = answer["_n"].to_numpy()
        return [numbers[answer[f"c{n}"].to_numpy()] for n in range(len(conditions))]


def _rows_of(met: Sequence[Met], rows: int) -> np.ndarray:
    return _union([values.rows_of(numbers) for values, numbers in met], rows)


def _union(parts: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """The numbers in these, each once, ascending."""
    if sum(map(len, parts)) * 20 < rows:
        return np.unique(np.concatenate(parts))
    mask = np.zeros(rows, bool)
    for part in parts:
        mask[part] = True
    return np.flatnonzero(mask)


def _together(left: Mapping[str, np.ndarray]) -> Iterator[list[str]]:
    """Rules to be asked together: those with few rows over all of these rows, one with many over its own."""
    groups: dict[int, list[str]] = defaultdict(list)
    for name, rows in left.items():
        most = next((few for few in FEW if len(rows) <= few), None)
        if most is None:
            yield [name]
        else:
            groups[most].append(name)
    yield from groups.values()


def _names(sql: str, schema: pa.Schema) -> list[str]:
    """The columns that an expression may name."""
    words = {w.lower() for w in _NAME.findall(sql)}
    return [name for name in schema.names if name.lower() in words]


def _named(rows: pa.Table, names: Sequence[str], schema: pa.Schema) -> pa.Table:
    """These columns in their types; those that the rows lack are null."""
    columns = []
    for name in names:
        kind = schema.field(name).type
        held = rows[name] if name in rows.column_names else pa.nulls(rows.num_rows, kind)
        columns.append(held if held.type == kind else held.cast(kind))
    return (
        pa.table(columns, names=list(names)) if names else rows.select([]).append_column("_", pa.nulls(rows.num_rows))
    )
