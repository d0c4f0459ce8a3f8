"""All sinks of a run: independent of each other, drained at the end, contained."""

from __future__ import annotations

import threading

from aegis_enrich.deliver import Delivery, Undelivered


def test_sinks_do_not_hold_each_other_up(store, put, told, down):
    other = type(told)("there")
    put(("a", 1))
    told.answers = [down] * 100
    delivery = Delivery(store, {"one": told, "two": other})
    left = delivery.drain(30)
    assert [d.id for d in other.took] == ["a"]
    assert left == [Undelivered("one:here", 1, "told: does not answer; is it running?")]
    assert delivery.backlog() == {"one:here": 1, "two:there": 0}


def test_what_a_sink_raises_is_contained_and_tried_again(store, put, told):
    put(("a", 1))
    told.answers = [ZeroDivisionError("by zero")]
    delivery = Delivery(store, {"told": told})
    assert delivery.drain(30) == []
    assert [d.id for d in told.took] == ["a"]


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
