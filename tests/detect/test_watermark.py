"""How far a sensor has come in event time: what holds it, and what goes on when all are silent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.detect.watermark import ANY, Watermarks
from aegis_enrich.plugin import MICROS


def reached(marks: Watermarks, *, now_s: float, tables=("conn", "http")) -> float | None:
    mark = marks.of("sensor", tables, now_s=now_s)
    return None if mark is None else mark / MICROS


def two_logs() -> Watermarks:
    marks = Watermarks(idle_after_s=600)
    marks.advance("sensor", "conn", "conn", 1000 * MICROS, now_s=0)
    marks.advance("sensor", "http", "http", 700 * MICROS, now_s=100)
    return marks


def test_the_log_furthest_behind_holds_it() -> None:
    assert reached(two_logs(), now_s=100) == 700


def test_a_detector_is_held_by_its_own_tables_only() -> None:
    assert reached(two_logs(), now_s=100, tables=("conn",)) == 1000
    assert two_logs().of("other", ("conn",), now_s=0) is None


def test_a_silent_log_lets_go_after_idle_after_and_an_unread_one_does_not() -> None:
    marks = two_logs()
    marks.advance("sensor", "conn", "conn", 1400 * MICROS, now_s=650)
    assert reached(marks, now_s=699) == 700
    assert reached(marks, now_s=700) == 1400
    marks.set_unread({("sensor", "http")})
    assert reached(marks, now_s=700) == 700


def test_when_all_are_silent_it_goes_on_with_the_clock() -> None:
    marks = two_logs()
    assert reached(marks, now_s=700) == 1000
    assert reached(marks, now_s=760) == 1060


def test_it_goes_on_from_the_greatest_reach_never_back() -> None:
    marks = two_logs()
    marks.advance("sensor", "conn", "conn", 900 * MICROS, now_s=10)
    assert reached(marks, now_s=100, tables=("conn",)) == 1000


def test_unread_bytes_of_a_log_without_a_row_hold_everything() -> None:
    marks = two_logs()
    marks.stream("sensor", "conn", "conn-worker-2", now_s=0).unread = True
    assert reached(marks, now_s=100) is None


def test_how_far_a_log_reaches_is_the_furthest_of_its_tables() -> None:
    marks = two_logs()
    marks.advance("sensor", "dns", "eve", 5 * MICROS, now_s=0)
    marks.advance("sensor", "conn", "eve", 9 * MICROS, now_s=0)
    assert marks.reach("sensor", "eve") == 9 * MICROS
    assert marks.reach("sensor", "smtp") is None


def eve() -> Watermarks:
    """An EVE that told of flows at 0 s and of names until 100 s."""
    marks = Watermarks(idle_after_s=600)
    marks.advance("sensor", "conn", "eve", 1000 * MICROS, now_s=0)
    marks.advance("sensor", "dns", "eve", 1200 * MICROS, now_s=100)
    return marks


def test_eve_is_one_log_per_event_type() -> None:
    assert reached(eve(), now_s=100, tables=("conn",)) == 1000
    assert reached(eve(), now_s=100, tables=("dns",)) == 1200


def test_an_event_type_that_eve_no_longer_tells_is_held_where_eve_is_read_to() -> None:
    marks = eve()
    marks.advance("sensor", "dns", "eve", 2000 * MICROS, now_s=700)
    marks.set_unread({("sensor", "eve")})
    assert reached(marks, now_s=599, tables=("conn",)) == 1000
    assert reached(marks, now_s=700, tables=("conn",)) == 2000
    assert reached(marks, now_s=700, tables=("conn", "dns")) == 2000


def test_eve_that_is_not_begun_holds_every_table() -> None:
    marks = two_logs()
    marks.stream("sensor", ANY, "eve", now_s=100)
    assert reached(marks, now_s=100) == 700
    marks.set_unread({("sensor", "eve")})
    assert reached(marks, now_s=100) is None
    marks.advance("sensor", "dns", "eve", 5 * MICROS, now_s=100)
    assert reached(marks, now_s=100) == 700


def test_a_log_of_which_no_row_counts_holds_nothing_once_it_is_begun() -> None:
    marks = two_logs()
    marks.stream("sensor", "conn", "conn-worker-2", now_s=0)
    marks.set_unread({("sensor", "conn-worker-2")})
    assert reached(marks, now_s=100) is None
    marks.begin("sensor", "conn-worker-2")
    assert reached(marks, now_s=100) == 700
    assert reached(marks, now_s=760) == 1060


def test_a_new_log_without_rows_does_not_put_off_the_quiet_evening() -> None:
    marks = two_logs()
    marks.stream("sensor", "conn", "conn-worker-2", now_s=650)
    assert reached(marks, now_s=760) == 1060


def test_sensors_are_apart() -> None:
    marks = two_logs()
    marks.advance("other", "conn", "conn", 5 * MICROS, now_s=0)
    assert marks.sensors() == ["other", "sensor"]
    assert reached(marks, now_s=100) == 700
    assert marks.of("other", ("conn",), now_s=100) == 5 * MICROS


LOGS = st.sampled_from([("conn", "conn"), ("http", "http"), ("conn", "eve"), ("dns", "eve")])


@given(st.lists(st.tuples(LOGS, st.integers(0, 5_000), st.booleans()), min_size=1, max_size=20), st.integers(0, 2_000))
def test_it_never_passes_a_log_that_holds_it(steps, wait_s) -> None:
    marks, now_s = Watermarks(idle_after_s=600), 0.0
    for (table, log), reach_s, unread in steps:
        now_s += 10
        marks.advance("sensor", table, log, reach_s * MICROS, now_s=now_s)
        marks.set_unread({("sensor", log)} if unread else ())
    now_s += wait_s
    mark = marks.of("sensor", ("conn", "http"), now_s=now_s)
    for table, log in (("conn", "conn"), ("http", "http"), ("conn", "eve")):
        stream = marks.stream("sensor", table, log, now_s=now_s)
        if stream.reached_us is not None and now_s - stream.last_row_s < 600:
            assert mark is not None and mark <= stream.reached_us
        if stream.reached_us is not None and stream.unread:
            assert mark is not None and mark <= (marks.reach("sensor", log) or 0)
