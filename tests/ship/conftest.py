"""Lakes on this machine and on an S3 server, and a state to be shipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aegis_enrich.ship import Far
from aegis_enrich.store import Rows, Store, common_lake, compact
from aegis_enrich.tables import TABLES

HERE = Path(__file__).parent
HOUR_US = 3_600_000_000


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need the S3 server run in one worker."""
    for item in items:
        if item.path.parent == HERE and "lake" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("s3"))


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The arguments of `Far` and of `ship --to` for a lake that is empty: target and endpoint."""
    if request.param == "local":
        return [str(tmp_path / "lake"), ""]
    return list(request.getfixturevalue("bucket"))


@pytest.fixture
def far(lake: list[str]) -> Far:
    return Far(lake[0], endpoint=lake[1])


class State:
    """A state that is written and merged; each row has a number of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.rows = root, 0
        with Store(root):
            pass

    def flush(
        self, sensor: str = "s1", *, table: str = "conn", hour: int = 0, rows: int = 2, derived: bool = False
    ) -> None:
        times = pa.array([hour * HOUR_US + n for n in range(rows)], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
        given = {"ts": times, "end_ts": times, "source": ["zeek"] * rows, "sensor": [sensor] * rows}
        given["uid"] = [f"C{self.rows + n}" for n in range(rows)]
        self.rows += rows
        schema = TABLES[table].schema
        columns = {
            f.name: pa.array(given[f.name], f.type) if f.name in given else pa.nulls(rows, f.type) for f in schema
        }
        with Store(self.root) as store:
            if derived:
                store.commit_derived("pair_hour", sensor, hour * HOUR_US, pa.table({"n": [1] * rows}), "hour:pair_hour")
            else:
                store.flush([Rows(table, sensor, pa.table(columns))], [])

    def merge(self) -> int:
        """Merges all that is due, as if weeks had passed, and removes what was replaced at once."""
        merged = 0
        with Store(self.root) as store:
            while parts := compact.due(store, {"s1": 2**60, "s2": 2**60}):
                compact.put_in_place(store, parts, compact.merge(store.lake, parts), now_us=0, passed=None)
                merged += 1
            for (path,) in store.query("SELECT path FROM segments WHERE tombstone_us IS NOT NULL"):
                (self.root / path).unlink(missing_ok=True)
            with store.transaction() as tx:
                tx.execute("DELETE FROM segments WHERE tombstone_us IS NOT NULL")
        return merged

    def forget(self, table: str = "conn") -> None:
        """Retention takes all rows of a table."""
        with Store(self.root) as store, store.transaction() as tx:
            tx.execute("DELETE FROM segments WHERE tbl = ?", [table])

    def uids(self) -> Counter[str]:
        with Store(self.root, read_only=True) as store:
            return _uids([pq.read_table(s.path, columns=["uid"]) for s in store.living("derived = 0", ())])


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def _uids(tables: list[pa.Table]) -> Counter[str]:
    return Counter(uid for table in tables for uid in table["uid"].to_pylist())


@pytest.fixture
def shipped() -> Callable[[Far], Counter[str]]:
    """The rows that a reader of a lake sees now, each file that a manifest names being there."""

    def read(far: Far) -> Counter[str]:
        tables = []
        for segment in segments(far):
            if not segment.derived:
                with far._files.open_input_file(far._at(str(segment.path))) as file:
                    table = pq.read_table(file)
                assert table.num_rows == segment.rows
                tables.append(table)
        return _uids(tables)

    return read


def segments(far: Far) -> list[Any]:
    """What a lake's manifests name."""
    found = []
    for sensor in far.folders(""):
        for path in sorted(far.files_in(f"{sensor}/{common_lake.MANIFEST}")):
            if path.endswith(".jsonl"):
                found += common_lake.read_lines(far.read(path) or "", Path(sensor), where=path)
    return common_lake.whole(found)


@pytest.fixture
def named() -> Callable[[Far], list[Any]]:
    return segments


def rows(first: int, count: int = 20) -> pa.Table:
    """Rows of conn with uids C<first>, C<first + 1>, and so on."""
    schema = TABLES["conn"].schema
    times = pa.array([1_700_000_000_000_000 + n for n in range(first, first + count)], pa.int64())
    given = {"ts": times.cast(pa.timestamp("us", tz="UTC")), "uid": [f"C{n}" for n in range(first, first + count)]}
    given |= {"end_ts": given["ts"], "source": ["zeek"] * count, "sensor": ["s"] * count}
    return pa.table(
        {f.name: pa.array(given[f.name], f.type) if f.name in given else pa.nulls(count, f.type) for f in schema}
    )
