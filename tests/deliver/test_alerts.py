"""The outbox's way to a sink: order, cursors, refusals, pauses, restarts."""

from __future__ import annotations

import pytest

from aegis_enrich.deliver import alerts as module
from aegis_enrich.deliver.alerts import AlertLane
from aegis_enrich.store import DiskFull


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


def test_only_what_failed_is_sent_again(store, put, told):
    clock = Clock()
    put(("a", 1), ("b", 1), ("c", 1))
    told.answers = [".r."]
    way = lane(store, told, clock)
    assert way.run_once()
    assert way.backlog() == 1
    assert not way.run_once(), "it pauses"
    clock.now = 1.1
    assert way.run_once()
    assert ids(told) == [("a", 1), ("c", 1), ("b", 1)]
    assert way.outcomes == {"stored": 3, "retry": 1}
    assert way.backlog() == 0 and lane(store, told).backlog() == 0


def test_after_a_crash_what_lies_behind_the_cursor_comes_again(store, put, told):
    put(("a", 1), ("b", 1), ("c", 1))
    told.answers = [".r."]
    assert lane(store, told).run_once()
    assert lane(store, told).run_once()
    assert ids(told) == [("a", 1), ("c", 1), ("b", 1), ("c", 1)]


def test_one_that_is_never_taken_holds_back_no_other_and_the_cursor_stays_before_it(store, put, told, monkeypatch):
    monkeypatch.setattr(type(told), "at_once", 3)
    monkeypatch.setattr(module, "AHEAD", 6)
    clock = Clock()
    put(*((f"d{n}", 1) for n in range(12)))
    told.answers = ["r"] * 20
    way = lane(store, told, clock)
    for _ in range(20):
        way.run_once()
        clock.now += 100
    taken = [id_ for id_, _ in ids(told)]
    assert taken == [f"d{n}" for n in range(1, 7)], "no more than may be ahead"
    assert way.cursor.position == 0
    for _ in range(20):
        clock.now += 100
        way.run_once()
    assert [id_ for id_, _ in ids(told)] == [*taken, "d0", *(f"d{n}" for n in range(7, 12))]
    assert way.cursor.position == 12


def test_a_refusal_behind_one_that_waits_becomes_a_dead_letter_once(store, put, told):
    clock = Clock()
    put(("a", 1), ("bad", 1))
    told.answers = ["rx", "r"]
    way = lane(store, told, clock)
    way.run_once()
    assert not store.query("SELECT 1 FROM dead_letters"), "the cursor has not passed it"
    for _ in range(3):
        clock.now += 100
        way.run_once()
    assert store.query("SELECT doc_id, revision, kind, whole FROM dead_letters") == [("bad", 1, "alert", 1)]
    assert way.outcomes == {"retry": 2, "refused": 1, "stored": 1}


def test_a_full_disk_at_the_acknowledgement_sends_nothing_twice(store, put, told, monkeypatch):
    put(("a", 1), ("b", 1))
    way = lane(store, told)

    def full(point: str) -> None:
        if point == "before commit":
            raise DiskFull("no space left", where="here")

    store.crash = full
    with pytest.raises(DiskFull):
        way.run_once()
    store.crash = lambda point: None
    assert way.run_once() and way.backlog() == 0
    assert ids(told) == [("a", 1), ("b", 1)]


def test_while_it_gets_on_the_pause_stays_short(store, put, told):
    clock = Clock()
    put(*((f"d{n}", 1) for n in range(6)))
    told.answers = ["." + "r" * 5, "." + "r" * 4, "." + "r" * 3]
    way = lane(store, told, clock)
    for _ in range(3):
        assert way.run_once()
        assert way.waiting()
        clock.now += 1.0
        assert not way.waiting()


def test_a_pause_is_as_long_as_the_other_side_asks_for(store, put, told, down):
    clock = Clock()
    put(("a", 1))
    told.answers, told.pause_s = [down], 300.0
    way = lane(store, told, clock)
    way.run_once()
    clock.now = 299.0
    assert way.waiting()
    clock.now = 300.0
    assert not way.waiting()


def test_what_somebody_must_mend_is_an_error_and_a_pause_of_the_server_a_warning(store, put, told, down, caplog):
    put(("a", 1))
    told.answers = [down]
    lane(store, told).run_once()
    told.answers = ["r"]
    lane(store, told).run_once()
    assert [r.levelname for r in caplog.records] == ["ERROR", "WARNING"]


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


def test_a_new_sink_gets_all_that_is_there_or_only_what_comes(store, put, told):
    put(("old", 1))
    told.earlier = False
    way = lane(store, told)
    assert way.backlog() == 0
    put(("new", 1))
    assert lane(store, told).run_once(), "where it began is kept"
    assert ids(told) == [("new", 1)]
    other = type(told)("there")
    AlertLane(store, other, "told:there").run_once()
    assert ids(other) == [("old", 1), ("new", 1)]


def test_it_does_not_look_again_through_what_is_not_for_it(store, put, told):
    """Health documents come each minute; a sink that takes none is not to read them all, twice a second."""
    way = lane(store, told)
    with store.transaction() as tx:
        for n in range(20):
            tx.execute("INSERT INTO outbox (kind, id, revision, body) VALUES ('health', ?, 1, '{}')", [f"h{n}"])
    assert not way.run_once() and way._start == 20 and way.cursor.position == 0
    put(("a", 1))
    assert way.backlog() == 1 and way.run_once() and ids(told) == [("a", 1)]
    plan = " ".join(
        row[3] for row in store.query(f"EXPLAIN QUERY PLAN SELECT body FROM outbox WHERE {way._of_kinds}", [0, "alert"])
    )
    assert "USING INTEGER PRIMARY KEY (rowid>?)" in plan


def test_with_nothing_there_yet_it_begins_at_the_beginning(store, put, told):
    told.earlier = False
    way = lane(store, told)
    put(("a", 1))
    assert way.run_once() and ids(told) == [("a", 1)]
