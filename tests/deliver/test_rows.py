"""Log rows: each of every committed segment once, under the id of its segment and row."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aegis_enrich.deliver import rows as module
from aegis_enrich.deliver.rows import RowLane
from aegis_enrich.store import Rows
from aegis_enrich.tables import TABLES

DAY_S = 86_400


def table(*times_s):
    schema = TABLES["conn"].schema
    columns = {
        f.name: pa.array([int(t * 1_000_000) for t in times_s], pa.int64()).cast(f.type)
        if f.name in ("ts", "end_ts")
        else pa.array(["zeek"] * len(times_s))
        if f.name == "source"
        else pa.array([f"C{int(t)}" for t in times_s])
        if f.name == "uid"
        else pa.nulls(len(times_s), f.type)
        for f in schema
    }
    return pa.table(columns, schema=schema)


@pytest.fixture
def flush(store):
    return lambda *times_s: store.flush([Rows("conn", "sensor", table(*times_s))], [])


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 2)


def lane(store, sink):
    return RowLane(store, sink, "told:here#conn", "conn", clock=lambda: 0.0)


def all_of(way):
    while way.run_once():
        pass


def uids(sink):
    return [d.body["uid"] for d in sink.took]


def test_every_row_of_every_segment_goes_once(store, flush, told):
    flush(1, 2, 3)
    flush(4, DAY_S + 5, 2 * DAY_S + 6)  # three segments of one commit
    way = lane(store, told)
    assert way.backlog() == 6
    all_of(way)
    assert sorted(uids(told)) == ["C1", "C172806", "C2", "C3", "C4", "C86405"]
    assert len({d.id for d in told.took}) == 6
    assert way.backlog() == 0
    flush(7)
    all_of(way)
    assert uids(told)[-1] == "C7"
    assert len(told.took) == 7


def test_ids_are_the_same_after_a_restart_inside_a_segment(store, flush, told):
    flush(1, 2, 3, 4, 5)
    way = lane(store, told)
    way.run_once()
    assert uids(told) == ["C1", "C2"]
    all_of(lane(store, told))
    assert uids(told) == ["C1", "C2", "C3", "C4", "C5"]
    assert [d.id.rsplit("-", 1)[1] for d in told.took] == ["0", "1", "2", "3", "4"]


def test_a_restart_between_segments_of_one_commit(store, flush, told):
    flush(4, DAY_S + 5, 2 * DAY_S + 6)
    for _ in range(3):
        lane(store, told).run_once()
    assert sorted(uids(told)) == ["C172806", "C4", "C86405"]
    assert lane(store, told).backlog() == 0


def test_the_position_is_the_last_segment_that_is_whole(store, flush, told):
    flush(4, DAY_S + 5)
    flush(6)
    way = lane(store, told)
    positions = []
    while way.run_once():
        positions.append(way.cursor.position)
    assert positions == [1, 2, 3]


def test_what_must_be_tried_again_is_read_again(store, flush, told):
    flush(1, 2, 3)
    told.answers = [".r"]
    now = [0.0]
    way = RowLane(store, told, "told:here#conn", "conn", clock=lambda: now[0])
    way.run_once()
    now[0] = 10.0
    all_of(way)
    assert uids(told) == ["C1", "C2", "C3"]
