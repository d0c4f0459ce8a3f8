from aegis_enrich.detect.watermark import Watermarks
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
