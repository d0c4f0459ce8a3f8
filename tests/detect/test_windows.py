from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.detect.windows import Window, floor_to, sealed_end, with_rows
from aegis_enrich.plugin import HOUR_US, MICROS


def test_floor_goes_down_before_the_epoch_too() -> None:
    assert floor_to(-1, HOUR_US) == -HOUR_US
    assert floor_to(HOUR_US, HOUR_US) == HOUR_US


def test_a_window_is_sealed_once_the_watermark_is_its_end_and_the_lateness() -> None:
    assert sealed_end(HOUR_US + 329 * MICROS, 3600, 330) == 0
    assert sealed_end(HOUR_US + 330 * MICROS, 3600, 330) == HOUR_US


def test_hours_without_rows_are_skipped_not_walked_through() -> None:
    windows = list(with_rows([0, 450_000 * HOUR_US], 3600, 1800, after_us=None))
    assert windows == [
        Window(-HOUR_US // 2, HOUR_US // 2),
        Window(0, HOUR_US),
        Window(450_000 * HOUR_US - HOUR_US // 2, 450_000 * HOUR_US + HOUR_US // 2),
        Window(450_000 * HOUR_US, 450_001 * HOUR_US),
    ]


@given(
    st.lists(st.integers(-50, 50), min_size=1, unique=True),
    st.sampled_from([(3600, 600), (3600, 1800), (3600, 3600), (86400, 3600), (7 * 86400, 7200)]),
    st.data(),
)
def test_each_row_lies_in_the_last_slice_of_exactly_one_window(hours, spans, data) -> None:
    window_s, every_s = spans
    starts = sorted(h * HOUR_US for h in hours)
    row = data.draw(st.sampled_from(starts)) + data.draw(st.integers(0, HOUR_US - 1))
    found = list(with_rows(starts, window_s, every_s, after_us=None))
    assert found == sorted(set(found))
    assert sum(w.end_us - every_s * MICROS <= row < w.end_us for w in found) == 1


@given(st.lists(st.integers(0, 30), min_size=1, unique=True), st.integers(0, 30))
def test_walking_in_two_steps_visits_the_same_windows(hours, cut) -> None:
    starts = sorted(h * HOUR_US for h in hours)
    mark = cut * HOUR_US
    whole = list(with_rows(starts, 3600, 600, after_us=None))
    parts = list(with_rows(starts, 3600, 600, after_us=None, until_us=mark)) + list(
        with_rows(starts, 3600, 600, after_us=mark)
    )
    assert parts == whole
