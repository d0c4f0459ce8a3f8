"""Times and amounts as a reader has them, all in UTC, and the round steps of axes."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from ..errors import ConfigError
from ..plugin import DAY_US, MICROS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEAST, MOST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

# Seconds between marks of a time axis, and widths of the buckets that plots add up.
STEPS_S: tuple[int, ...] = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
STEPS_S += (86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000)
_BACK = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(time_us: int) -> datetime:
    """A time as a datetime in UTC; what lies outside of the calendar is its edge."""
    try:
        return min(max(EPOCH + timedelta(microseconds=time_us), LEAST), MOST)
    except OverflowError:
        return LEAST if time_us < 0 else MOST


def micros(text: str) -> int:
    """µs since the epoch of a time as documents have it."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def stamp(time_us: int) -> str:
    """Date and time to the second."""
    return str(moment(time_us).replace(tzinfo=None, microsecond=0))


def time_of_day(time_us: int) -> str:
    return stamp(time_us)[11:]


def between(first_us: int, last_us: int) -> str:
    """A span: `2026-11-22 02:28:46 to 02:32:13`."""
    first, last = stamp(first_us), stamp(last_us)
    if first == last:
        return first
    return f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def length(seconds: float) -> str:
    """A duration as people say it."""
    if not seconds:
        return "0 s"
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= (2 * size if size > 1 else size):
            value = seconds / size
            return f"{value:.0f} {word}" if value >= 10 or value == round(value) else f"{value:.1f} {word}"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2g} ms"


def size(number_bytes: float) -> str:
    """An amount of bytes, in powers of ten."""
    return _scaled(number_bytes, (" B", " kB", " MB", " GB", " TB", " PB"))


def rate(bits_a_second: float) -> str:
    return _scaled(bits_a_second, (" bit/s", " kbit/s", " Mbit/s", " Gbit/s", " Tbit/s"))


def count(number: float) -> str:
    """A count on an axis: whole where it is small."""
    return f"{number:,.0f}" if number >= 10 or number == round(number) else f"{number:.2g}"


def share(part: float) -> str:
    """A share of 0-1 as per cent."""
    return f"{part * 100:.3g} %"


def many(number: int, word: str, plural: str = "") -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def _scaled(value: float, units: tuple[str, ...]) -> str:
    exponent = 0
    while value >= 999.5 and exponent < len(units) - 1:
        value, exponent = value / 1000, exponent + 1
    return f"{value:.3g}{units[exponent]}"


def step_us(span_us: int, most: int) -> int:
    """The least round step that divides a span into this many parts at most."""
    for step in STEPS_S:
        if span_us <= step * MICROS * most:
            return step * MICROS
    return math.ceil(span_us / most / (STEPS_S[-1] * MICROS)) * STEPS_S[-1] * MICROS


def tick_label(time_us: int, step: int) -> str:
    """A mark of a time axis: the time of day, or the date where that is midnight or the step is days."""
    at = moment(time_us)
    if step >= DAY_US or (at.hour, at.minute, at.second) == (0, 0, 0):
        return at.strftime("%Y-%m-%d").rjust(10, "0") if step >= 180 * DAY_US else at.strftime("%d %b").lstrip("0")
    return at.strftime("%H:%M:%S" if step < 60 * MICROS else "%H:%M")


def nice(most: float) -> float:
    """The least of these times a power of ten that is no less: the top of an axis, whose half is round too."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(f * power for f in (1, 2, 3, 4, 5, 6, 8, 10) if f * power >= most * (1 - 1e-9))


def nice_length(seconds: float) -> float:
    """The same for durations, of which minutes, hours and days are the units."""
    unit = next(u for u, most in ((1, 120), (60, 7_200), (3_600, 172_800), (86_400, math.inf)) if seconds <= most)
    return nice(seconds / unit) * unit


def asked(written: str, newest_us: int, option: str) -> int:
    """What `--since` or `--until` means, in µs: a date or time (UTC where it names no zone), or 24h, 7d before the
    newest row; raises ConfigError."""
    if match := _BACK.fullmatch(written.strip()):
        return newest_us - round(float(match[1]) * _SECONDS[match[2]] * MICROS)
    try:
        at = datetime.fromisoformat(written.strip())
    except ValueError:
        what = "is no time; write 2026-11-22, 2026-11-22T02:30 (UTC), or 24h or 7d before the newest row"
        raise ConfigError(f"{written!r} {what}", where=option) from None
    return micros(str(at if at.tzinfo else at.replace(tzinfo=UTC)))
