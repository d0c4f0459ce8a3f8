"""Zeek's tab-separated lines under one header to a part of a table."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ..tables import TABLES
from . import extra
from .columns import assigned, is_set
from .header import Header
from .lines import Lines, Numbers, escape_invalid
from .result import Part
from .text import unescape_all
from .typed import Mask, Typed, typed, typed_lists

_UNIT = "\x1f"  # stands for a separator of several bytes
_NUMBERS = {"interval", "double", "count", "int"}
# Declared types that a column of our kind takes; any other sends the log's column to `extra`. Kinds that are not here
# take all; so does what no type is declared for.
_TAKES = {
    "time": {"time"},
    "interval": _NUMBERS,
    "double": _NUMBERS,
    "count": _NUMBERS | {"port"},
    "port": _NUMBERS | {"port"},
    "bool": {"bool"},
    "addr": {"addr", "string"},
}


def decode_tsv(
    table: str, lines: Lines, numbers: Numbers, header: Header, reasons: MutableMapping[int, str]
) -> Part | None:
    """The rows of these lines; the reasons of those that are none are added to `reasons` by line number."""
    if not header.fields:
        reasons.update((int(n), "neither JSON nor below a #fields line") for n in numbers)
        return None
    data = _safe(lines.select(numbers).data, header)
    separator = header.separator if _is_byte(header.separator) else _UNIT
    fitting = _fitting(Lines(data), separator, header, numbers, reasons)
    if not len(fitting):
        return None
    if len(fitting) < len(numbers):
        data, numbers = Lines(data).select(fitting).data, numbers[fitting]
    raw = dict(zip(map(str, range(len(header.fields))), _texts(data, separator, header), strict=True))
    reader = _Reader(table, header, raw, escaped=b"\\" in data)
    columns: dict[str, pa.Array] = {}
    for column, value in reader.columns():
        columns[column] = value.values
        if value.bad is not None:
            _note(column, TABLES[table].kinds[column], value.bad, reader.source[column], numbers, reasons)
    columns["extra"] = reader.extra(len(numbers))
    return Part(table, "zeek", pa.array(numbers), columns)


def _note(
    column: str, kind: str, bad: Mask, texts: pa.Array, numbers: Numbers, reasons: MutableMapping[int, str]
) -> None:
    for row in np.flatnonzero(bad):
        reasons.setdefault(int(numbers[row]), f"{column}: {texts[row].as_py()[:60]!r} does not read as {kind}")


def _safe(data: bytes, header: Header) -> bytes:
    """Without what would end a line or a text early: written as the escapes that Zeek writes for it."""
    if b"\r" in data:
        data = data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\\x0d")
    if b"\0" in data:
        data = data.replace(b"\0", b"\\x00")
    if not _is_byte(header.separator):
        data = data.replace(header.separator.encode(), _UNIT.encode())
    return escape_invalid(data, "\\x")


def _is_byte(separator: str) -> bool:
    return len(separator) == 1 and separator.isascii()


def _fitting(
    lines: Lines, separator: str, header: Header, numbers: Numbers, reasons: MutableMapping[int, str]
) -> Numbers:
    """Positions of the lines that have as many fields as the header."""
    wanted = len(header.fields)
    separators = np.flatnonzero(np.frombuffer(lines.data, np.uint8) == ord(separator))
    upto = np.searchsorted(separators, lines.ends)
    found = np.diff(upto, prepend=0) + 1
    for position in np.flatnonzero(found != wanted):
        reasons[int(numbers[position])] = f"has {found[position]} fields where #fields names {wanted}"
    return np.flatnonzero(found == wanted).astype(np.int64)


def _texts(data: bytes, separator: str, header: Header) -> list[pa.Array]:
    names = [str(i) for i in range(len(header.fields))]
    table = pa.csv.read_csv(
        pa.BufferReader(data),
        read_options=pa.csv.ReadOptions(column_names=names, block_size=max(len(data), 1), use_threads=False),
        parse_options=pa.csv.ParseOptions(
            delimiter=separator, quote_char=False, escape_char=False, ignore_empty_lines=False
        ),
        convert_options=pa.csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[header.unset_field],
            strings_can_be_null=True,
        ),
    )
    return [c.chunk(0) if c.num_chunks == 1 else c.combine_chunks() for c in table.columns]  # combining copies


class _Reader:
    """Fields as texts to columns of the table; `source` is what each was read from."""

    def __init__(self, table: str, header: Header, raw: dict[str, pa.Array], *, escaped: bool) -> None:
        self.table, self.header, self.raw, self.escaped = table, header, raw, escaped
        self.source: dict[str, pa.Array] = {}
        named = [(name, str(i)) for i, name in enumerate(header.fields)]
        position = dict(reversed(named))
        kinds = TABLES[table].kinds
        self.known = {
            column: position[name]
            for column, name in assigned(table, header.fields).items()
            if self._takes(kinds[column], header.type_of(int(position[name])))
        }
        used = set(self.known.values())
        self.unknown = {name: i for name, i in reversed(named) if i not in used}

    @staticmethod
    def _takes(kind: str, declared: str) -> bool:
        return not declared or kind not in _TAKES or declared in _TAKES[kind]

    def columns(self) -> Iterator[tuple[str, Typed]]:
        for column, position in self.known.items():
            self.source[column] = self.raw[position]
            yield column, self._read(column, self.raw[position])

    def _read(self, column: str, texts: pa.Array) -> Typed:
        kind = TABLES[self.table].kinds[column]
        if kind.endswith("s"):
            return typed_lists(kind, self._lists(texts), ordered=not is_set(self.table, column))
        return typed(kind, self._text(texts) if kind == "string" else texts)

    def _text(self, texts: pa.Array) -> pa.Array:
        empty = pc.equal(texts, self.header.empty_field)
        if pc.any(empty).as_py():
            texts = pc.if_else(empty, "", texts)
        return unescape_all(texts) if self.escaped else texts

    def _lists(self, texts: pa.Array) -> pa.Array:
        """Sets and vectors as lists of texts."""
        full = pc.fill_null(pc.not_equal(texts, self.header.empty_field), False)
        if not pc.any(full).as_py():
            nothing = pa.array(np.zeros(len(texts) + 1, np.int32))
            return pa.ListArray.from_arrays(nothing, pa.array([], pa.string()), mask=texts.is_null())
        split = pc.split_pattern(pc.if_else(full, texts, ""), self.header.set_separator)
        lengths = pc.if_else(full, pc.list_value_length(split), 0).to_numpy(zero_copy_only=False)
        kept = np.repeat(full.to_numpy(zero_copy_only=False), pc.list_value_length(split))
        elements = split.flatten().filter(pa.array(kept))
        unset = pc.equal(elements, self.header.unset_field)
        elements = self._text(pc.if_else(unset, None, elements))
        offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
        return pa.ListArray.from_arrays(pa.array(offsets), elements, mask=texts.is_null())

    def extra(self, rows: int) -> pa.Array:
        fragments = {name: self._fragment(int(i)) for name, i in self.unknown.items()}
        return extra.from_fragments(fragments, rows)

    def _fragment(self, position: int) -> pa.Array:
        texts, declared = self.raw[str(position)], self.header.type_of(position)
        container, _, element = declared.removesuffix("]").partition("[")
        if element and container in ("set", "vector"):
            lists = self._lists(texts)
            if container == "set":
                lists = typed_lists("strings", lists, ordered=False).values
            return extra.list_fragments(element, lists)
        return extra.fragments(declared, self._text(texts))
