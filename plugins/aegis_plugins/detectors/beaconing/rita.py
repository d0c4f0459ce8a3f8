"""The beacon score of RITA v5, by its own formulas, so that users can compare; what it means there is theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BINS = 24
LEAST_BARS_BIMODAL = 11  # histogram_bimodal_min_hours_seen
LEAST_BARS_DURATION = 6  # duration_min_hours_seen
IDEAL_RUN = 12  # duration_consistency_ideal_hours_seen
LEAST_CALLS, MOST_CALLS = 4, 86_400

Numbers = NDArray[np.float64]


def rita_score(starts_s: Sequence[int], sizes: Sequence[int], first_s: int, last_s: int) -> float | None:
    """0.0-1.0, the mean of its four parts; null where RITA judges no beacon (under 4 calls, 86,400 and more).

    `starts_s`: whole seconds with a call, each once; `sizes`: bytes that the client sent, a connection each;
    `first_s`, `last_s`: the span of all data, which RITA cuts at 24 h.
    """
    if not LEAST_CALLS <= len(starts_s) < MOST_CALLS or last_s <= first_s:
        return None
    times = np.sort(np.asarray(starts_s, dtype=np.float64))
    bins = histogram(times, first_s, last_s)
    gaps = np.diff(times)
    parts = (
        statistical(gaps[gaps > 0], default=1.0),
        statistical(np.asarray(sizes, dtype=np.float64), default=0.0),
        level(bins),
        duration(times, bins, first_s, last_s),
    )
    return _round3(sum(parts) / 4)


def statistical(values: Numbers, default: float) -> float:
    """Mean of 1 - |Bowley's skew| and (median - MAD) / median; `default` where there are too few or they are 0."""
    if len(values) < 3:
        return default
    low, middle, high = quartiles(values)
    skew = 0.0
    if high - low >= 10 and middle not in (low, high):
        skew = (low + high - 2 * middle) / (high - low)
    spread = default
    if middle >= 1:
        spread = max(0.0, (middle - float(np.median(np.abs(values - middle)))) / middle)
    return _round3((1 - abs(skew) + spread) / 2)


def quartiles(values: Numbers) -> tuple[float, float, float]:
    """Medians of the lower half, of all and of the upper half; the middle value of an odd number is in no half."""
    ordered, half = np.sort(values), len(values) // 2
    return float(np.median(ordered[:half])), float(np.median(ordered)), float(np.median(ordered[-half:]))


def histogram(times: Numbers, first_s: int, last_s: int) -> NDArray[np.int64]:
    """Calls in 24 equal parts of the span; what lies outside counts in the first or the last."""
    at = np.floor((times - first_s) * BINS / (last_s - first_s)).astype(np.int64)
    return np.bincount(np.clip(at, 0, BINS - 1), minlength=BINS)


def level(bins: NDArray[np.int64]) -> float:
    """How equal the bins are: 1 - their variation, or the share of the two commonest heights among the filled ones."""
    variation = float(bins.std() / bins.mean())
    equal = 0.0 if variation > 1 else _round3(1 - variation)
    bars = bins[bins > 0]
    if len(bars) < LEAST_BARS_BIMODAL:
        return equal
    width = math.ceil(int(bars.max()) * 0.05)
    _, counts = np.unique(bars // width, return_counts=True)
    commonest = int(np.sort(counts)[-2:].sum())
    return max(equal, min(1.0, _round3(commonest / max(len(bars) - 1, 1))))


def duration(times: Numbers, bins: NDArray[np.int64], first_s: int, last_s: int) -> float:
    """How much of the span lies between first and last call, or how long a run of filled bins is, round the clock."""
    filled = bins > 0
    if filled.sum() < LEAST_BARS_DURATION:
        return 0.0
    coverage = _ceil3(float(times[-1] - times[0]) / (last_s - first_s))
    return max(min(1.0, coverage), min(1.0, _ceil3(_longest_run(filled) / IDEAL_RUN)))


def _longest_run(filled: NDArray[np.bool_]) -> int:
    longest = run = 0
    for bar in [*filled, *filled]:
        run = run + 1 if bar else 0
        longest = max(longest, run)
    return min(longest, len(filled))


def _round3(value: float) -> float:
    return math.floor(value * 1000 + 0.5) / 1000


def _ceil3(value: float) -> float:
    return math.ceil(round(value * 1000, 9)) / 1000
