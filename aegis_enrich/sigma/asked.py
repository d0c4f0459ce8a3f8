"""Asks DuckDB about rows at hand, in one thread and in UTC."""

from __future__ import annotations

import warnings

import duckdb
import pyarrow as pa

warnings.filterwarnings("ignore", "Arrow output on a DB-API result makes an extra copy")  # planning twice takes longer


def session() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def asked(connection: duckdb.DuckDBPyConnection, columns: str, rows: pa.Table) -> pa.Table:
    """These columns of the rows, in their order."""
    connection.register("rows_", rows)
    try:
        answer: pa.Table = connection.execute(f"SELECT {columns} FROM rows_").to_arrow_table()
        return answer
    finally:
        connection.unregister("rows_")
