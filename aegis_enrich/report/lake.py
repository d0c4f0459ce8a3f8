"""Runs the report's queries over the lake: one sensor, one span, a few hundred rows of result each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from ..detect.evaluate import Limits, session
from ..errors import StateError
from ..store import Store
from ..store.views import create_view
from ..tables import TABLES

Row = dict[str, Any]

# What the enricher of networks adds and the queries use; null in a state that was made without it.
_ADDED = {"orig_internal": pa.bool_(), "resp_internal": pa.bool_()}
_WORD = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True)
class Lake:
    """The rows of a state; it is only read, beside a running `watch`, too."""

    store: Store
    limits: Limits

    def ask(self, query: str, sensor: str, start_us: int, end_us: int, **values: Any) -> list[Row]:
        """The rows that `sql/<query>.sql` gives over a sensor's rows with `end_ts` in `[start_us, end_us)`.

        Raises StateError where the rows cannot be read or the query takes more memory than it may.
        """
        asked = {"start_us": start_us, "end_us": end_us, **values}
        try:
            return self._run(query, sensor, asked)
        except duckdb.IOException:
            pass  # a segment was merged away meanwhile: the manifest names another now
        except duckdb.OutOfMemoryException as error:
            what = f"the report takes more memory than memory_limit ({self.limits.memory}); name a --since or raise it"
            raise StateError(what, where=str(self.store.root)) from error
        try:
            return self._run(query, sensor, asked)
        except duckdb.IOException as error:
            raise StateError(f"rows cannot be read: {error}; try again", where=str(self.store.root)) from error

    def _run(self, query: str, sensor: str, values: Mapping[str, Any]) -> list[Row]:
        sql = text(query)
        words = frozenset(_WORD.findall(_COMMENT.sub("", sql)))
        with session(self.limits) as connection:
            for table in sorted(words & TABLES.keys()):
                view = self.store.view(table, sensor, values["start_us"], values["end_us"], _schema(table))
                create_view(connection, view.of(words))
            result = connection.execute(sql, {n: v for n, v in values.items() if f"${n}" in sql})
            columns = [column[0] for column in result.description]
            return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


@cache
def text(query: str) -> str:
    return (files(__package__) / "sql" / f"{query}.sql").read_text(encoding="utf-8")


def _schema(table: str) -> pa.Schema:
    own = TABLES[table].schema
    return pa.schema([*own, *(pa.field(n, k) for n, k in _ADDED.items() if n not in own.names)])
