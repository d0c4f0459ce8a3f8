"""A plot of numbers over time: bars, areas or lines over the buckets of a stretch, silence where there is no number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .clock import between, count, length, stamp
from .markup import Markup, tag
from .stretch import Stretch
from .svg import Line, figure, legend, rect, time_axis, top_of, value_axis

WIDE, LEFT, RIGHT, TOP, BOTTOM = 560.0, 74.0, 12.0, 8.0, 112.0
HEIGHT = BOTTOM + 24.0


@dataclass(frozen=True)
class Series:
    """Values by bucket, and what they are; `colour`: a class c1 to c4."""

    name: str
    colour: str
    values: Mapping[int, float]


@dataclass(frozen=True)
class Scale:
    """How values are said, and a top that the axis never lies below."""

    say: Callable[[float], str] = count
    least: float = 0.0


def stacked(title: str, shown: Stretch, series: Sequence[Series], scale: Scale, note: str = "") -> Markup:
    """Bars on one another, of parts of one whole."""
    totals = [sum(s.values.get(b, 0) for s in series) for b in range(shown.buckets)]
    up = Line(0, max(top_of(totals), scale.least), BOTTOM, TOP)
    across = Line(shown.start_us, shown.end_us, LEFT, WIDE - RIGHT)
    base = [0.0] * shown.buckets
    drawn: list[Markup] = []
    for one in series:
        bars = []
        for bucket, value in sorted(one.values.items()):
            x, end = _sides(bucket, shown, across)
            bars.append(f"M{x:.1f} {up(base[bucket]):.1f}H{end - 0.4:.1f}V{up(base[bucket] + value):.1f}H{x:.1f}Z")
            base[bucket] += value
        drawn.append(tag("path", d="".join(bars), class_=f"bar {one.colour}"))
    return _figure(
        title, shown, series, scale, [_axes(across, up, scale), *drawn, _tips(shown, series, scale, across)], note
    )


def lines(title: str, shown: Stretch, series: Sequence[Series], scale: Scale, note: str = "") -> Markup:
    """A line each, broken where there is no value."""
    up = Line(0, max(top_of(v for s in series for v in s.values.values()), scale.least), BOTTOM, TOP)
    across = Line(shown.start_us, shown.end_us, LEFT, WIDE - RIGHT)
    drawn = [
        tag(
            "path",
            d="".join(_run(r, shown, one.values, across, up) for r in _runs(sorted(one.values))),
            class_=f"through {one.colour}",
        )
        for one in series
    ]
    return _figure(
        title, shown, series, scale, [_axes(across, up, scale), *drawn, _tips(shown, series, scale, across)], note
    )


def _sides(bucket: int, shown: Stretch, across: Line) -> tuple[float, float]:
    """Where a bucket begins and ends."""
    at = shown.start_us + bucket * shown.bucket_us
    return across(at), across(at + shown.bucket_us)


def _tips(shown: Stretch, series: Sequence[Series], scale: Scale, across: Line) -> Markup:
    """What each bucket holds, for a pointer over it."""
    boxes = []
    for bucket in sorted({b for s in series for b in s.values}):
        x, end = _sides(bucket, shown, across)
        held = ", ".join(f"{s.name} {scale.say(s.values[bucket])}" for s in series if bucket in s.values)
        boxes.append(
            rect(x, TOP, end - x, BOTTOM - TOP, "", f"{stamp(shown.start_us + bucket * shown.bucket_us)}: {held}")
        )
    return tag("g", *boxes, class_="tips")


def _axes(across: Line, up: Line, scale: Scale) -> Markup:
    return tag("g", time_axis(across, TOP, BOTTOM, most=5), value_axis(up, LEFT, WIDE - RIGHT, scale.say))


def _runs(buckets: Sequence[int]) -> list[list[int]]:
    """Buckets that follow one another."""
    runs: list[list[int]] = []
    for bucket in buckets:
        if not runs or bucket != runs[-1][-1] + 1:
            runs.append([])
        runs[-1].append(bucket)
    return runs


def _run(run: Sequence[int], shown: Stretch, values: Mapping[int, float], across: Line, up: Line) -> str:
    """A line through the middles of buckets; of one bucket a dot."""
    places = [f"{sum(_sides(b, shown, across)) / 2:.1f} {up(values[b]):.1f}" for b in run]
    return f"M{'L'.join(places)}" if len(places) > 1 else f"M{places[0]}h.1"


def _figure(
    title: str, shown: Stretch, series: Sequence[Series], scale: Scale, body: Sequence[Markup], note: str
) -> Markup:
    said = "; ".join(f"{s.name}: {_range(s, scale)}" for s in series)
    alternative = (
        f"{title}, {between(shown.start_us, shown.end_us)} UTC in steps of {length(shown.bucket_us / 1e6)}: {said}"
    )
    named = legend((s.colour, s.name) for s in series)
    return figure(title, alternative, body, HEIGHT, width=WIDE, beside=named, note=note)


def _range(one: Series, scale: Scale) -> str:
    if not one.values:
        return "nothing"
    low, high = min(one.values.values()), max(one.values.values())
    return f"{scale.say(low)} to {scale.say(high)}"
