"""A plot of a beacon's rhythm: a mark for each call, the gap before it over time, and how often each gap comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from ..plugin import MICROS
from .clock import length, many, nice_length
from .markup import NOTHING, Markup, tag
from .rhythm import Rhythm
from .svg import WIDTH, Line, figure, label, line, rect, time_axis, value_axis

T = TypeVar("T")

POINTS = 700  # calls that are drawn at most
BINS = 24
LEFT, SPLIT, RIGHT = 62.0, 760.0, 14.0
STRIP, TOP, BOTTOM = 6.0, 34.0, 170.0
HEIGHT = 196.0


def beat(found: Rhythm, title: str) -> Markup:
    """The plot; of three calls or more."""
    gaps = sorted(gap for _, gap in found.gaps)
    low, middle, high = (gaps[round(q * (len(gaps) - 1))] for q in (0.1, 0.5, 0.9))
    pad = max((found.calls[-1] - found.calls[0]) // 60, MICROS // 2)
    across = Line(found.calls[0] - pad, found.calls[-1] + pad, LEFT, SPLIT - 16)
    up = Line(0, nice_length(max(1.5 * middle, min(1.2 * high, 4 * middle))), BOTTOM, TOP)
    body = [
        tag("path", d="".join(f"M{across(t):.1f} {STRIP}v16" for t in _some(found.calls)), class_="call"),
        label(LEFT - 6, STRIP + 12, "calls", anchor="end"),
        time_axis(across, TOP, BOTTOM, most=7),
        value_axis(up, LEFT, SPLIT - 16, length),
        rect(across.start, up.inside(high), across.end - across.start, up.inside(low) - up.inside(high), "band"),
        line(across.start, up(middle), across.end, up(middle), "median"),
        *_gaps(_some(found.gaps), across, up),
        *_histogram(gaps, up),
    ]
    return figure(title, _alternative(found, middle), body, HEIGHT, note=_note(found, middle))


def _some(values: Sequence[T]) -> Sequence[T]:
    """Each n-th where there are more than can be drawn."""
    return values[:: max(1, -(-len(values) // POINTS))]


def _gaps(gaps: Sequence[tuple[int, float]], across: Line, up: Line) -> list[Markup]:
    """A dot each; a gap above the plot is a triangle at its top."""
    dots = "".join(f"M{across(t):.1f} {up(gap):.1f}h0" for t, gap in gaps if gap <= up.high)
    over = "".join(f"M{across(t) - 4:.1f} {TOP + 7}h8l-4 -7z" for t, gap in gaps if gap > up.high)
    return [tag("path", d=dots, class_="dots"), tag("path", d=over, class_="over") if over else NOTHING]


def _histogram(gaps: Sequence[float], up: Line) -> list[Markup]:
    """How many gaps fall into each part of the same scale, to the right of it."""
    width = up.high / BINS
    bins = Counter(min(int(g / width), BINS - 1) for g in gaps if g <= up.high)
    most = max(bins.values(), default=1)
    wide = Line(0, most, SPLIT, WIDTH - RIGHT)
    tall = (up.start - up.end) / BINS
    bars = [
        rect(
            SPLIT,
            up(n * width) - tall,
            wide(c) - SPLIT,
            tall - 1,
            "bar c1",
            f"{c} gaps of about {length((n + 0.5) * width)}",
        )
        for n, c in sorted(bins.items())
    ]
    axis = line(SPLIT, TOP, SPLIT, BOTTOM, "rule")
    return [
        axis,
        *bars,
        label(SPLIT, BOTTOM + 15, "how often", "small"),
        label(WIDTH - RIGHT, BOTTOM + 15, str(most), "small", "end"),
    ]


def _note(found: Rhythm, middle: float) -> str:
    step = -(-len(found.calls) // POINTS)
    told = f"{many(len(found.calls), 'call')}, one each {length(middle)} in the median"
    thin = f"; one of {step} is drawn" if step > 1 else ""
    return f"{told}{thin}. Dots: the gap before a call; line: their median; band: first to ninth decile."


def _alternative(found: Rhythm, middle: float) -> str:
    near = sum(abs(g - middle) <= middle / 4 for _, g in found.gaps)
    return (
        f"{many(len(found.calls), 'call')}; the median gap between them is {length(middle)}, and {near} of"
        f" {len(found.gaps)} gaps are within a quarter of that"
    )
