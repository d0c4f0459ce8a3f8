"""Which rows come late for which detector, and where that is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.pipeline.late import count_late
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store import LogProgress, Rows, Store
from aegis_enrich.tables import TABLES

BASE_US = 475_000 * HOUR_US
SCANS = {"conn": ({"conn_state": ("REJ", "S0")}, {"proto": ("icmp",)})}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as store:
        yield store


def watch(*reads: str, derived: tuple[str, ...] = (), counts: Mapping[str, Any] | None = None) -> SimpleNamespace:
    return SimpleNamespace(detector=SimpleNamespace(reads=reads, derived=derived, counts=counts or {}))


def scheduler(**watches: SimpleNamespace) -> Any:
    return SimpleNamespace(watches=watches, tables={"pair_hour": SimpleNamespace(reads=("conn",))})


def rows(*at: tuple[int, str], source: str = "zeek") -> pa.Table:
    """Rows that end at these microseconds after the hour, in these states."""
    found = [{"ts": BASE_US + t, "end_ts": BASE_US + t, "conn_state": s, "source": source} for t, s in at]
    return pa.Table.from_pylist(found, schema=TABLES["conn"].schema)


def counted(store: Store, watched: Any, table: pa.Table) -> tuple[int, list[tuple[Any, ...]]]:
    with store.transaction() as tx:
        late = count_late(store, watched, tx, "s", "conn", table)
    return late, store.query("SELECT detector, hour_us, rows FROM late_windows ORDER BY detector, hour_us")


def seal(store: Store, unit: str, until_us: int) -> None:
    with store.transaction() as tx:
        store.seal(tx, "s", unit, until_us)


def test_nothing_is_late_before_a_window_is_sealed(store) -> None:
    assert counted(store, scheduler(scan=watch("conn")), rows((0, "SF"))) == (0, [])


def test_rows_before_the_mark_are_counted_by_hour_for_each_detector_that_reads_them(store) -> None:
    watched = scheduler(long=watch("conn"), beacon=watch(derived=("pair_hour",)), names=watch("dns"))
    seal(store, "detector:long", BASE_US + HOUR_US)
    seal(store, "hour:pair_hour", BASE_US)
    seal(store, "detector:names", BASE_US + HOUR_US)
    late, windows = counted(store, watched, rows((-1, "SF"), (0, "SF"), (HOUR_US - 1, "SF"), (HOUR_US, "SF")))
    assert late == 3
    assert windows == [("beacon", BASE_US - HOUR_US, 1), ("long", BASE_US - HOUR_US, 1), ("long", BASE_US, 2)]
    assert counted(store, watched, rows((0, "SF")))[1][-1] == ("long", BASE_US, 3)


def test_a_row_that_a_detector_does_not_count_is_not_late_for_it(store) -> None:
    seal(store, "detector:scan", BASE_US + HOUR_US)
    late, windows = counted(store, scheduler(scan=watch("conn", counts=SCANS)), rows((0, "SF"), (1, "REJ"), (2, "S0")))
    assert (late, windows) == (2, [("scan", BASE_US, 2)])


def test_suricata_s_rows_are_late_only_where_they_are_shown(store) -> None:
    watched = scheduler(long=watch("conn"))
    seal(store, "detector:long", BASE_US + HOUR_US)
    assert counted(store, watched, rows((0, "SF"), source="suricata"))[0] == 1
    progress: list[LogProgress] = []
    store.flush([Rows("conn", "s", rows((0, "SF")))], progress)
    assert counted(store, watched, rows((0, "SF"), source="suricata"))[0] == 0
