"""Numbers of windows tell their sensor and bounds, before the epoch too."""

from __future__ import annotations

import pytest

from aegis_enrich.detect.windows import Window
from aegis_enrich.hunt.spark.numbers import numbered
from aegis_enrich.plugin import HOUR_US


@pytest.mark.parametrize("step_us", [HOUR_US, HOUR_US // 2, 24 * HOUR_US])
def test_a_number_tells_its_window(step_us: int) -> None:
    ends = {"a": [-3, 0, 1, 700], "b": [5], "c": [-3, 2]}
    windows = {s: [Window(e * step_us - HOUR_US, e * step_us) for e in some] for s, some in ends.items()}
    numbers = numbered(windows)
    given = [(s, w, numbers.of(s, w)) for s, some in windows.items() for w in some]
    assert len({n for _, _, n in given}) == len(given)
    assert all(n >= 0 and (numbers.sensor(n), numbers.window(n)) == (s, w) for s, w, n in given)


def test_one_window() -> None:
    window = Window(7, 13)
    numbers = numbered({"a": [window]})
    assert numbers.window(numbers.of("a", window)) == window
