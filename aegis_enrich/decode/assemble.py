"""Parts of tables to tables in their schema: the columns that decoding derives, rows in line order, bad ones out."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..tables import TABLES, TIMESTAMP
from .result import Part
from .text import holding
from .typed import END_S, FIRST_S, MICROS, microseconds

# Rows of these years only: windows, days and spans around a row have dates of their own.
FIRST_US, END_US = (int(s) * MICROS + y * 365 * 86_400 * MICROS for s, y in ((FIRST_S, 1), (END_S, -1)))
_ESCAPED = re.compile(r"\\x[0-9a-f]{2}")


def assemble(parts: Sequence[Part], sensor: str, reasons: MutableMapping[int, str]) -> dict[str, pa.Table]:
    """Tables that hold rows, by name; a row without `ts` is none and gets its reason."""
    for part in parts:
        _require_ts(part, reasons)
    bad = pa.array(sorted(reasons), pa.int64())
    tables: dict[str, list[Part]] = {}
    for part in parts:
        kept = part
        if len(bad):
            keep = pc.invert(pc.is_in(part.numbers, bad))
            columns = {name: values.filter(keep) for name, values in part.columns.items()}
            kept = Part(part.table, part.source, part.numbers.filter(keep), columns)
        if len(kept.numbers):
            tables.setdefault(part.table, []).append(kept)
    return {name: _in_order(found, sensor) for name, found in tables.items()}


def _require_ts(part: Part, reasons: MutableMapping[int, str]) -> None:
    ts = part.columns.get("ts")
    missing = part.numbers if ts is None else part.numbers.filter(ts.is_null())
    for number in missing.to_pylist():
        reasons.setdefault(number, "no ts")
    if ts is not None and not _within(ts):
        us = pc.cast(ts, pa.int64())
        outside = pc.fill_null(pc.or_(pc.less(us, FIRST_US), pc.greater_equal(us, END_US)), False)
        for number in part.numbers.filter(outside).to_pylist():
            reasons.setdefault(number, "ts lies in no year from 2 to 9998")


def _within(ts: pa.Array) -> bool:
    bounds = pc.min_max(pc.cast(ts, pa.int64()))
    return (bounds["min"].as_py() or 0) >= FIRST_US and (bounds["max"].as_py() or 0) < END_US


def _in_order(parts: Sequence[Part], sensor: str) -> pa.Table:
    tables = [_table(part, sensor) for part in parts]
    if len(tables) == 1:
        return tables[0]
    numbers = np.concatenate([part.numbers.to_numpy() for part in parts])
    return pa.concat_tables(tables).take(np.argsort(numbers, kind="stable")).combine_chunks()


def _table(part: Part, sensor: str) -> pa.Table:
    rows = len(part.numbers)
    columns = dict(part.columns)
    columns["end_ts"] = end_of(columns)
    columns["sensor"] = pa.repeat(pa.scalar(sensor), rows)
    columns["source"] = pa.repeat(pa.scalar(part.source), rows)
    if part.table == "dns":
        columns.update(_dns_sizes(columns))
    schema = TABLES[part.table].schema
    arrays = [columns[f.name] if f.name in columns else pa.nulls(rows, f.type) for f in schema]
    return pa.table(arrays, schema=schema)


def end_of(columns: Mapping[str, pa.Array]) -> pa.Array:
    """`ts` and a duration that is not negative, or the row's own `ts_end`; `ts` where there is neither."""
    ts = columns["ts"]
    if (ts_end := columns.get("ts_end")) is not None:
        return _not_before(ts, pc.cast(ts_end, pa.int64()))
    duration = columns.get("duration")
    if duration is None:
        return ts
    length = microseconds(pc.max_element_wise(duration, 0.0))
    return _not_before(ts, pc.add(pc.cast(ts, pa.int64()), length))


def _not_before(ts: pa.Array, end_us: pa.Array) -> pa.Array:
    """An end no sooner than `ts`, nor so late that the windows around it would have no date."""
    early = pc.min_element_wise(end_us, END_US - 1, skip_nulls=False)
    return pc.max_element_wise(pc.cast(ts, pa.int64()), early).cast(pa.timestamp("us")).cast(TIMESTAMP)


def _dns_sizes(columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Lengths in bytes, an escaped byte counted as one."""
    sizes: dict[str, pa.Array] = {}
    if "query" in columns:
        sizes["query_len"] = _size(columns["query"])
    answers = columns.get("answers")
    if answers is not None:
        sizes["answer_count"] = pc.cast(pc.list_value_length(answers), pa.int64())
        lengths = pc.fill_null(_size(answers.flatten()), 0).to_numpy()
        upto = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        ends = np.cumsum(pc.fill_null(pc.list_value_length(answers), 0).to_numpy())
        total = pa.array(np.diff(upto[ends], prepend=0), pa.int64())
        sizes["answer_bytes"] = pc.if_else(answers.is_valid(), total, None)
    return sizes


def _size(texts: pa.Array) -> pa.Array:
    sizes = pc.cast(pc.binary_length(texts), pa.int64())
    escaped = holding(texts, "\\")
    if pc.any(escaped).as_py():
        chosen = texts.filter(escaped).dictionary_encode()
        exact = pa.array([len(_ESCAPED.sub(".", t).encode()) for t in chosen.dictionary.to_pylist()], pa.int64())
        sizes = pc.replace_with_mask(sizes, escaped, exact.take(chosen.indices))
    return sizes
