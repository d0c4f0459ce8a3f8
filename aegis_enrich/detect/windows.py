"""Where windows lie on the axis of event time; all times are integer microseconds since the epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..plugin import HOUR_US, MICROS


@dataclass(frozen=True, order=True)
class Window:
    """`[start_us, end_us)`; `end_us` is a multiple of the detector's `every`."""

    start_us: int
    end_us: int


def floor_to(time_us: int, step_us: int) -> int:
    """The greatest multiple of `step_us` that is not above `time_us`, before the epoch too."""
    return time_us // step_us * step_us


def sealed_end(watermark_us: int, every_s: int, lateness_s: int) -> int:
    """The end of the last window that is sealed at this watermark: watermark >= end + lateness."""
    return floor_to(watermark_us - lateness_s * MICROS, every_s * MICROS)


def with_rows(
    hours: Iterable[int], window_s: int, every_s: int, *, after_us: int | None, until_us: int | None = None
) -> Iterator[Window]:
    """The windows, in order, whose last `every` lies in an hour that holds rows and whose end is in (after, until].

    A window whose last `every` holds no row holds only what the window before it held, so it can find nothing new.
    `hours`: starts of the hours that hold rows, ascending.
    """
    every = every_s * MICROS
    last = None
    for hour in hours:
        first = floor_to(hour, every) + every
        for end in range(first, max(first, hour + HOUR_US) + 1, every):
            if last is not None and end <= last:
                continue
            if (after_us is None or end > after_us) and (until_us is None or end <= until_us):
                last = end
                yield Window(end - window_s * MICROS, end)
