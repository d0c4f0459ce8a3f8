"""Counts and durations that one thread writes and others copy."""

from __future__ import annotations

import threading

import pytest

from aegis_enrich.observe import vitals as module
from aegis_enrich.observe.vitals import OTHER, SECONDS, Tally, Timing, Vitals


def test_counts_add_up_by_labels_and_a_copy_stays_as_it_was():
    tally = Tally()
    tally.add("a", "conn")
    tally.add("a", "conn", by=4)
    before = tally.copy()
    tally.add("b", "conn")
    assert before == {("a", "conn"): 5}
    assert tally.copy() == {("a", "conn"): 5, ("b", "conn"): 1}


def test_label_sets_are_bounded_and_what_comes_beyond_is_counted_still(monkeypatch):
    monkeypatch.setattr(module, "MOST_SERIES", 2)
    tally = Tally()
    for name in ("a", "b", "c", "d", "a"):
        tally.add(name, "x")
    assert tally.copy() == {("a", "x"): 2, ("b", "x"): 1, (OTHER, OTHER): 2}


def test_a_duration_lies_at_or_below_its_bound():
    timing = Timing()
    for seconds in (SECONDS[0], SECONDS[0] * 1.01, 0.0, 10_000.0):
        timing.add("write", seconds=seconds)
    spread = timing.copy()["write",]
    assert (spread.counts[0], spread.counts[1], spread.counts[-1], sum(spread.counts)) == (2, 1, 1, 4)
    assert spread.sum_s == pytest.approx(10_000 + 2.01 * SECONDS[0])


def test_what_raises_is_timed_too():
    timing = Timing()
    with pytest.raises(ZeroDivisionError):
        timing.timed(lambda n: 1 / n, "commit")(0)
    assert sum(timing.copy()["commit",].counts) == 1


def test_a_copy_is_whole_while_another_thread_adds():
    """A scrape copies while the engine counts: no exception, and never less than before."""
    tally, done = Tally(), threading.Event()

    def count() -> None:
        for n in range(20_000):
            tally.add(str(n % 1000))
        done.set()

    thread = threading.Thread(target=count)
    thread.start()
    seen = [0.0]
    while not done.is_set():
        seen.append(sum(tally.copy().values()))
    thread.join()
    assert seen == sorted(seen)
    assert sum(tally.copy().values()) == 20_000


def test_silence_is_measured_from_the_start_and_then_from_the_last_round():
    vitals = Vitals()
    vitals.begun_s -= 100
    assert 100 <= vitals.silent_s() < 110
    vitals.beat()
    assert vitals.silent_s() < 10


def test_a_log_that_is_known_counts_from_the_start_as_read():
    vitals = Vitals()
    vitals.know("s", "conn", 5)
    before = vitals.read_s["s", "conn"]
    vitals.know("s", "conn", 3)
    assert (vitals.newest_us, vitals.read_s) == ({("s", "conn"): 5}, {("s", "conn"): before})
    assert vitals.rows.copy() == {}


def test_the_newest_row_never_goes_back():
    vitals = Vitals()
    for reached in (5, 9, 7):
        vitals.reach("s", "conn", reached)
    assert vitals.newest_us == {("s", "conn"): 9}
