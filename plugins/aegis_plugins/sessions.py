"""What a client's encrypted sessions with one place show, whatever they are encrypted with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

BEACON_CALLS, BEACON_US = 20, 1_800_000_000  # from which on beaconing judges a rhythm

Row = Mapping[Any, Any]
Sign = tuple[str, str, float]  # kind, what was seen, how much of the doubt that is left it takes


class Habits(Protocol):
    """What the tunings of their detectors have: shares of the median, and hours."""

    @property
    def even_sizes(self) -> float: ...
    @property
    def even_gaps(self) -> float: ...
    @property
    def min_sessions(self) -> int: ...
    @property
    def min_history_h(self) -> int: ...


def repeated(row: Row, tuning: Habits) -> bool:
    """Whether sessions came again and again, of one size."""
    even = row["size_mad"] <= tuning.even_sizes * row["size_median"]  # NaN is not even
    return bool(row["sessions"] >= tuning.min_sessions and even)


def rhythmic(row: Row, tuning: Habits) -> bool:
    """Whether their pace is even enough, for long enough, that `beaconing` tells of it."""
    even = row["gap_mad_ms"] <= tuning.even_gaps * row["gap_median_ms"]  # NaN is not even
    return bool(even and row["sessions"] >= BEACON_CALLS and row["last_us"] - row["first_us"] >= BEACON_US)


def new(row: Row, tuning: Habits) -> bool | None:
    """Whether the client never called the place before; None where it was not watched for long enough."""
    return bool(row["past_days"] == 0) if row["past_hours"] >= tuning.min_history_h else None


def true(value: Any) -> bool:
    """Whether a feature that may be missing is there and true."""
    return value is not None and not pd.isna(value) and bool(value)
