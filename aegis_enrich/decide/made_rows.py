"""Makes the rows of a rule's test: repeats multiplied, texts filled in, what a log has by itself added, enriched."""

from __future__ import annotations

import hashlib
import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..enrich import Enrichment
from ..errors import ConfigError, Problems
from ..plugin import MICROS
from ..store import Rows
from ..tables import SETS, TABLES
from .cases import Case, CaseRow, Repeat

START_US = 1_767_571_200 * MICROS  # the hour (and day) from which `ts` counts: Monday, 5 January 2026, 0:00 UTC
SENSOR = "sensor"

Written = Mapping[str, Any]


def make_rows(case: Case, enrichment: Enrichment) -> list[Rows]:
    """The rows of a test as segments take them, by table, sensor and source; raises Problems with file and line."""
    groups: dict[tuple[str, str, str], list[tuple[Written, str]]] = defaultdict(list)
    numbers: dict[str, int] = defaultdict(int)
    problems: list[ConfigError] = []
    for row in case.rows:
        try:
            for columns in _repeated(row):
                whole = _whole(row.table, columns, numbers[row.table])
                numbers[row.table] += 1
                groups[row.table, whole["sensor"], whole["source"]].append((whole, row.where))
        except (ValueError, TypeError) as error:
            problems.append(ConfigError(str(error), where=row.where))
    made = []
    for (table, sensor, _), rows in sorted(groups.items()):
        problems += _misfits(table, rows, enrichment.schema(table))
        if not problems:
            made.append(Rows(table, sensor, _table(table, [written for written, _ in rows], enrichment)))
    if problems:
        raise Problems(problems)
    return made


def _repeated(row: CaseRow) -> Iterator[dict[str, Any]]:
    """The row, or as many as its repeats make of it, the last repeat the fastest."""
    if not row.repeats:
        yield dict(row.columns)
        return
    for number, offsets in enumerate(product(*(_offsets(r) for r in row.repeats))):
        columns = {"ts": 0} | dict(row.columns)
        for offset in offsets:
            for column, step in offset.items():
                columns[column] = _stepped(column, columns.get(column), step)
        code = hashlib.sha256(str(number).encode()).hexdigest()
        yield {column: _filled(value, number, code) for column, value in columns.items()}


def _offsets(repeat: Repeat) -> Iterator[dict[str, float]]:
    """What is added to each of the rows: the sum of the steps before it."""
    sums: dict[str, float] = {}
    for number in range(repeat.count):
        yield dict(sums)
        for column, step in repeat.steps[number % len(repeat.steps)].items() if repeat.steps else ():
            sums[column] = round(sums.get(column, 0) + step, 9)


def _stepped(column: str, value: Any, step: float) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return round(value + step, 9)
    try:
        return str(ipaddress.ip_address(value) + int(step))
    except ValueError as error:
        what = f"step: {column} is {value!r}; a step is added to a number or an address"
        raise ValueError(what) from error


def _filled(value: Any, number: int, code: str) -> Any:
    """A text with `{n}` and `{hash}` filled in."""
    if isinstance(value, list):
        return [_filled(v, number, code) for v in value]
    if not isinstance(value, str) or "{" not in value:
        return value
    try:
        return value.format(n=number, hash=code)
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise ValueError(f"{value!r}: {error}; in a repeated row write {{n}} or {{hash}}, and a brace twice") from error


def _whole(table: str, columns: Written, number: int) -> dict[str, Any]:
    """The row with what comes by itself; times in µs since the epoch."""
    kinds = TABLES[table].kinds
    row = {
        "ts": 0,
        "uid": f"C{number:06}",
        "sensor": SENSOR,
        "source": "suricata" if table.startswith("suricata_") else "zeek",
        **columns,
    }
    row |= {name: _time_us(name, value) for name, value in row.items() if kinds.get(name) == "time"}
    row |= {name: _address(value) for name, value in row.items() if kinds.get(name) == "addr"}
    row |= {name: sorted(row[name]) for name in SETS.get(table, ()) if isinstance(row.get(name), list)}
    duration = row.get("duration") or 0
    if not isinstance(duration, (int, float)) or row["ts"] is None:
        raise ValueError(f"duration: {duration!r} is not a number of seconds" if row["ts"] else "a row needs its ts")
    row.setdefault("end_ts", max(row.get("ts_end") or row["ts"], row["ts"] + max(0, round(duration * MICROS))))
    if table == "dns":
        row = _dns_sizes(row) | row
    return row


def _time_us(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.combine(value, time(), UTC)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * MICROS)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name}: {value!r} is no time; write seconds from the start of the hour")
    return START_US + round(value * MICROS)


def _address(value: Any) -> Any:
    """An address in canonical form; what is none stays, as in logs."""
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else value
    except ValueError:
        return value


def _dns_sizes(row: Written) -> dict[str, Any]:
    query, answers = row.get("query"), row.get("answers")
    sizes: dict[str, Any] = {"query_len": len(query.encode())} if isinstance(query, str) else {}
    if isinstance(answers, list):
        sizes |= {"answer_count": len(answers), "answer_bytes": sum(len(str(a).encode()) for a in answers)}
    return sizes


def _misfits(table: str, rows: Sequence[tuple[Written, str]], schema: pa.Schema) -> Iterator[ConfigError]:
    """Columns that are not there and values that are not of their type, each told once a line."""
    for column in dict.fromkeys(c for written, _ in rows for c in written):
        kind = schema.field(column).type if column in schema.names else None
        if _fit([written.get(column) for written, _ in rows], kind):
            continue
        told = set()
        for written, where in rows:
            if column in written and where not in told and not _fit([written[column]], kind):
                told.add(where)
                what = (
                    f"{written[column]!r} is no {kind}" if kind is not None else f"there is no such column in {table}"
                )
                yield ConfigError(f"{column}: {what}", where=where)


def _fit(values: Sequence[Any], kind: pa.DataType | None) -> bool:
    """Whether these are values of a column; Arrow itself would cut fractions off and take texts for lists."""
    if kind is None:
        return False
    if pa.types.is_integer(kind) and any(isinstance(v, float) and not v.is_integer() for v in values):
        return False
    if pa.types.is_nested(kind) and any(isinstance(v, str) for v in values):
        return False
    try:
        pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return False
    return True


def _table(table: str, rows: Sequence[Written], enrichment: Enrichment) -> pa.Table:
    """The rows enriched; where a row writes a column that an enricher makes, what is written stays."""
    schema = TABLES[table].schema
    plain = pa.table([pa.array([r.get(f.name) for r in rows], f.type) for f in schema], schema=schema)
    enriched = enrichment.apply(table, plain)
    for at, column in enumerate(enriched.schema):
        held = pa.array([column.name in r for r in rows])
        if pc.any(held).as_py():
            written = pa.array([r.get(column.name) for r in rows], column.type)
            enriched = enriched.set_column(at, column, pc.if_else(held, written, enriched.column(at)))
    return enriched
