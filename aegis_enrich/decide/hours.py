"""Times of the week, as overrides name them: spans of the day, days, and the time zone that both are meant in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .source import Source

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True)
class Hours:
    """`spans`: minutes of the day, the first in and the last out; where the last is not later, over midnight. None
    at all: the whole day. `days`: 0 is Monday; none at all: every day. A span's day is the one that it begins on."""

    spans: tuple[tuple[int, int], ...] = ()
    days: tuple[int, ...] = ()
    zone: str = "UTC"

    @property
    def always(self) -> bool:
        return not self.spans and not self.days

    def hold(self, time_us: int) -> bool:
        """Whether a time of event time (µs) is in them."""
        if self.always:
            return True
        local = (EPOCH + timedelta(microseconds=time_us)).astimezone(_zone(self.zone))
        minute, day = local.hour * 60 + local.minute, local.weekday()
        return any(self._in_span(minute, day, *span) for span in self.spans or ((0, DAY_MINUTES),))

    def _in_span(self, minute: int, day: int, first: int, last: int) -> bool:
        if first < last:
            return first <= minute < last and self._on(day)
        return (minute >= first and self._on(day)) or (minute < last and self._on((day - 1) % 7))

    def _on(self, day: int) -> bool:
        return not self.days or day in self.days

    def __str__(self) -> str:
        spans = [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in self.spans]
        return " ".join([*spans, *(DAYS[d] for d in self.days), self.zone])


def parse_hours(source: Source, *key: str | int) -> Hours:
    """`hours`, `days` and `time_zone` of the mapping at `key`; problems are noted in `source`."""
    spans, days = [], []
    for number, text in enumerate(_texts(source, "hours", *key)):
        match = _SPAN.fullmatch(text)
        first, last = (int(match[n]) * 60 + int(match[n + 1]) for n in (1, 3)) if match else (0, DAY_MINUTES + 1)
        if first >= DAY_MINUTES or last > DAY_MINUTES or first == last:
            source.wrong(f"hours: {text!r} is no span of a day; write it like 22:00-06:00", *key, "hours", number)
        else:
            spans.append((first, last))
    for number, day in enumerate(_texts(source, "days", *key)):
        if day in DAYS:
            days.append(DAYS.index(day))
        else:
            source.wrong(f"days: {day!r} is not one of {', '.join(DAYS)}", *key, "days", number)
    zone = source.text("time_zone", *key, default="UTC")
    try:
        _zone(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        what = f"time_zone: {zone!r} is not known on this machine; write UTC, or a name such as Europe/Amsterdam"
        source.wrong(f"{what} (the system's package tzdata has them)", *key, "time_zone")
        zone = "UTC"
    return Hours(tuple(spans), tuple(sorted(set(days))), zone)


def _texts(source: Source, name: str, *key: str | int) -> tuple[str, ...]:
    """A text or a list of them."""
    value = source.at(key).get(name)
    return (value,) if isinstance(value, str) else source.texts(name, *key)


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
