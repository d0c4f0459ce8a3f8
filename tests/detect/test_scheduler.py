"""Which window is evaluated when: by watermarks, in the order of their ends, each once, with its mark."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich.detect import scheduler as scheduler_module
from aegis_enrich.detect.evaluate import Limits
from aegis_enrich.detect.jobs import Jobs
from aegis_enrich.detect.scheduler import Scheduler, Watch
from aegis_enrich.detect.watermark import Watermarks
from aegis_enrich.detect.windows import Window
from aegis_enrich.plugin import HOUR_US, MICROS, Column, DerivedTable, Detector, Finding
from aegis_enrich.store import DiskFull, Rows, Store
from aegis_enrich.tables import TABLES

BASE = 475_000 * HOUR_US
DAY_1970 = 9 * HOUR_US
COUNTED = "SELECT orig_h, count(*) AS n, min(ts_us) AS first_us, max(end_us) AS last_us FROM {} GROUP BY orig_h"


class Counting(Detector):
    """Says how many rows a client has in the window; see README.md."""

    name = "counting"
    reads = ("conn",)
    window_s = 3600
    every_s = 1800
    lateness_s = 90
    shard_key = "orig_h"
    entity = ("orig_h",)

    @classmethod
    def sql(cls) -> str:
        return COUNTED.format("conn")

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        rows = features.assign(score=0.5, evidence=[{"n": n} for n in features["n"]], reason="rows", uids=None)
        return rows.drop(columns="n")


class CountHour(DerivedTable):
    """Rows by client."""

    name = "count_hour"
    reads = ("conn",)
    columns = (
        Column("orig_h", "addr", "client"),
        *(Column(c, "count", c) for c in ("n", "first_us", "last_us")),
    )

    @classmethod
    def sql(cls) -> str:
        return COUNTED.format("conn")


class Daily(Counting):
    """Counts over a day, by the hours."""

    name = "daily"
    reads = ()
    derived = ("count_hour",)
    window_s = 86_400
    every_s = 3600

    @classmethod
    def sql(cls) -> str:
        return (
            "SELECT orig_h, CAST(sum(n) AS BIGINT) AS n, min(first_us) AS first_us, max(last_us) AS last_us"
            " FROM count_hour GROUP BY orig_h"
        )


class Flaky(Counting):
    """Always fails."""

    name = "flaky"

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        raise ValueError("too much")


@dataclass
class Decided:
    """What the scheduler has told."""

    windows: list[tuple[str, str, Window, int]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    def window(
        self, tx: sqlite3.Connection, detector: str, sensor: str, window: Window, found: Sequence[Finding]
    ) -> None:
        assert tx.in_transaction
        self.windows.append((detector, sensor, window, sum(f.evidence["n"] for f in found)))

    def sealed(self, tx: sqlite3.Connection, unit: str) -> None:
        assert tx.in_transaction
        self.marks.append(unit)

    def counts(self, detector: str = "counting", sensor: str = "s") -> dict[int, int]:
        """Rows by the window's end, in minutes after BASE."""
        return {minutes(w.end_us): n for d, s, w, n in self.windows if (d, s) == (detector, sensor)}


def minutes(time_us: int) -> int:
    return (time_us - BASE) // MICROS // 60


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def put(store: Store, *at_min: float, sensor: str = "s", table: str = "conn", source: str = "zeek", base: int = BASE):
    """Commits a row at each of these minutes after `base`, of two clients by turns."""
    rows = [
        {"ts": base + round(m * 60 * MICROS), "end_ts": base + round(m * 60 * MICROS), "uid": f"C{m}"}
        | {"sensor": sensor, "source": source, "orig_h": f"10.0.0.{n % 2}"}
        for n, m in enumerate(at_min)
    ]
    schema = TABLES[table].schema
    held = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}, schema=schema)
    store.flush([Rows(table, sensor, held)], [])


def scheduler(
    store: Store,
    *detectors: type[Detector],
    decided: Decided | None = None,
    tables: Sequence[type[DerivedTable]] = (CountHour,),
    **kwargs: Any,
) -> Scheduler:
    decided = decided or Decided()
    return Scheduler(
        store,
        [Watch(d, d.tuning(), **kwargs) for d in detectors],
        {table.name: table for table in tables},
        lambda table: TABLES[table].schema,
        decided.window,
        decided.sealed,
        Limits(threads=1),
    )


def marks(reached_min: float, *, sensor: str = "s", base: int = BASE) -> Watermarks:
    known = Watermarks(600)
    known.advance(sensor, "conn", "conn", base + round(reached_min * 60 * MICROS), now_s=0)
    return known


def run_due(work: Scheduler, known: Watermarks) -> list[int]:
    """Runs what is due; the ends, in minutes after BASE, in the order of the jobs."""
    ends = []
    while job := work.due(known, now_s=0):
        ends.append(minutes(job.end_us))
        job.run_here()
    return ends


def test_a_window_is_due_at_its_end_and_the_lateness(store: Store) -> None:
    put(store, 10)
    decided = Decided()
    work = scheduler(store, Counting, decided=decided)
    assert run_due(work, marks(31.49)) == []
    assert store.sealed("s", "detector:counting") == BASE
    assert run_due(work, marks(31.5)) == [30]
    assert decided.counts() == {30: 1}
    assert store.sealed("s", "detector:counting") == BASE + HOUR_US // 2
    assert run_due(work, marks(31.5)) == []


def test_nothing_is_due_while_nothing_is_known(store: Store) -> None:
    put(store, 10)
    assert scheduler(store, Counting, Daily).due(Watermarks(600), now_s=0) is None
    assert store.sealed("s", "detector:counting") is None


def test_at_the_end_what_is_due_is_sealed_hours_first(store: Store) -> None:
    put(store, 10, 70, 95, 200)
    decided, alike = Decided(), Decided()
    work = scheduler(store, Counting, Daily, decided=decided)
    kinds = []
    for group in work.finish(["s"], marks(200), now_s=0.0):
        for job in group:
            kinds.append(type(job.work).__name__)
            job.run_here()
    assert kinds == ["Together"] * 3  # hours, and the windows of each detector
    assert run_due(work, marks(200)) == []  # only marks go on
    with Store(store.root.parent / "other") as other:
        put(other, 10, 70, 95, 200)
        run_due(scheduler(other, Counting, Daily, decided=alike), marks(200))
        assert other.query("SELECT * FROM sealed ORDER BY unit") == store.query("SELECT * FROM sealed ORDER BY unit")
    sealed = {end: n for end, n in decided.counts().items() if end <= 180}
    assert sealed == alike.counts() and len(sealed) < len(decided.counts())
    assert {e: n for e, n in decided.counts("daily").items() if e <= 180} == alike.counts("daily") != {}


def test_windows_come_in_the_order_of_their_ends_and_each_once(store: Store) -> None:
    put(store, 10, 50, 70, 250)
    decided = Decided()
    work = scheduler(store, Counting, Daily, decided=decided)
    ends = run_due(work, marks(400))
    assert ends == sorted(ends)
    assert decided.counts() == {30: 1, 60: 2, 90: 2, 120: 1, 270: 1, 300: 1}
    assert decided.counts("daily") == {60: 2, 120: 3, 300: 4}
    assert run_due(work, marks(400)) == []
    assert decided.marks.count("detector:counting") == len(decided.counts()) + 1  # and one for the span without rows


def test_a_detector_over_hours_waits_for_them(store: Store) -> None:
    put(store, 10)
    decided = Decided()
    work = scheduler(store, Daily, decided=decided)
    assert run_due(work, marks(65)) == []  # the hour's lateness is 330 s
    assert decided.windows == []
    job = work.due(marks(65.5), now_s=0)
    assert job is not None and minutes(job.end_us) == 60
    assert scheduler(store, Daily).due(marks(65.5), now_s=0) is not None  # a job that is not committed is due still
    job.run_here()
    assert store.sealed("s", "hour:count_hour") == BASE + HOUR_US
    assert run_due(work, marks(65.5)) == [60]
    assert decided.counts("daily") == {60: 1}


def test_a_detector_over_hours_does_not_wait_for_those_of_logs_that_are_not_there(store: Store) -> None:
    class DnsHour(CountHour):
        """Of another log."""

        name = "dns_hour"
        reads = ("dns",)

        @classmethod
        def sql(cls) -> str:
            return COUNTED.format("dns")

    class Both(Daily):
        """Reads hours of two logs."""

        name = "both"
        derived = ("count_hour", "dns_hour")

    decided = Decided()
    put(store, 10)
    work = scheduler(store, Both, decided=decided, tables=(CountHour, DnsHour))
    known = marks(70)
    known.stream("s", "dns", "dns", now_s=0.0).unread = True
    run_due(work, known)
    assert decided.counts("both") == {}  # a log that is there, of which nothing is committed
    run_due(work, marks(70))
    assert decided.counts("both") == {60: 1}


def test_what_suricata_fills_waits_longer(store: Store) -> None:
    put(store, 10, source="suricata")
    assert run_due(scheduler(store, Counting), marks(40.9)) == []
    assert run_due(scheduler(store, Counting), marks(41)) == [30]


def test_a_rule_may_say_another_lateness(store: Store) -> None:
    put(store, 10)
    assert run_due(scheduler(store, Counting, lateness_s=600), marks(39.9)) == []
    assert run_due(scheduler(store, Counting, lateness_s=600), marks(40)) == [30]


def test_rows_of_1970_and_2022_in_one_log(store: Store) -> None:
    put(store, 5, base=DAY_1970)
    put(store, -5, base=0)  # before the epoch
    put(store, 10)
    decided = Decided()
    run_due(scheduler(store, Counting, Daily, decided=decided), marks(200))
    hour = minutes(0)
    assert decided.counts() == {hour - 30: 0, hour: 1, hour + 570: 1, hour + 600: 1, 30: 1, 60: 1}
    assert decided.counts("daily") == {hour: 1, hour + 600: 2, 60: 1}


def test_late_rows_reach_windows_that_are_not_sealed(store: Store) -> None:
    put(store, 10)
    decided = Decided()
    work = scheduler(store, Counting, decided=decided)
    run_due(work, marks(32))
    put(store, 20)
    run_due(work, marks(62))
    assert decided.counts() == {30: 1, 60: 2}


def test_sensors_are_walked_apart(store: Store) -> None:
    put(store, 10, sensor="a")
    put(store, 20, 25, sensor="b")
    known = marks(62, sensor="a")
    known.advance("b", "conn", "conn", BASE + 35 * 60 * MICROS, now_s=0)
    decided = Decided()
    assert run_due(scheduler(store, Counting, decided=decided), known) == [30, 30, 60]
    assert decided.counts(sensor="a") == {30: 1, 60: 1}
    assert decided.counts(sensor="b") == {30: 2}


def test_views_end_with_the_window(store: Store) -> None:
    put(store, 29.9, 30)
    decided = Decided()
    run_due(scheduler(store, Counting, decided=decided), marks(32))
    assert decided.counts() == {30: 1}


def test_the_end_of_the_input_evaluates_what_is_open_and_seals_nothing(store: Store) -> None:
    put(store, 10, 70, 95)
    decided = Decided()
    work = scheduler(store, Counting, Daily, decided=decided)
    run_due(work, marks(66))
    sealed = store.query("SELECT * FROM sealed ORDER BY unit")
    open_ends = []
    for job in (job for group in work.finish(["s"]) for job in group):
        open_ends.append(type(job.work).__name__)
        job.run_here()
    assert open_ends == ["Derivation", "Together", "Evaluation"]  # hours come before windows
    assert decided.counts() == {30: 1, 60: 1, 90: 1, 120: 2}
    assert decided.counts("daily") == {60: 1, 120: 3}
    assert store.query("SELECT * FROM sealed ORDER BY unit") == sealed
    assert [s.hours for s in store.segments("count_hour", "s")] == [(BASE,)]


def kinds_left(work: Scheduler) -> list[int]:
    """How many windows each job is over; runs none."""
    jobs = (job for group in work.finish(["s"]) for job in group)
    return [len(job.work.windows) if isinstance(job, Jobs) else 1 for job in jobs]


def test_windows_are_run_together_while_they_hold_few_rows(store: Store, monkeypatch) -> None:
    put(store, *range(0, 240, 5))
    assert kinds_left(scheduler(store, Counting)) == [8]
    monkeypatch.setattr(scheduler_module, "WINDOWS", 7)
    assert kinds_left(scheduler(store, Counting)) == [4, 4]
    monkeypatch.setattr(scheduler_module, "ROWS", 95)  # a segment of 48 rows, which each window sees half of
    assert kinds_left(scheduler(store, Counting)) == [1] * 8


def test_windows_that_see_another_source_are_run_alone(store: Store) -> None:
    put(store, 10, 20, 40, source="suricata")
    assert kinds_left(scheduler(store, Counting)) == [2]
    put(store, 130)
    assert kinds_left(scheduler(store, Counting)) == [2, 2]


def test_answers_are_paired_within_each_window(store: Store) -> None:
    class Names(Counting):
        """Reads what Suricata tells in two rows."""

        reads = ("dns",)

        @classmethod
        def sql(cls) -> str:
            return COUNTED.format("dns")

    put(store, 10, 40, table="dns")
    assert kinds_left(scheduler(store, Names)) == [2]
    put(store, 10, 40, sensor="t", source="suricata", table="dns")
    jobs = [job for group in scheduler(store, Names).finish(["t"]) for job in group]
    assert [isinstance(job, Jobs) for job in jobs] == [False] * 2


def test_of_windows_run_together_one_that_fails_holds_no_other_up(store: Store, monkeypatch) -> None:
    def score(self: Counting, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        if features["n"].max() > 1:
            raise ValueError("too much")
        return whole(self, features, tuning)

    whole = Counting.score
    monkeypatch.setattr(Counting, "score", score)
    put(store, 10, 20, 70)
    decided = Decided()
    for job in (job for group in scheduler(store, Counting, decided=decided).finish(["s"]) for job in group):
        job.run_here()
    assert decided.counts() == {30: 2, 60: 2, 90: 1, 120: 1}
    assert store.query("SELECT * FROM windows_failed") == []


def test_what_is_open_at_the_end_equals_what_sealing_gives_later(store: Store) -> None:
    put(store, 10, 70, 95, 130)
    first, later = Decided(), Decided()
    for job in (job for group in scheduler(store, Counting, Daily, decided=first).finish(["s"]) for job in group):
        job.run_here()
    run_due(scheduler(store, Counting, Daily, decided=later), marks(1000))
    assert first.windows and sorted(first.windows, key=str) == sorted(later.windows, key=str)


def test_open_windows_are_evaluated_again_with_the_rows_that_came_since(store: Store) -> None:
    put(store, 10)
    decided = Decided()
    work = scheduler(store, Daily, decided=decided)
    for rows in (0, 20):
        if rows:
            put(store, rows)
        for job in (job for group in work.finish(["s"]) for job in group):
            job.run_here()
    assert [n for *_, n in decided.windows] == [1, 2]


def test_what_fails_is_tried_in_smaller_shards_then_passed_over(store: Store, caplog) -> None:
    put(store, 10)
    decided = Decided()
    work = scheduler(store, Flaky, Counting, decided=decided)
    with caplog.at_level(logging.ERROR):
        ends = run_due(work, marks(62))
    assert ends == [30, 30, 60, 60]
    assert decided.counts() == {30: 1, 60: 1}  # it holds nobody up
    assert store.sealed("s", "detector:flaky") == BASE + HOUR_US
    failed = store.query("SELECT sensor, detector, end_us, error FROM windows_failed ORDER BY end_us")
    assert failed == [("s", "flaky", BASE + HOUR_US // 2, "too much"), ("s", "flaky", BASE + HOUR_US, "too much")]
    assert len(caplog.records) == 2


def test_each_try_has_four_times_the_shards(store: Store, monkeypatch) -> None:
    from aegis_enrich.detect.evaluate import Evaluation

    tried = []

    def run(self: Evaluation) -> list[Finding]:
        tried.append(self.shards)
        if self.shards < 16:
            raise MemoryError("no room")
        return []

    monkeypatch.setattr(Evaluation, "run", run)
    put(store, 10)
    run_due(scheduler(store, Counting), marks(32))
    assert tried == [1, 4, 16]
    assert store.query("SELECT * FROM windows_failed") == []


def test_a_table_of_many_rows_begins_in_shards(store: Store, monkeypatch) -> None:
    from aegis_enrich.detect import evaluate

    monkeypatch.setattr(evaluate, "SHARD_ROWS", 10)
    put(store, *[n / 10 for n in range(25)])
    job = scheduler(store, Counting).due(marks(32), now_s=0)
    assert job is not None and job.work.shards == 3
    assert sum(f.evidence["n"] for f in job.work.run()) == 25


def test_a_failed_hour_is_noted_and_holds_no_window_up(store: Store, monkeypatch) -> None:
    put(store, 10, 70)
    decided = Decided()
    with monkeypatch.context() as patched:
        patched.setattr(CountHour, "sql", classmethod(lambda cls: "SELECT nonsense"))
        run_due(scheduler(store, Daily, decided=decided), marks(66))
    assert store.query("SELECT detector, end_us FROM windows_failed") == [("count_hour", BASE + HOUR_US)]
    run_due(scheduler(store, Daily, decided=decided), marks(130))
    assert decided.counts("daily") == {120: 1}


def test_an_open_window_that_failed_and_is_evaluated_later_has_failed_no_more(store: Store, monkeypatch) -> None:
    put(store, 10)
    work = scheduler(store, Counting)
    with monkeypatch.context() as patched:
        patched.setattr(Counting, "sql", classmethod(lambda cls: "SELECT nonsense"))
        for job in (job for group in work.finish(["s"]) for job in group):
            job.run_here()
    assert len(store.query("SELECT * FROM windows_failed")) == 2
    run_due(work, marks(32))
    assert [row[3] for row in store.query("SELECT * FROM windows_failed")] == [BASE + HOUR_US]


def test_a_crash_before_the_commit_leaves_the_window_due(tmp_path: Path) -> None:
    armed = []

    def crash(point: str) -> None:
        if armed and point == "before commit":
            raise KeyboardInterrupt

    with Store(tmp_path, crash=crash) as store:
        put(store, 10)
        decided = Decided()
        work = scheduler(store, Counting, decided=decided)
        job = work.due(marks(32), now_s=0)
        assert job is not None
        armed.append(True)
        with pytest.raises(KeyboardInterrupt):
            job.run_here()
        armed.clear()
        assert store.sealed("s", "detector:counting") is None
        assert run_due(work, marks(32)) == [30]


def test_only_derived_tables_that_a_detector_reads_are_made(store: Store) -> None:
    put(store, 10)
    assert scheduler(store, Counting).tables == {}
    run_due(scheduler(store, Counting), marks(100))
    assert store.segments("count_hour", "s") == []


def test_a_rules_lateness_is_that_of_the_hours_it_reads(store: Store) -> None:
    put(store, 10)
    work = scheduler(store, Daily, lateness_s=900)
    assert run_due(work, marks(74.9)) == []
    assert run_due(work, marks(75)) == [60, 60]


def test_a_spill_that_finds_no_room_leaves_the_window_due(store: Store, monkeypatch) -> None:
    put(store, 10)
    work = scheduler(store, Counting)

    def full(self: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("aegis_enrich.detect.evaluate.Evaluation.run", full)
        job = work.due(marks(31.5), now_s=0)
        assert job is not None
        with pytest.raises(DiskFull):
            job.run_here()
    assert not store.query("SELECT 1 FROM windows_failed")
    assert run_due(work, marks(31.5)) == [30]
