"""A state of made-up connections, and what its lake holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aegis_enrich.store import Rows, Store
from aegis_enrich.tables import TABLES

Made = Callable[..., pa.Table]


@pytest.fixture
def made() -> Made:
    return make


def make(*times_s: float, table: str = "conn", source: str = "zeek", **columns: list[Any]) -> pa.Table:
    """Rows of a log at these times (seconds of event time); every other column is null unless it is given."""
    times = pa.array([int(t * 1_000_000) for t in times_s], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    given = {
        "ts": times,
        "end_ts": times,
        "source": [source] * len(times_s),
        "sensor": ["sensor"] * len(times_s),
        "uid": [f"C{t}" for t in times_s],
        **columns,
    }
    schema = TABLES[table].schema
    return pa.table(
        {f.name: pa.array(given[f.name], f.type) if f.name in given else pa.nulls(len(times_s), f.type) for f in schema}
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def flush(store: Store) -> Callable[..., None]:
    def flushed(*times_s: float, table: str = "conn", sensor: str = "sensor", **more: Any) -> None:
        store.flush([Rows(table, sensor, make(*times_s, table=table, **more))], [])

    return flushed


@pytest.fixture
def uids() -> Callable[..., list[str]]:
    """What the manifest holds of a table, by uid, sorted."""

    def held(store: Store, table: str = "conn") -> list[str]:
        parts = [pq.read_table(s.path, columns=["uid"]) for s in store.living("tbl = ?", [table])]
        return sorted(pa.concat_tables(parts)["uid"].to_pylist()) if parts else []

    return held


@pytest.fixture
def files() -> Callable[[Path], set[str]]:
    """Every file of a lake, by name."""
    return lambda root: {p.name for p in (root / "lake").rglob("*") if p.is_file()}
