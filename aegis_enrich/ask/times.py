"""Times as people write them: spans of event time found in a question; all of it is UTC, `now` is an argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

UNITS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "m": 60, "hour": 3600, "hr": 3600, "h": 3600}
UNITS |= {"day": 86_400, "d": 86_400, "week": 604_800, "wk": 604_800, "w": 604_800, "month": 2_592_000}
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
NUMBERS |= {"nine": 9, "ten": 10, "twelve": 12, "couple of": 2, "few": 3}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HALF = ("january", "february", "march", "april", "may", "june")
MONTHS = (*_HALF, "july", "august", "september", "october", "november", "december")
AROUND = timedelta(minutes=15)  # "around 02:30"
AT = timedelta(minutes=5)  # "at 02:30"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_CLOCK = r"(?<![\d.:])(?:[01]?\d|2[0-4])(?::[0-5]\d){1,2}(?:\.\d+)?(?:\s?(?:am|pm))?(?:\s?(?:z|utc|uhr))?\b"
_CLOCK += r"|\b(?:1[0-2]|0?[1-9])\s?(?:am|pm)\b|\b(?:[01]?\d|2[0-4])\s?(?:uhr|h00)\b|\b(?:noon|midnight)\b"
_MONTH = r"(?:" + "|".join(m[:3] + (f"(?:{m[3:]})?" if m[3:] else "") for m in MONTHS) + r")(?!\w)"
_DATE = r"\d{4}-\d\d?-\d\d?|\d{4}/\d\d?/\d\d?|\d\d?\.\d\d?\.(?:\d{4}|\d\d)?(?!\d|\.\d)|\d\d?/\d\d?/\d{4}"
_DATE += rf"|\b\d\d?(?:st|nd|rd|th|\.)?\s(?:of\s)?{_MONTH}(?:,?\s\d{{4}})?"
_DATE += rf"|\b{_MONTH}\s\d\d?(?:st|nd|rd|th)?(?!\d|:)(?:,?\s\d{{4}})?"
_UNIT = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|months?|[smhdw])\b"
_NUMBER = rf"(?:\d+|{'|'.join(NUMBERS)})"
_WEEKDAY = rf"(?:last\s|this\s)?(?:{'|'.join(WEEKDAYS)})"
_DAY = rf"\b(?:the day before yesterday|yesterday(?:'?s)?|today(?:'?s)?|tonight|now|{_WEEKDAY})\b"
_AGO = rf"\b{_NUMBER}\s?{_UNIT}\s(?:ago|earlier)\b"
MOMENT = rf"(?:(?:{_DATE}|{_DAY})(?:(?:\s|t|,\s|\sat\s)(?:{_CLOCK}))?|(?:{_CLOCK})|{_AGO})"


@dataclass(frozen=True)
class Span:
    """`[start_us, end_us)` of event time; None where that end is open. `text` is how it was written."""

    start_us: int | None
    end_us: int | None
    text: str
    at: tuple[int, int] = (0, 0)  # characters of the question

    def __str__(self) -> str:
        if self.start_us is None and self.end_us is None:
            return "all the time there is"
        if self.start_us is None:
            return f"before {said(self.end_us)}"
        if self.end_us is None:
            return f"since {said(self.start_us)}"
        return f"from {said(self.start_us)} to {said(self.end_us)}"


def said(time_us: int | None) -> str:
    """A time for people, in UTC to the second."""
    return "" if time_us is None else str(moment(time_us).replace(tzinfo=None, microsecond=0))


def moment(time_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_us)


def micros(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def find(text: str, now_us: int) -> list[Span]:
    """The spans that a question names, in their order; `now_us` is what "today" and "last hour" go back from."""
    lower, now = text.lower(), moment(now_us)
    found: list[Span] = []
    taken = [False] * len(lower)
    for pattern, read in _FORMS:
        for match in pattern.finditer(lower):
            if any(taken[match.start() : match.end()]):
                continue
            try:
                span = read(match, now)
            except (ValueError, OverflowError):
                continue
            if span is None:
                continue
            found.append(replace(span, text=match[0].strip(), at=match.span()))
            taken[match.start() : match.end()] = [True] * len(match[0])
    return sorted(_dated(sorted(found, key=lambda s: s.at), lower, now), key=lambda s: s.at)


def _dated(spans: list[Span], text: str, now: datetime) -> Iterator[Span]:
    """A time of day beside one whole day is of that day: "between 2:00 and 3:00 on 2026-11-21"."""
    if len(spans) == 2 and not re.search(r"\b(compare|versus|vs|with|than)\b", text):
        days = [s for s in spans if _is_day(s) and not _of_clock(s.text)]
        times = [s for s in spans if _of_clock(s.text) and not re.search(f"{_DATE}|{_DAY}", s.text)]
        if len(days) == 1 and len(times) == 1 and days[0].start_us is not None:
            on, shift = moment(days[0].start_us), []
            for end in (times[0].start_us, times[0].end_us):
                shift.append(None if end is None or end == micros(now) else micros(_on(on, end, times[0].start_us)))
            yield replace(times[0], start_us=shift[0], end_us=shift[1], text=text[spans[0].at[0] : spans[1].at[1]])
            yield replace(days[0], text="")  # its characters are taken; it says nothing of its own any more
            return
    yield from spans


def _on(day: datetime, time_us: int, first_us: int | None) -> datetime:
    start = moment(first_us if first_us is not None else time_us)
    return day.replace(hour=start.hour, minute=start.minute, second=start.second) + (moment(time_us) - start)


def _is_day(span: Span) -> bool:
    return span.start_us is not None and span.end_us is not None and span.end_us - span.start_us == 86_400_000_000


def _of_clock(text: str) -> bool:
    return re.search(_CLOCK, text) is not None


# ---- moments: what one word or date stands for, as the interval that it covers


def interval(text: str, now: datetime, *, day: datetime | None = None) -> tuple[datetime, datetime]:
    """What a moment covers (a day, a minute); `day` is that of a time without one, else the newest that is past."""
    text = text.strip()
    if match := re.fullmatch(rf"({_NUMBER})\s?({_UNIT})\s(?:ago|earlier)", text):
        seconds = _seconds(match[2])
        then = now - timedelta(seconds=_number(match[1]) * seconds)
        if seconds >= 86_400:
            then = _midnight(then)
            return then, then + timedelta(days=1)
        return then, then + timedelta(seconds=seconds)
    clock = re.search(rf"(?:{_CLOCK})$", text)
    head = text[: clock.start()].rstrip(" ,t").removesuffix(" at").strip() if clock else text
    if head == "now":
        return now, now
    start = _date(head, now) if head else day
    if clock is None:
        if start is None:
            raise ValueError(text)
        return start, start + timedelta(days=1)
    hour, minute, second = _clock(clock[0])
    base = start or _midnight(now)
    then = base + timedelta(hours=hour, minutes=minute, seconds=second)
    if start is None and then > now:
        then -= timedelta(days=1)
    return then, then + timedelta(seconds=60 if second == 0 else 1)


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


def _clock(text: str) -> tuple[int, int, int]:
    if text in ("noon", "midnight"):
        return (12 if text == "noon" else 0), 0, 0
    numbers = [int(n) for n in re.findall(r"\d+", text.split(".")[0])]
    hour, minute, second = [*numbers, 0, 0][:3]
    if text.endswith("h00"):
        minute = second = 0
    if "pm" in text and hour < 12:
        hour += 12
    if "am" in text and hour == 12:
        hour = 0
    return hour, minute, second


def _date(text: str, now: datetime) -> datetime:
    today = _midnight(now)
    text = text if text in WEEKDAYS else re.sub(r"(day)'?s$", r"\1", text)
    days = {"today": 0, "tonight": 0, "yesterday": 1, "the day before yesterday": 2}
    if text in days:
        return today - timedelta(days=days[text])
    weekday = text.removeprefix("last ").removeprefix("this ")
    if weekday in WEEKDAYS:
        back = (today.weekday() - WEEKDAYS.index(weekday)) % 7
        return today - timedelta(days=back or (7 if text.startswith("last ") else 0))
    if match := re.fullmatch(r"(\d{4})[-/](\d\d?)[-/](\d\d?)", text):
        return datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC)
    if match := re.fullmatch(r"(\d\d?)[./](\d\d?)[./](\d{4}|\d\d)?", text):
        first, second = int(match[1]), int(match[2])
        if "/" in text and second > 12:  # month first, as in the US
            first, second = second, first
        return _of_year(first, second, match[3], now)
    if match := re.search(_MONTH, text):
        month = [m[:3] for m in MONTHS].index(match[0][:3]) + 1
        numbers = re.findall(r"\d+", text)
        year = next((n for n in numbers if len(n) == 4), None)
        (number,) = (n for n in numbers if len(n) < 3)
        return _of_year(int(number), month, year, now)
    raise ValueError(text)


def _of_year(day: int, month: int, year: str | None, now: datetime) -> datetime:
    """Without a year the newest such day that is past."""
    if year:
        return datetime(int(year) + (2000 if len(year) == 2 else 0), month, day, tzinfo=UTC)
    found = datetime(now.year, month, day, tzinfo=UTC)
    return found if found <= now else found.replace(year=now.year - 1)


def _number(text: str) -> int:
    return NUMBERS.get(text) or int(text)


def _seconds(unit: str) -> int:
    return UNITS[unit if unit in UNITS else unit.rstrip("s")]


# ---- forms: what stands around a moment; the first that takes a character has it


def _span(start: datetime | None, end: datetime | None) -> Span:
    return Span(None if start is None else micros(start), None if end is None else micros(end), "")


def _between(match: re.Match[str], now: datetime) -> Span:
    dated = re.search(f"{_DATE}|{_DAY}", match[1])
    start, _ = interval(match[1], now)
    of_second = re.search(f"{_DATE}|{_DAY}|{_AGO}", match[2])
    if of_second and not dated and _of_clock(match[1]) and not re.search(_AGO, match[2]):
        start, _ = interval(match[1], now, day=_midnight(interval(match[2], now)[0]))
    first, last = interval(match[2], now, day=None if of_second else _midnight(start))
    end = first if _of_clock(match[2]) else last
    if end <= start and not of_second:
        end += timedelta(days=1)
    if end < start:
        raise ValueError(match[0])
    return _span(start, end)


def _since(match: re.Match[str], now: datetime) -> Span:
    start, end = interval(match[2], now)
    after_day = match[1] == "after" and not _of_clock(match[2])
    return _span(end if after_day else start, None)


def _until(match: re.Match[str], now: datetime) -> Span:
    start, end = interval(match[2], now)
    whole_day = match[1] != "before" and not _of_clock(match[2])
    return _span(None, end if whole_day else start)


def _last(match: re.Match[str], now: datetime) -> Span:
    return _span(now - timedelta(seconds=_number(match[1] or "one") * _seconds(match[2])), None)


def _around(match: re.Match[str], now: datetime) -> Span:
    start, end = interval(match[2], now)
    if not _of_clock(match[2]):
        return _span(start, end)
    margin = AT if match[1] == "at" else AROUND
    return _span(start - margin, start + margin)


def _at(match: re.Match[str], now: datetime) -> Span | None:
    """None for a bare "now", which says nothing of a time."""
    if match[1] == "now":
        return None
    start, end = interval(match[1], now)
    return _span(start - AT, start + AT) if _of_clock(match[1]) else _span(start, end)


def _week(match: re.Match[str], now: datetime) -> Span:
    """ "this week", "last month" beside another such one, "this morning": calendar spans."""
    word, unit = match[1], match[2]
    today = _midnight(now)
    starts = {"week": today - timedelta(days=today.weekday()), "month": today.replace(day=1), "day": today}
    starts["hour"] = now.replace(minute=0, second=0, microsecond=0)
    start = starts[unit]
    if word == "this":
        return _span(start, None)
    before = (start - timedelta(days=1)).replace(day=1) if unit == "month" else start - timedelta(seconds=UNITS[unit])
    return _span(before, None if match[0].startswith("since") else start)


def _part(match: re.Match[str], now: datetime) -> Span:
    """Night is from 20:00 to 06:00, morning from 06:00 to 12:00, afternoon to 18:00, evening to 24:00."""
    first, hours = {"night": (20, 10), "morning": (6, 6), "afternoon": (12, 6), "evening": (18, 6)}[match[2]]
    day = _midnight(now) - timedelta(days=1 if match[1] in ("yesterday", "last") else 0)
    start = day + timedelta(hours=first)
    return _span(start, None if match[0].startswith("since") else start + timedelta(hours=hours))


def _month(match: re.Match[str], now: datetime) -> Span:
    month = [m[:3] for m in MONTHS].index(match[1][:3]) + 1
    start = _of_year(1, month, match[2], now)
    return _span(start, (start + timedelta(days=32)).replace(day=1))


def _ever(match: re.Match[str], now: datetime) -> Span:
    return _span(None, None)


Form = tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Span | None]]
_FORMS: tuple[Form, ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (rf"\b(?:between|from)\s({MOMENT})\s?(?:and|to|until|till|[-–—])\s?({MOMENT})", _between),
        (rf"({MOMENT})\s?(?:[-–—]|to|until|till)\s?({MOMENT})", _between),
        (rf"\b(since|after|starting|from)\s({MOMENT})(?:\son(?:wards)?\b)?", _since),
        (rf"(?<!day )\b(before|until|till|up to|by)\s({MOMENT})", _until),
        (rf"\b(around|about|at|near)\s({MOMENT})", _around),
        (r"\b(?:since\s)?(last|this|yesterday)\s(night|morning|afternoon|evening)\b", _part),
        (
            rf"\b(?:(?:in|within|during|for|over|from|since)\s)?(?:the\s)?(?:last|past|previous|recent)\s"
            rf"(?:({_NUMBER})\s?)?((?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[smhd])\b)",
            _last,
        ),
        (
            rf"\b(?:(?:in|within|during|for|over|from|since)\s)?(?:the\s)?(?:(?:last|past|previous)\s({_NUMBER})\s?"
            rf"|past\s)((?:weeks?|wks?|months?|w)\b)",
            _last,
        ),
        (rf"\b(?:within|since|last)\s({_NUMBER})\s?({_UNIT})", _last),
        (r"\b(?:(?:in|during|over|for|since)\s)?(?:the\s)?(this|last|previous)\s(week|month|hour|day)\b", _week),
        (rf"\b(?:in|during|since)\s({_MONTH})(?:\s(\d{{4}}))?\b", _month),
        (r"\b(?:ever|all time|all the time|at any time|of all times?|in total|so far)\b", _ever),
        (rf"(?:\bon\s(?:the\s)?)?({MOMENT})", _at),
        (r"\b(\d+)\s?((?:hours?|hrs?|days?|minutes?|mins?|h|d)\b)", _last),
    )
)
