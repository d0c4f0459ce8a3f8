"""A plot of what happened when: a lane for each host or stage, a bar for each alert, named where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .clock import between, many
from .markup import Markup
from .svg import BOLD, WIDTH, Line, figure, fitted, label, line, rect, time_axis, width_of

LEFT, RIGHT, TOP = 210.0, 14.0, 8.0
BAR, STEP, LEAST = 13.0, 19.0, 5.0
DEEP = 5  # bars above one another in a lane, the worst
ROWS = 8  # rows of a lane, so that those have room for names
CROWD = 40  # marks in a lane above which those of one place are drawn as one
PLACE = 6.0
MICRO_SPAN = 1_000_000  # the least time that a plot shows, µs


@dataclass(frozen=True)
class Mark:
    """Something that lasted from `first_us` to `last_us`."""

    first_us: int
    last_us: int
    severity: int
    name: str
    tip: str
    many: int = 1


@dataclass(frozen=True)
class Lane:
    """Marks beside a label; `about`: a second, smaller one."""

    label: str
    about: str
    marks: tuple[Mark, ...]


def lanes(title: str, alternative: str, rows: Sequence[Lane], note: str = "") -> Markup:
    """The plot; its time runs from the first mark to the last."""
    first = min(m.first_us for row in rows for m in row.marks)
    last = max(m.last_us for row in rows for m in row.marks)
    pad = max((last - first) // 40, MICRO_SPAN // 2)
    scale = Line(first - pad, last + pad, LEFT, WIDTH - RIGHT)
    body: list[Markup] = []
    y = TOP
    for row in rows:
        drawn, height = _lane(row, y, scale)
        body += [line(0, y + height, WIDTH - RIGHT, y + height, "rule"), *drawn]
        y += height
    return figure(title, alternative, [time_axis(scale, TOP, y), *body], y + 24, note=note)


def _lane(row: Lane, y: float, scale: Line) -> tuple[list[Markup], float]:
    """Its drawing and its height."""
    free = [-1.0] * ROWS
    drawn: list[Markup] = []
    left = sum(m.many for m in row.marks)
    for mark in _seen(_thinned(row.marks, scale), scale):
        x, end = _ends(mark, scale)
        text = mark.name if mark.many == 1 else f"{mark.many} alerts"
        place, at, anchor = _place(free, x, end, width_of(text), scale.end)
        if place is None:
            continue
        top = y + 7 + place * STEP
        drawn.append(rect(x, top, end - x, BAR, f"sev{mark.severity}", mark.tip, 2.5))
        if at:
            drawn.append(
                label(at, top + BAR - 2.5, text, f"in ink{mark.severity}" if anchor == "middle" else "", anchor)
            )
        free[place] = (at + width_of(text) if at and not anchor else end) + 6
        left -= mark.many
    about = ", ".join(t for t in (row.about, f"{left} more" if left else "") if t)
    head = [label(0, y + 18, fitted(row.label, (LEFT - 12) / BOLD), "strong", tip=row.label)]
    if about:
        head.append(label(0, y + 31, fitted(about, (LEFT - 12) * 1.1), "small", tip=about))
    used = sum(taken > 0 for taken in free)
    return [*head, *drawn], max(9 + used * STEP, 40.0)


def _ends(mark: Mark, scale: Line) -> tuple[float, float]:
    x = scale(mark.first_us)
    return x, max(scale(mark.last_us), x + LEAST)


def _seen(marks: Sequence[Mark], scale: Line) -> list[Mark]:
    """Of marks of one time as many as fit above one another, the worst; in the order of time."""
    rows: list[list[tuple[float, float]]] = [[] for _ in range(DEEP)]
    kept = []
    for mark in sorted(marks, key=lambda m: (-m.severity, m.first_us, m.name)):
        x, end = _ends(mark, scale)
        row = next((r for r in rows if all(end + 1 < a or b + 1 < x for a, b in r)), None)
        if row is not None:
            row.append((x, end))
            kept.append(mark)
    return sorted(kept, key=lambda m: (m.first_us, -m.severity, m.name))


def _place(free: Sequence[float], x: float, end: float, wide: float, edge: float) -> tuple[int | None, float, str]:
    """Which row of a lane a bar goes to, where its name stands (0: nowhere), and on which side of that place."""
    room = [n for n, taken in enumerate(free) if taken < x]
    if end + 5 + wide <= edge + RIGHT and room:
        return room[0], end + 5, ""
    for n in room:
        if max(free[n], LEFT) < x - 5 - wide:
            return n, x - 5, "end"
    inside = (x + end) / 2 if end - x > wide + 8 else 0.0
    return room[0] if room else None, inside, "middle" if inside else ""


def _thinned(marks: Sequence[Mark], scale: Line) -> list[Mark]:
    """The marks of a crowded lane, those that begin at one place as one of the worst severity."""
    if len(marks) <= CROWD:
        return list(marks)
    places: dict[int, Mark] = {}
    for mark in marks:
        place = int(scale(mark.first_us) / PLACE)
        known = places.get(place)
        places[place] = mark if known is None else _both(known, mark)
    return list(places.values())


def _both(one: Mark, other: Mark) -> Mark:
    worst = max(one, other, key=lambda m: m.severity)
    first, last, number = min(one.first_us, other.first_us), max(one.last_us, other.last_us), one.many + other.many
    tip = f"{many(number, 'alert')}, {between(first, last)}"
    return replace(worst, first_us=first, last_us=last, many=number, tip=tip)
