"""A sink that is away for long: the disk that this takes is bounded, the oldest log rows go first, no alert does."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aegis_enrich.config import Retention
from aegis_enrich.deliver.alerts import AlertLane
from aegis_enrich.deliver.rows import RowLane
from aegis_enrich.plugin import DAY_US, HOUR_US
from aegis_enrich.store import Holds, Rows, Upkeep
from aegis_enrich.tables import TABLES

NOW_US = 1_000 * DAY_US


def rows(hour, number=50):
    """Rows of one hour; their uids tell which."""
    schema = TABLES["conn"].schema
    given = {"source": "zeek", "uid": f"h{hour}"}
    times = {name: pa.array([hour * HOUR_US + n for n in range(number)]) for name in ("ts", "end_ts")}
    columns = {
        f.name: times[f.name].cast(f.type) if f.name in times else pa.array([given.get(f.name)] * number, f.type)
        for f in schema
    }
    return pa.table(columns, schema=schema)


@pytest.fixture
def filled(store, put):
    """Ten hours of rows, and revisions of two alerts, of which nobody has taken any."""
    for hour in range(10):
        store.flush([Rows("conn", "sensor", rows(hour))], [])
        put(("a", hour + 1), ("b", hour + 1))
    with store.transaction() as tx:
        for name in "ab":
            tx.execute(
                "INSERT INTO alerts VALUES (?, 'r', 'd', 0, 0, 'open', 10, 47, 1, 0, 0, '{}', '{}', 0, 0, 1, '')",
                [name],
            )
        tx.execute("UPDATE outbox SET queued_us = 0")
    return store


def test_after_hours_it_gets_the_newest_rows_and_each_alert_and_the_rest_is_counted(filled, told):
    size = filled.query("SELECT max(bytes) FROM segments")[0][0]
    alerts, row_lane = AlertLane(filled, told, "told:here"), RowLane(filled, told, "told:here#conn", "conn")
    upkeep = Upkeep(filled, Retention(max_size=f"{3 * size}B"))
    while upkeep.step(Holds({"conn": 0}, {"alert": 0}), now_us=NOW_US):
        pass
    upkeep.step(Holds({"conn": 0}, {"alert": 0}), now_us=NOW_US + 2 * HOUR_US)
    assert len(list(filled.root.glob("lake/conn/*/*.parquet"))) == 3
    assert filled.query("SELECT count(*) FROM outbox") == [(2,)]
    counters = filled.counters()
    assert counters["retention_undelivered_rows", ""] == 7 * 50 and counters["outbox_superseded", ""] == 18
    for lane in (alerts, row_lane):
        while lane.run_once():
            pass
        assert lane.backlog() == 0
    assert [(d.id, d.revision) for d in told.took if d.kind == "alert"] == [("a", 10), ("b", 10)]
    assert [d.body["uid"] for d in told.took if d.kind == "row"] == ["h7"] * 50 + ["h8"] * 50 + ["h9"] * 50


def test_rows_that_go_while_they_are_being_delivered_hold_up_nothing(filled, told):
    """Half of a segment was taken, one of its rows is to be tried again, and the segment goes."""
    told.answers = ["." * 20 + "r" + "." * 29]
    lane = RowLane(filled, told, "told:here#conn", "conn", clock=iter(range(0, 10**6, 100)).__next__)
    assert lane.run_once() and lane._settled
    first = filled.segments("conn")[0]
    with filled.transaction() as tx:
        tx.execute("UPDATE segments SET tombstone_us = 1 WHERE segment_id = ?", [first.id])
    while lane.run_once():
        pass
    assert lane.backlog() == 0 and not lane._settled
    assert len(told.took) == 49 + 9 * 50
