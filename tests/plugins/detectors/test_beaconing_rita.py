"""RITA's parts by hand: each quirk of its formulas once."""

from __future__ import annotations

import numpy as np
import pytest

from aegis_plugins.detectors.beaconing.rita import duration, histogram, level, quartiles, rita_score, statistical

DAY = 86_400


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_a_clock_over_a_day_is_1() -> None:
    assert rita_score(range(0, DAY + 1, 300), [500] * 289, 0, DAY) == 1.0


@pytest.mark.parametrize("times", [range(3), range(86_400)])
def test_too_few_and_too_many_calls_are_not_judged(times: range) -> None:
    assert rita_score(times, [500], 0, DAY) is None
    assert rita_score([1, 2, 3, 4], [500], 5, 5) is None


def test_without_sizes_a_quarter_is_missing() -> None:
    assert rita_score(range(0, DAY + 1, 300), [], 0, DAY) == 0.75
    assert rita_score(range(0, DAY + 1, 300), [0] * 289, 0, DAY) == 0.875  # all zero: half even


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 2, 3, 4), (1.5, 2.5, 3.5)),
        ((5, 1, 4, 2, 3), (1.5, 3, 4.5)),  # the middle one is in no half
        ((1, 2, 3, 4, 5, 6, 7), (2, 4, 6)),
    ],
)
def test_quartiles(values: tuple[int, ...], expected: tuple[float, ...]) -> None:
    assert quartiles(array(*values)) == expected


@pytest.mark.parametrize(
    ("values", "default", "expected"),
    [
        ((60, 60), 1.0, 1.0),  # too few
        ((60, 60), 0.0, 0.0),
        ((60,) * 9, 1.0, 1.0),
        ((56, 58, 60, 62, 64), 1.0, 0.983),  # quartiles 57 and 63, closer than 10: no skew; MAD 2
        ((40, 50, 60, 90, 120), 1.0, 0.583),  # 45, 60, 105: skew 0.5; MAD 20 of 60
        ((10, 60, 60, 60, 160), 1.0, 0.833),  # 35, 60, 110: skew 1/3; MAD 0
        ((0, 0, 0, 0), 0.0, 0.5),
        ((0, 0, 0, 0), 1.0, 1.0),
    ],
)
def test_statistical_score(values: tuple[int, ...], default: float, expected: float) -> None:
    assert statistical(array(*values), default) == expected


def test_the_histogram_s_edges() -> None:
    bins = histogram(array(-5, 0, 3_599, 3_600, DAY), 0, DAY)  # before the first edge and at the last one
    assert (bins[0], bins[1], bins[23], bins.sum()) == (3, 1, 1, 5)


def test_level_by_variation_and_by_two_heights() -> None:
    assert level(np.full(24, 7)) == 1.0
    assert level(np.array([24] + [0] * 23)) == 0.0  # variation over 1
    half = np.array([10, 0] * 12)  # variation 1; 12 bars of one height, over 11
    assert level(half) == 1.0
    assert level(np.array([10] * 10 + [0] * 14)) == 0.0  # ten bars are too few for heights
    two = np.array([100] * 12 + [10] * 12)
    assert level(two) == 1.0


def test_duration_by_span_and_by_run() -> None:
    bins = np.array([1] * 6 + [0] * 18)
    assert duration(array(0, 6 * 3_600), bins, 0, DAY) == 0.5  # six of the ideal twelve
    assert duration(array(0, 18 * 3_600), bins, 0, DAY) == 0.75
    assert duration(array(0, DAY), np.array([1] * 5 + [0] * 19), 0, DAY) == 0.0  # five hours are too few
    round_the_clock = np.array([1] * 5 + [0] * 12 + [1] * 7)
    assert duration(array(0, 1), round_the_clock, 0, DAY) == 1.0
