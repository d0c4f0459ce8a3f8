"""`extra`: what a log has beyond its table's columns, as compact JSON with sorted keys; null where there is nothing.

Numbers with a fraction keep six digits of it, as Zeek's TSV writer writes times and intervals, so that TSV and JSON
give the same text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .text import replace

DIGITS = 6
_NEEDS_QUOTING = '["\\\\\x00-\x1f]'
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def from_fragments(columns: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """JSON objects of the columns' JSON fragments; a null fragment is left out."""
    if not columns:
        return pa.nulls(rows, pa.string())
    parts = [
        pc.fill_null(pc.binary_join_element_wise(f",{dumped(name)}:", columns[name], ""), "")
        for name in sorted(columns)
    ]
    members = pc.binary_join_element_wise(*parts, "")
    objects = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(members, 1), "}", "")
    return pc.if_else(pc.equal(members, ""), None, objects)


def normalised(objects: pa.Array) -> pa.Array:
    """JSON objects as they came, made compact and sorted, without nulls; one that is empty then is null."""
    return replace(objects, objects.is_valid(), _normal)


def _normal(text: str) -> str | None:
    try:
        value = _plain(json.loads(text))
    except (ValueError, RecursionError):  # a number of 5,000 digits, a thousand levels: DuckDB's JSON, not Python's
        return text
    return dumped(value) if value else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {k: _plain(v) for k, v in value.items()}
        return {k: v for k, v in inner.items() if v is not None and v != {}}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def fragments(kind: str, values: pa.Array) -> pa.Array:
    """Texts of a Zeek type (`count`, `string`, …; no container) as JSON."""
    match kind:
        case "bool":
            which = pc.index_in(values, pa.array(["F", "T"]))
            return pc.if_else(which.is_valid(), pc.take(pa.array(["false", "true"]), which), _quoted(values))
        case "count" | "int" | "port" | "double" | "time" | "interval":
            return replace(values, values.is_valid(), _number)
    return _quoted(values)


def list_fragments(kind: str, lists: pa.Array) -> pa.Array:
    """Lists of texts of a Zeek type as JSON arrays."""
    elements = pc.fill_null(fragments(kind, lists.flatten()), "null")
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    offsets = pc.cumulative_sum(pc.cast(lengths, pa.int32()))
    whole = pa.ListArray.from_arrays(pa.concat_arrays([pa.array([0], pa.int32()), offsets]), elements)
    joined = pc.if_else(lists.is_valid(), pc.binary_join(whole, ","), None)
    return pc.binary_join_element_wise("[", joined, "]", "")


def _quoted(values: pa.Array) -> pa.Array:
    plain = pc.binary_join_element_wise('"', values, '"', "")
    special = pc.fill_null(pc.match_substring_regex(values, _NEEDS_QUOTING), False)
    if not pc.any(special).as_py():
        return plain
    return pc.if_else(special, replace(values, special, dumped), plain)


def _number(text: str) -> str | None:
    if _INTEGER.fullmatch(text):
        return text
    try:
        number = float(text)
    except ValueError:
        return dumped(text)
    return repr(round(number, DIGITS)) if math.isfinite(number) else None
