"""What a query sees: one table's rows of one sensor in one span of event time, over the segments that hold them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

_DUCKDB_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.list_(pa.float64()): "DOUBLE[]",
    pa.list_(pa.int64()): "BIGINT[]",
}

_NEEDED = {
    "dns": ("uid", "trans_id", "query", "qtype_name", "event", "rcode_name", "answers", "rtt")
}  # to pair rows by


@dataclass(frozen=True)
class View:
    """A table as a query sees it; `temporary` holds rows that are in no segment (hours that are not sealed)."""

    name: str
    schema: pa.Schema
    start_us: int
    end_us: int
    paths: tuple[str, ...] = ()
    rows: int = 0
    derived: bool = False
    temporary: pa.Table | None = None
    source: str = ""  # whose rows they are, where they are of one

    def of(self, names: Collection[str]) -> View:
        """With the columns of these names only (and those that the view itself needs): the fewer, the faster."""
        needed = {n.lower() for n in (*names, *_NEEDED.get(self.name, ()), "ts", "end_ts", "hour_us")}
        return replace(self, schema=pa.schema([f for f in self.schema if f.name.lower() in needed]))

    @property
    def pairs(self) -> bool:
        """Whether a row of it may be made of two, so that another span may show other rows."""
        return self.name == "dns" and self.source != "zeek" and self.holds

    @property
    def holds(self) -> bool:
        """Whether it may show a row."""
        return bool(self.paths) or (self.temporary is not None and self.temporary.num_rows > 0)


def create_view(
    connection: duckdb.DuckDBPyConnection, view: View, *, prefix: str = "", shard: tuple[str, int, int] | None = None
) -> None:
    """Makes the view in `connection`, with `ts_us` and `end_us` (µs, BIGINT) beside a log's `ts` and `end_ts`.

    Its name is the table's, after `prefix`.

    `shard` (column, count, number) keeps the rows whose hash of the column falls to that number; a table without that
    column stays whole.
    """
    parts = []
    if view.paths:
        files = ", ".join(_quoted(p) for p in view.paths)
        held = {name for path in view.paths for name in _columns(path)}
        columns = ", ".join(
            f'"{f.name}"' if f.name in held else f'NULL::{_type(f.type)} AS "{f.name}"' for f in view.schema
        )
        parts.append(f"SELECT {columns} FROM {_read(files)}")
    if view.temporary is not None:
        relation = f"temporary_{view.name}"
        connection.register(relation, view.temporary)
        parts.append(f"SELECT {', '.join(_name(f) for f in view.schema)} FROM {relation}")
    if not parts:
        columns = ", ".join(f"NULL::{_type(f.type)} AS {_name(f)}" for f in view.schema)
        parts.append(f"SELECT {columns} LIMIT 0")
    # bounds of the stored column as it is, so that whole row groups are passed over
    time, bound = ("hour_us", "{}") if view.derived else ("end_ts", "make_timestamptz({})")
    where = [f"{time} >= {bound.format(view.start_us)} AND {time} < {bound.format(view.end_us)}"]
    if shard is not None and shard[0] in view.schema.names:
        column, count, number = shard
        where.append(f'hash("{column}") % {count} = {number}')
    times = "" if view.derived else ", epoch_us(ts) AS ts_us, epoch_us(end_ts) AS end_us"
    source = " UNION ALL ".join(parts)
    sql = f"SELECT *{times} FROM ({source}) WHERE {' AND '.join(where)}"
    if view.pairs:
        sql = paired(sql, (*view.schema.names, "ts_us", "end_us"))
    connection.execute(f'CREATE OR REPLACE TEMP VIEW "{prefix}{view.name}" AS {sql}')


_OF_ANSWER = ("rcode", "rcode_name", "AA", "TC", "RD", "RA", "Z", "answers", "TTLs", "answer_count", "answer_bytes")
_OF_QUERY = ("ts", "end_ts", "ts_us", "end_us", "event")


def paired(sql: str, names: Collection[str]) -> str:
    """Queries and answers of EVE's dns v2 as one row each pair: what the query does not say comes from its answer.

    The n-th query of (uid, trans_id, query, qtype_name) belongs to the n-th answer. Zeek's rows pass as they are.
    `names`: the columns of the rows that `sql` gives, with `ts_us` and `end_us`.
    """
    if "event" not in names:
        return sql
    key = ("uid", "trans_id", "query", "qtype_name")

    def of_pair(column: str) -> str:
        if column == "rtt":
            return "coalesce(q.rtt, (a.ts_us - q.ts_us) / 1000000.0) AS rtt"
        if column in (*key, *_OF_QUERY):
            return f'q."{column}"'
        first, second = ("a", "q") if column in _OF_ANSWER else ("q", "a")
        return f'coalesce({first}."{column}", {second}."{column}") AS "{column}"'

    order = ["ts_us", *(c for c in ("rcode_name", "answers::VARCHAR") if c.partition(":")[0] in names)]
    nth = f"row_number() OVER (PARTITION BY {', '.join(key)}, event ORDER BY {', '.join(order)}) AS nth"
    match = " AND ".join(f"q.{c} IS NOT DISTINCT FROM a.{c}" for c in (*key, "nth"))
    return f"""
        WITH ranked AS (SELECT *, {nth} FROM ({sql})),
        q AS (SELECT * FROM ranked WHERE event IS DISTINCT FROM 'answer'),
        a AS (SELECT * FROM ranked WHERE event = 'answer')
        SELECT {", ".join(map(of_pair, names))}
        FROM q LEFT JOIN a ON q.event = 'query' AND {match}
        UNION ALL
        SELECT {", ".join(f'a."{c}"' for c in names)} FROM a
        WHERE NOT EXISTS (SELECT 1 FROM q WHERE q.event = 'query' AND {match})"""


@lru_cache(maxsize=4096)
def _columns(path: str) -> tuple[str, ...]:
    """A segment's; it never changes."""
    return tuple(pq.read_schema(path).names)


def _read(files: str) -> str:
    return f"read_parquet([{files}], union_by_name = true)"


def _name(field: pa.Field) -> str:
    return f'"{field.name}"'


def _type(kind: pa.DataType) -> str:
    return _DUCKDB_TYPES[kind]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
