"""What is told of before its window is sealed: the open windows that hold new rows of early tables, by these alone."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich.detect.early import Early
from aegis_enrich.detect.evaluate import Limits
from aegis_enrich.detect.scheduler import Scheduler, Watch
from aegis_enrich.detect.windows import Window
from aegis_enrich.plugin import HOUR_US, MICROS, Detector, Finding
from aegis_enrich.store import Rows, Store
from aegis_enrich.tables import TABLES

BASE = 475_000 * HOUR_US


class Counting(Detector):
    """Says how many rows a client has in both tables."""

    name = "counting"
    reads = ("conn", "aegis_scan")
    early = ("aegis_scan",)
    window_s = 3600
    every_s = 1800
    entity = ("orig_h",)

    @classmethod
    def sql(cls) -> str:
        both = "SELECT orig_h, ts_us, end_us FROM conn UNION ALL SELECT orig_h, ts_us, end_us FROM aegis_scan"
        return f"SELECT orig_h, count(*) AS n, min(ts_us) AS first_us, max(end_us) AS last_us FROM ({both}) GROUP BY 1"

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        rows = features.assign(score=0.5, evidence=[{"n": n} for n in features["n"]], reason="rows", uids=None)
        return rows.drop(columns="n")


class Failing(Counting):
    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        raise ValueError("too much")


class Patient(Counting):
    """Waits for the window."""

    name = "patient"
    early = ()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def made(table: str, *at_min: float) -> pa.Table:
    """A row of one client at each of these minutes after BASE."""
    times = [BASE + round(m * 60 * MICROS) for m in at_min]
    rows = [{"ts": t, "end_ts": t, "sensor": "s", "source": "zeek", "orig_h": "10.0.0.1"} for t in times]
    schema = TABLES[table].schema
    return pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}, schema=schema)


def put(store: Store, table: str, *at_min: float) -> pa.Table:
    rows = made(table, *at_min)
    store.flush([Rows(table, "s", rows)], [])
    return rows


class Told:
    """What was decided: whether early, the window's end in minutes after BASE, and the rows that were seen."""

    def __init__(self, store: Store, *detectors: type[Detector]) -> None:
        self.said: list[tuple[bool, int, int]] = []
        watches = [Watch(d, d.tuning()) for d in detectors or (Counting, Patient)]
        self.scheduler = Scheduler(
            store, watches, {}, lambda t: TABLES[t].schema, self._decide, lambda tx, unit: None, Limits(threads=1)
        )
        self.early = Early(self.scheduler)

    def _decide(
        self,
        tx: sqlite3.Connection,
        detector: str,
        sensor: str,
        window: Window,
        found: Sequence[Finding],
        *,
        early: bool = False,
    ) -> None:
        assert tx.in_transaction
        rows = sum(f.evidence["n"] for f in found)
        self.said.append((early, (window.end_us - BASE) // MICROS // 60, rows))

    def run(self) -> list[tuple[bool, int, int]]:
        """Runs what is due, newest first; what was said."""
        while job := self.early.next():
            job.run_here()
        said, self.said = self.said, []
        return said


def test_windows_are_told_of_by_their_early_tables_alone(store):
    told = Told(store)
    put(store, "conn", 1, 2, 3, 40)
    assert told.early.tables == {"aegis_scan"}
    told.early.note("aegis_scan", "s", put(store, "aegis_scan", 5, 31, 32))
    assert told.run() == [(True, 60, 3), (True, 30, 1)]
    assert told.run() == []
    told.early.note("conn", "s", put(store, "conn", 6))
    assert told.run() == []


def test_a_window_is_told_of_again_with_the_rows_that_came_since(store):
    told = Told(store)
    for minute, rows in ((5, 1), (6, 2), (29, 3)):
        told.early.note("aegis_scan", "s", put(store, "aegis_scan", minute))
        assert told.run() == [(True, 30, rows)]


def test_a_sealed_window_is_told_no_more(store):
    told = Told(store)
    told.early.note("aegis_scan", "s", put(store, "aegis_scan", 5, 35))
    with store.transaction() as tx:
        store.seal(tx, "s", "detector:counting", BASE + HOUR_US // 2)
    assert told.run() == [(True, 60, 2)]


def test_a_start_tells_of_every_open_window(store):
    """A crash may come between a commit and its evaluation."""
    put(store, "aegis_scan", 5, 35, 200)
    put(store, "conn", 100)
    with store.transaction() as tx:
        store.seal(tx, "s", "detector:counting", BASE + HOUR_US // 2)
    told = Told(store)
    told.early.note_open(["s", "t"])
    ends = [end for _, end, rows in told.run() if rows]
    assert ends == [240, 210, 60]


def test_rows_before_the_epoch(store):
    told = Told(store)
    rows = made("aegis_scan", -BASE / MICROS / 60 - 1)
    store.flush([Rows("aegis_scan", "s", rows)], [])
    told.early.note("aegis_scan", "s", rows)
    ((early, end_min, count),) = told.run()
    assert (early, end_min + BASE // MICROS // 60, count) == (True, 0, 1)


def test_a_failure_is_said_and_holds_nothing_up(store, caplog):
    told = Told(store, Failing)
    told.early.note("aegis_scan", "s", put(store, "aegis_scan", 5))
    with caplog.at_level(logging.WARNING):
        assert told.run() == []
    assert "so it is told once sealed: too much" in caplog.text
    assert store.query("SELECT * FROM windows_failed") == []


def test_the_window_itself_sees_all_tables(store):
    told = Told(store)
    put(store, "conn", 1, 2)
    put(store, "aegis_scan", 5)
    for job in (job for group in told.scheduler.finish(["s"]) for job in group):
        job.run_here()
    assert (False, 30, 3) in told.said
