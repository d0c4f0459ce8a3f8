"""Connections that are alike lie together in a segment; no row is lost or changed."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aegis_enrich.store.clustered import CLUSTERED, clustered

ROWS = [
    {"uid": "C1", "proto": "udp", "resp_p": 53, "conn_state": "SF", "sensor": "s"},
    {"uid": "C2", "proto": "tcp", "resp_p": 443, "conn_state": "SF", "sensor": "s"},
    {"uid": "C3", "proto": "udp", "resp_p": 53, "conn_state": "S0", "sensor": "s"},
    {"uid": "C4", "proto": None, "resp_p": None, "conn_state": None, "sensor": "s"},
    {"uid": "C5", "proto": "udp", "resp_p": 53, "conn_state": "SF", "sensor": "s"},
    {"uid": "C6", "proto": "tcp", "resp_p": 22, "conn_state": "SF", "sensor": "s"},
    {"uid": "C7", "proto": "tcp", "resp_p": 443, "conn_state": "SF", "sensor": "s"},
]
TEXTS = ("uid", "proto", "conn_state", "sensor", "service")
SCHEMA = pa.schema([*((name, pa.string()) for name in TEXTS), ("resp_p", pa.int64())])


@pytest.fixture(params=[1, 3], ids=["whole", "in chunks"])
def rows(request: pytest.FixtureRequest) -> pa.Table:
    step = -(-len(ROWS) // request.param)
    return pa.concat_tables(
        [pa.Table.from_pylist(ROWS[n : n + step], SCHEMA) for n in range(0, len(ROWS), step)], promote_options="none"
    )


def test_equal_rows_lie_together_in_the_order_in_which_they_came(rows: pa.Table) -> None:
    made = clustered(rows).to_pylist()
    keys = [tuple(row[name] for name in CLUSTERED) for row in made]
    assert [row["uid"] for row in made if row["proto"] == "tcp"] == ["C6", "C2", "C7"]
    assert len({key for key, after in zip(keys, [*keys[1:], None], strict=True) if key != after}) == len(set(keys))
    assert [row["uid"] for row in made if row["conn_state"] == "SF" and row["proto"] == "udp"] == ["C1", "C5"]


def test_rows_are_whole(rows: pa.Table) -> None:
    made = clustered(rows)
    assert made.schema == rows.schema
    assert sorted(map(repr, made.to_pylist())) == sorted(map(repr, rows.to_pylist()))


def test_texts_may_be_numbers_of_a_dictionary(rows: pa.Table) -> None:
    at = rows.schema.get_field_index("proto")
    coded = rows.set_column(at, "proto", rows["proto"].dictionary_encode())
    assert clustered(coded)["uid"].to_pylist() == clustered(rows)["uid"].to_pylist()


def test_other_tables_stay_as_they_are() -> None:
    queries = pa.table({"uid": ["C1"], "query": ["a.example"], "proto": ["udp"], "resp_p": [53]})
    assert clustered(queries) is queries
    empty = SCHEMA.empty_table()
    assert clustered(empty) is empty
