"""Suricata's EVE lines to parts of the tables that Zeek fills: one query an event type, in the `.sql` files here."""

from __future__ import annotations

import functools
import json
from collections.abc import MutableMapping
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...tables import TABLES
from .. import extra, json_lines
from ..lines import Lines, Numbers, escape_invalid
from ..result import Part
from ..text import clean_all, replace
from ..typed import canonical_address, countable, typed
from ..zeek_json import note_invalid
from .shapes import SHAPES, TABLES_OF, patch


def decode_eve(lines: Lines, numbers: Numbers, reasons: MutableMapping[int, str]) -> tuple[list[Part], int]:
    """The rows of these lines, and how many are events that no table takes.

    The reasons of lines that are no event are added to `reasons` by line number. A field that does not read as its
    type is null: Suricata's own writer made it.
    """
    if not len(numbers):
        return [], 0
    data = escape_invalid(lines.select(numbers).data, "\\\\x")
    types, rows, valid = json_lines.of_valid(_event_types, json_lines.as_table(Lines(data)))
    if valid is not None:
        numbers = note_invalid(numbers, valid, reasons)
    which = _whole(types)
    reasons.update((int(n), "no event_type") for n in numbers[which.is_null().to_numpy(zero_copy_only=False)])
    rows = rows.append_column("number", pa.array(numbers))
    skipped = len(which) - which.null_count
    control = b"\\u00" in data
    parts: list[Part] = []
    for event_type in sorted(TABLES_OF.keys() & set(which.unique().to_pylist())):
        chosen = rows.filter(pc.equal(which, event_type))
        bad: dict[int, str] = {}
        found = [p for table in TABLES_OF[event_type] for p in _parts(event_type, table, chosen, control, bad)]
        taken = pc.unique(pa.concat_arrays([pa.array(bad.keys(), pa.int64()), *(part.numbers for part in found)]))
        skipped -= len(taken)
        reasons.update(bad)
        parts.extend(found)
    return parts, skipped


def _event_types(lines: pa.Table) -> pa.ChunkedArray:
    return json_lines.query("SELECT line ->> '$.event_type' AS type FROM lines", lines)["type"]


@functools.cache
def _sql(event_type: str, table: str) -> str:
    return (Path(__file__).parent / f"{event_type}_{table}.sql").read_text(encoding="utf-8").rstrip().rstrip(";")


@functools.cache
def _ciphers() -> dict[str, str]:
    """IANA's names of TLS cipher suites by their decimal number."""
    text = (Path(__file__).parent / "ciphers.csv").read_text(encoding="ascii")
    return dict(line.split(",", 1) for line in text.splitlines()[1:])


def _parts(event_type: str, table: str, rows: pa.Table, control: bool, bad: MutableMapping[int, str]) -> list[Part]:
    """The table's rows of these events; one whose values no query can take is bad, and the others are not."""
    try:
        return [_part(event_type, table, rows, control)]
    except (duckdb.DataError, duckdb.InvalidInputException) as error:
        if rows.num_rows == 1:
            bad[rows["number"][0].as_py()] = str(error).splitlines()[0]
            return []
    half = rows.num_rows // 2
    halves = (rows.slice(0, half), rows.slice(half))
    return [part for some in halves for part in _parts(event_type, table, some, control, bad)]


def _part(event_type: str, table: str, rows: pa.Table, control: bool) -> Part:
    shape = SHAPES[event_type]
    sql = f"""
        WITH parsed AS (
            SELECT number, line, unnest(json_transform(line, ?)) FROM lines
        ), events AS (
            SELECT
                * REPLACE (sane_time(TRY_CAST(timestamp AS TIMESTAMPTZ)) AS timestamp),
                json_merge_patch(line, ?) AS rest
            FROM parsed
        )
        SELECT * FROM (
            {_sql(event_type, table)}
        )"""
    found = json_lines.query(sql, rows, [json.dumps(shape), json.dumps(patch(event_type))])
    columns = {name: _column(table, name, found[name], control) for name in found.column_names if name != "number"}
    return Part(table, "suricata", _whole(found["number"]), columns)


def _column(table: str, name: str, values: pa.ChunkedArray, control: bool) -> pa.Array:
    kind, array = TABLES[table].kinds[name], _whole(values)
    if name in ("extra", "metadata"):
        return extra.normalised(array.cast(pa.string()))
    if kind == "addr":
        return typed("addr", array).values
    if (table, name) == ("ssl", "cipher"):
        return replace(array, array.is_valid(), _ciphers().get)
    if name == "answers" or kind == "addrs":
        return _canonical_addresses(array)
    if kind == "string" and control:
        array = clean_all(array)
    array = array.cast(TABLES[table].schema.field(name).type)
    return countable(array) if kind in ("count", "port", "int") else array


def _canonical_addresses(lists: pa.Array) -> pa.Array:
    """IPv6 addresses among these texts as Zeek has them; Suricata writes all their digits."""
    texts = lists.flatten()
    likely = pc.match_substring_regex(texts, "^[0-9a-fA-F.]*:[0-9a-fA-F:.]*$")
    texts = replace(texts, likely, lambda a: canonical_address(a) or a)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
    return pa.ListArray.from_arrays(pa.array(offsets), texts, mask=lists.is_null())


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
