"""Looks for many literals in many texts at once: one pass of an Aho-Corasick automaton over distinct values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import ahocorasick_rs
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .asked import asked
from .atoms import Text

Found = Iterator[tuple[Text, np.ndarray]]  # an atom, and the numbers of the values that meet it


class Words:
    """The literals of one column."""

    def __init__(self, atoms: Iterable[Text]) -> None:
        by_literal = groupby(sorted(set(atoms), key=lambda a: (a.literal, a.side)), key=lambda a: a.literal)
        self.atoms: Mapping[str, list[Text]] = {literal: list(held) for literal, held in by_literal}
        self.literals = list(self.atoms)
        self._automaton = ahocorasick_rs.BytesAhoCorasick([w.encode() for w in self.literals])

    def find(self, values: pa.StringArray) -> Found:
        """What is found in these texts, which are in lower case."""
        offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
        data = values.buffers()[2]
        if data is None or offsets[-1] == offsets[0]:
            return
        text: Any = np.frombuffer(data, np.uint8)[: offsets[-1]]
        hits = self._automaton.find_matches_as_indexes(text, overlapping=True)
        if not hits:
            return
        which, starts, ends = np.array(hits, np.int64).T
        value = np.searchsorted(offsets, starts, side="right") - 1
        within = (value >= 0) & (value < len(values))
        which, starts, ends, value = (a[within] for a in (which, starts, ends, value))
        at_start, room = starts == offsets[value], offsets[value + 1]
        at_end, inside = ends == room, ends <= room
        yield from self._sorted_out(which, value, inside, at_start, at_end)

    def _sorted_out(
        self, which: np.ndarray, value: np.ndarray, inside: np.ndarray, at_start: np.ndarray, at_end: np.ndarray
    ) -> Found:
        sides = {"has": inside, "begins": inside & at_start, "ends": inside & at_end, "is": at_start & at_end}
        order = np.argsort(which, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(which[order])) + 1) if len(order) else ():
            for atom in self.atoms[self.literals[which[part[0]]]]:
                met = part[sides[atom.side][part]]
                if len(met):
                    yield atom, np.unique(value[met])


def lowered(values: pa.StringArray, connection: duckdb.DuckDBPyConnection) -> pa.StringArray:
    """In lower case as DuckDB has it, which beyond ASCII is not as Arrow has it."""
    if pc.all(pc.string_is_ascii(values), min_count=0).as_py():
        return pc.ascii_lower(values)
    return asked(connection, "lower(t) AS t", pa.table({"t": values}))["t"].combine_chunks()
