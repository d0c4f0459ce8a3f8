"""Zeek's JSON lines to a part of a table."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..tables import TABLES
from . import extra, json_lines
from .columns import candidates, canonical, is_set
from .lines import Lines, Numbers, escape_invalid
from .result import Part
from .text import clean_all
from .typed import LEAST_MILLIS, Mask, Typed, typed, typed_lists

_NESTED = "id"  # of writers that nest dotted names: {"id": {"orig_h": …}}


def decode_json(table: str, lines: Lines, numbers: Numbers, reasons: MutableMapping[int, str]) -> Part | None:
    """The rows of these lines; the reasons of those that are none are added to `reasons` by line number."""
    data = escape_invalid(lines.select(numbers).data, "\\\\x")
    keys, rows, valid = json_lines.of_valid(json_lines.keys, json_lines.as_table(Lines(data)))
    if valid is not None:
        numbers = note_invalid(numbers, valid, reasons)
        if not len(numbers):
            return None
    reader = _Reader(table, rows, keys, control=b"\\u00" in data)
    columns: dict[str, pa.Array] = {}
    for column in reader.sources:
        value = reader.read(column)
        columns[column] = value.values
        if value.bad is not None:
            for row in np.flatnonzero(value.bad):
                text = str(reader.sources[column][int(row)].as_py())[:60]
                kind = TABLES[table].kinds[column]
                reasons.setdefault(int(numbers[row]), f"{column}: {text!r} does not read as {kind}")
    columns["extra"] = reader.extra()
    return Part(table, "zeek", pa.array(numbers), columns)


def note_invalid(numbers: Numbers, valid: pa.ChunkedArray, reasons: MutableMapping[int, str]) -> Numbers:
    """The numbers of the lines that are JSON; the others' reason is noted."""
    good: Mask = valid.to_numpy()
    reasons.update((int(n), "not JSON") for n in numbers[~good])
    kept: Numbers = numbers[good]
    return kept


class _Reader:
    """Fields as texts to columns of the table; `sources` is what each is read from."""

    def __init__(self, table: str, rows: pa.Table, keys: Sequence[str], *, control: bool) -> None:
        self.table, self.rows, self.control = table, rows, control
        kinds = TABLES[table].kinds
        known = {"ts": ["ts"]} | candidates(table, keys)
        structure: dict[str, object] = {
            k: "JSON" if kinds[c].endswith("s") else "VARCHAR" for c, found in known.items() for k in found
        }
        nested = _NESTED in keys and _NESTED not in structure
        inner = ["orig_h", "orig_p", "resp_h", "resp_p"]
        if nested:
            structure[_NESTED] = dict.fromkeys(inner, "VARCHAR")
        values = json_lines.transformed(rows, structure).combine_chunks()
        self.sources = {c: _first(values[key] for key in found) for c, found in known.items()}
        self.rivals = [found for found in known.values() if len(found) > 1]
        self.taken = sorted(structure)
        if nested:
            for name in inner:
                column = canonical(table, f"{_NESTED}.{name}")
                if column:
                    found = pc.struct_field(_array(values[_NESTED]), name)
                    self.sources[column] = pc.coalesce(self.sources[column], found) if column in self.sources else found
        self.others = [k for k in keys if k not in self.taken]
        self.millis = _millis(self.sources.get("ts"))

    def read(self, column: str) -> Typed:
        kind, texts = TABLES[self.table].kinds[column], self.sources[column]
        if kind.endswith("s"):
            lists = _array(json_lines.lists(texts)["items"])
            if self.control:
                lists = _with_values(lists, clean_all(lists.flatten()))
            return typed_lists(kind, lists, ordered=not is_set(self.table, column))
        if kind == "string" and self.control:
            texts = clean_all(texts)
        return typed(kind, texts, millis=self.millis if kind == "time" else None)

    def extra(self) -> pa.Array:
        if not self.others and not self.rivals:
            return pa.nulls(self.rows.num_rows, pa.string())
        return extra.normalised(_array(json_lines.without(self.rows, self.taken, self.rivals)).cast(pa.string()))


def _millis(ts: pa.Array | None) -> Mask | None:
    """Rows whose times are in milliseconds, by their `ts`; None where none is."""
    if ts is None:
        return None
    seconds = typed("double", ts).values
    counts = pc.fill_null(pc.greater_equal(pc.abs(seconds), LEAST_MILLIS), False)
    return counts.to_numpy(zero_copy_only=False) if pc.any(counts).as_py() else None


def _with_values(lists: pa.Array, values: pa.Array) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=lists.is_null())


def _first(columns: Iterable[pa.ChunkedArray]) -> pa.Array:
    arrays = [_array(column) for column in columns]
    return arrays[0] if len(arrays) == 1 else pc.coalesce(*arrays)


def _array(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
