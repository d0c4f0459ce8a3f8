"""What every plot is made of: a figure with its text alternative, axes with round marks, labels as wide as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..visible import visible
from .clock import count, nice, step_us, tick_label
from .markup import NOTHING, Markup, join, tag

WIDTH = 960.0
CHARACTER = 6.4  # width of one at the size of labels, on average
BOLD = 1.15  # how much wider a bold one is


@dataclass(frozen=True)
class Line:
    """A scale from values to places: `low` lies at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1
        return self.start + (value - self.low) / span * (self.end - self.start)

    def inside(self, value: float) -> float:
        """The same, kept within the plot."""
        return self(min(max(value, self.low), self.high))


def figure(
    title: str,
    alternative: str,
    body: Iterable[Markup],
    height: float,
    *,
    width: float = WIDTH,
    note: str = "",
    beside: Markup = NOTHING,
) -> Markup:
    """A plot under its title. `alternative` says in words what it shows; `beside` the title: a legend."""
    picture = tag("svg", *body, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=alternative)
    said = tag("span", note, class_="note") if note else NOTHING
    caption = tag("figcaption", tag("b", title), beside, said)
    narrow = "half" if width < WIDTH else "whole"
    return tag("figure", caption, tag("div", picture, class_="scroll"), class_=f"plot {narrow}")


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """(class of the colour, what it means)."""
    return tag("span", *(tag("span", tag("i", class_=f"swatch {c}"), t) for c, t in entries), class_="legend")


def rect(x: float, y: float, width: float, height: float, class_: str, tip: str = "", radius: float = 0.0) -> Markup:
    return tag(
        "rect",
        tag("title", tip) if tip else NOTHING,
        x=x,
        y=y,
        width=max(width, 0.0),
        height=max(height, 0.0),
        rx=radius or None,
        class_=class_,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def label(x: float, y: float, text: str, class_: str = "", anchor: str = "", tip: str = "") -> Markup:
    """`anchor`: end or middle; `tip`: the whole of what is cut."""
    return tag(
        "text", text, tag("title", tip) if tip else NOTHING, x=x, y=y, class_=class_ or None, text_anchor=anchor or None
    )


def width_of(text: str) -> float:
    return CHARACTER * len(visible(text))


def fitted(text: str, room: float) -> str:
    """A text cut in its middle, where addresses and names differ least, so that it fits."""
    text = visible(text)
    most = max(3, int(room / CHARACTER))
    if len(text) <= most:
        return text
    tail = (most - 1) // 3
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :] if tail else ''}"


def time_axis(scale: Line, top: float, bottom: float, *, most: int = 9) -> Markup:
    """Marks of a time scale (µs) with lines up to the top of the plot."""
    step = step_us(max(1, round(scale.high - scale.low)), most)
    first = -(-round(scale.low) // step) * step
    marks = range(first, round(scale.high) + 1, step)
    return tag("g", *(_tick(scale(t), tick_label(t, step), top, bottom, scale) for t in marks), class_="axis")


def _tick(x: float, text: str, top: float, bottom: float, scale: Line) -> Markup:
    half = width_of(text) / 2
    anchor = "end" if x + half > scale.end + 18 else "middle"
    return join([line(x, top, x, bottom, "grid"), label(x, bottom + 15, text, anchor=anchor)])


def value_axis(scale: Line, left: float, right: float, say: Callable[[float], str] = count, parts: int = 2) -> Markup:
    """Marks of a scale of values from its low end, with lines over the plot."""
    values = [scale.low + (scale.high - scale.low) * n / parts for n in range(parts + 1)]
    drawn = [
        join([line(left, scale(v), right, scale(v), "grid"), label(left - 6, scale(v) + 4, say(v), anchor="end")])
        for v in values
    ]
    return tag("g", *drawn, class_="axis")


def top_of(values: Iterable[float]) -> float:
    """The round top of an axis for these; 0 where there is nothing above it."""
    most = max(values, default=0.0)
    return nice(most) if most > 0 else 0.0
