"""All sinks of a run: independent of each other, drained at the end, contained."""

from __future__ import annotations

import sqlite3
import threading
import time

import pyarrow as pa
import pytest

from aegis_enrich.deliver import Delivery, Undelivered
from aegis_enrich.deliver import delivery as module
from aegis_enrich.plugin import Sink
from aegis_enrich.store import Rows
from aegis_enrich.tables import TABLES


def test_sinks_do_not_hold_each_other_up(store, put, told, down):
    other = type(told)("there")
    put(("a", 1))
    told.answers = [down] * 100
    delivery = Delivery(store, {"one": told, "two": other})
    left = delivery.drain(30)
    assert [d.id for d in other.took] == ["a"]
    assert left == [Undelivered("one:here", 1, "told: does not answer; is it running?")]
    assert delivery.backlog() == {"one:here": 1, "two:there": 0}


class Told(Sink):
    """Takes all."""

    takes_rows = True

    def __init__(self, target):
        self.target, self.took = target, []

    def deliver(self, documents):
        self.took += documents
        return [("stored", "")] * len(documents)


class Hangs(Told):
    """Takes nothing until it is let go, and says that it was asked."""

    def __init__(self, target="hanging"):
        super().__init__(target)
        self.asked, self.let_go = threading.Event(), threading.Event()

    def deliver(self, documents):
        self.asked.set()
        assert self.let_go.wait(60)
        return super().deliver(documents)

    def close(self):
        raise AssertionError("in use")


@pytest.fixture
def hangs():
    made = Hangs()
    yield made
    made.let_go.set()


def test_one_that_hangs_holds_up_no_other_while_it_runs_and_at_a_stop(store, put, told, hangs):
    delivery = Delivery(store, {"hangs": hangs, "told": told})
    delivery.start()
    put(("a", 1))
    assert hangs.asked.wait(10)
    put(("b", 1))
    begun_s = time.monotonic()
    left = delivery.drain(1.0)
    delivery.close()
    assert time.monotonic() - begun_s < 6
    assert [d.id for d in told.took] == ["a", "b"]
    assert left == [Undelivered("hangs:hanging", 2, "it does not answer")]


def test_one_that_hangs_at_the_end_of_a_run_holds_up_no_other(store, put, told, hangs):
    put(("a", 1))
    delivery = Delivery(store, {"hangs": hangs, "told": told})
    left = delivery.drain(0.5)
    assert [d.id for d in told.took] == ["a"] and [u.key for u in left] == ["hangs:hanging"]
    delivery.close()


def test_what_one_says_that_was_left_hanging_changes_nothing(store, put, hangs):
    put(("a", 1))
    delivery = Delivery(store, {"hangs": hangs})
    delivery.drain(0.3)
    thread = delivery._workers[0].thread
    delivery.close()
    hangs.let_go.set()
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive() and [d.id for d in hangs.took] == ["a"]
    assert store.query("SELECT * FROM cursors") == [], "it was taken, but nobody waited: it comes again"


def test_one_that_does_not_close_is_left(store, told, monkeypatch):
    monkeypatch.setattr(module, "CLOSE_S", 0.2)
    ever = threading.Event()
    told.close = lambda: ever.wait(60)
    begun_s = time.monotonic()
    Delivery(store, {"told": told}).close()
    ever.set()
    assert time.monotonic() - begun_s < 5


def test_log_rows_do_not_hold_up_alerts_of_the_same_sink(store, put, hangs):
    waits = hangs.deliver
    hangs.deliver_rows = lambda table, documents: waits(documents)
    hangs.deliver = lambda documents: Told.deliver(hangs, documents)
    schema = TABLES["conn"].schema
    row = {f.name: [0 if f.name in ("ts", "end_ts") else "zeek" if f.name == "source" else None] for f in schema}
    store.flush([Rows("conn", "sensor", pa.table(row, schema=schema))], [])
    delivery = Delivery(store, {"hangs": hangs}, index_logs=["conn"])
    delivery.start()
    assert hangs.asked.wait(10)
    put(("a", 1))
    left = delivery.drain(1.0)
    assert [d.id for d in hangs.took] == ["a"] and [u.key for u in left] == ["hangs:hanging#conn"]
    delivery.close()


def test_what_a_sink_raises_is_contained_and_tried_again(store, put, told):
    put(("a", 1))
    told.answers = [ZeroDivisionError("by zero")]
    delivery = Delivery(store, {"told": told})
    assert delivery.drain(30) == []
    assert [d.id for d in told.took] == ["a"]


def test_a_state_that_cannot_be_read_is_a_failure_that_passes(store, put, told, monkeypatch):
    put(("a", 1))
    delivery = Delivery(store, {"told": told})
    query = store.query

    def fails(*arguments):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(store, "query", fails)
    assert not delivery._workers[0].turn()
    assert "disk I/O error" in delivery.lanes["told"][0].reason
    monkeypatch.setattr(store, "query", query)
    assert delivery.drain(10) == []


def test_another_target_begins_anew(store, put, told):
    put(("a", 1))
    Delivery(store, {"told": told}).drain(5)
    elsewhere = type(told)("elsewhere")
    Delivery(store, {"told": elsewhere}).drain(5)
    assert [d.id for d in elsewhere.took] == ["a"]


def test_threads_deliver_while_the_run_goes_on(store, put, told):
    arrived = threading.Event()
    deliver = told.deliver
    told.deliver = lambda documents: (deliver(documents), arrived.set())[0]
    delivery = Delivery(store, {"told": told})
    delivery.start()
    put(("a", 1))
    assert arrived.wait(10)
    delivery.close()
    assert [d.id for d in told.took] == ["a"]


def test_rows_only_go_to_sinks_that_take_them(store, told):
    told.takes_rows = False
    assert [lane.key for lane in Delivery(store, {"told": told}, index_logs=["conn"]).lanes["told"]] == ["told:here"]
