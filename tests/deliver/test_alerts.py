"""The outbox's way to a sink: order, cursors, refusals, pauses, restarts."""

from __future__ import annotations

import pytest

from aegis_enrich.deliver.alerts import AlertLane


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lane(store, sink, clock=None):
    return AlertLane(store, sink, "told:here", clock=clock or Clock(), jitter=lambda: 1.0)


def ids(sink):
    return [(d.id, d.revision) for d in sink.took]


def test_it_delivers_in_order_and_once(store, put, told):
    put(("a", 1), ("b", 1), ("a", 2))
    way = lane(store, told)
    assert way.backlog() == 3
    assert way.run_once()
    assert not way.run_once()
    assert ids(told) == [("a", 1), ("b", 1), ("a", 2)]
    assert way.backlog() == 0


def test_a_restart_goes_on_behind_the_cursor_with_the_sinks_mark(store, put, told):
    put(("a", 1))
    lane(store, told).run_once()
    put(("b", 1))
    lane(store, told).run_once()
    assert ids(told) == [("a", 1), ("b", 1)]
    assert told.resumed == ["", "1"]


def test_a_refused_document_is_a_dead_letter_and_holds_nobody_up(store, put, told, caplog):
    put(("a", 1), ("bad", 1), ("c", 1))
    told.answers = [".x."]
    way = lane(store, told)
    assert way.run_once()
    assert ids(told) == [("a", 1), ("c", 1)]
    assert way.backlog() == 0
    ((origin, reason, body),) = store.query("SELECT origin, reason, body FROM dead_letters")
    assert (origin, reason) == ("sink:told:here", "said refused")
    assert b'"bad"' in body
    assert store.counters()["refused", ""] == 1
    assert "refused 1 documents" in caplog.text


def test_what_must_be_tried_again_waits_with_all_behind_it(store, put, told):
    clock = Clock()
    put(("a", 1), ("b", 1), ("c", 1))
    told.answers = [".r."]  # c was stored, and comes again
    way = lane(store, told, clock)
    assert way.run_once()
    assert way.backlog() == 2
    assert not way.run_once(), "it pauses"
    clock.now = 1.1
    assert way.run_once()
    assert ids(told) == [("a", 1), ("c", 1), ("b", 1), ("c", 1)]


def test_pauses_double_up_to_a_minute_and_end_with_a_success(store, put, told, down):
    clock = Clock()
    put(("a", 1))
    told.answers = [down] * 9
    way = lane(store, told, clock)
    pauses = []
    while told.answers:
        way.run_once()
        began = clock.now
        while way.waiting():
            clock.now += 0.25
        pauses.append(clock.now - began)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert way.failures == 9
    assert way.run_once()
    assert (way.failures, way.reason) == (0, "")


def test_a_sink_that_is_down_is_said_once_and_its_return_too(store, put, told, down, caplog):
    clock = Clock()
    put(("a", 1))
    told.answers = [down] * 3
    way = lane(store, told, clock)
    for _ in range(4):
        way.run_once()
        clock.now += 100
    said = [r.message for r in caplog.records]
    assert said == [
        "told: does not answer; is it running?; 1 documents wait, nothing is lost",
        "told:here takes documents again",
    ]


def test_the_cursor_moves_in_the_same_transaction_as_the_dead_letters(store, put, told):
    put(("bad", 1))
    told.answers = ["x"]
    way = lane(store, told)

    def die(point: str) -> None:
        if point == "before commit":
            raise KeyboardInterrupt

    store.crash = die
    with pytest.raises(KeyboardInterrupt):
        way.run_once()
    store.crash = lambda point: None
    assert not store.query("SELECT 1 FROM dead_letters")
    assert lane(store, told).backlog() == 1
