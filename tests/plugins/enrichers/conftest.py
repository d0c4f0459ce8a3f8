"""Rows of a canonical table from the columns that a test is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.tables import TABLES


@pytest.fixture
def rows() -> Callable[..., pa.Table]:
    def make(table: str, **columns: list[Any]) -> pa.Table:
        schema, count = TABLES[table].schema, len(next(iter(columns.values())))
        made = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type) for f in schema]
        return pa.table(made, schema=schema)

    return make
