"""What a file is by its name: which log, of which node, from when, and whether it is still written."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..tables import LOG_ALIASES

# Logs that begin like a known one and are another (Zeek's own, Corelight's, old ones).
OTHERS = {
    "conn_agg",
    "conn_long",
    "conn_red",
    "conn_summary",
    "dns_red",
    "dns_state",
    "files_identified",
    "files_red",
    "http_red",
    "notice_alarm",
    "notice_policy",
    "smtp_entities",
    "ssl_red",
    "weird_red",
    "weird_stats",
}

_SUFFIX = re.compile(r"(?:\.log|\.json)(?P<stamp>[.-]\d[\d-]*)?(?P<gz>\.gz)?$")
_PACKED = re.compile(r"(?:\.log|\.json)(?:[.-]\d[\d-]*)?\.(?:zst|bz2|xz|lz4|Z)$")
_EVE = re.compile(r"eve(?:$|[._-])")
_THREAD = re.compile(r"\.(\d{1,3})$")
# Two digits and more, times or dates, not the number behind a node's name ("logger-1").
_STAMP = re.compile(r"(?<![A-Za-z]-)(?<![A-Za-z0-9])\d[\d:._T+-]*\d(?:Z|\+\d{4})?")
_OFFSET = re.compile(r"[+]\d{4}$")
_DATE = r"(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)"
_CLOCK = r"(?P<hour>\d\d)[:_.-]?(?P<minute>\d\d)(?:[:_.-]?(?P<second>\d\d))?"
_OLD = re.compile(rf"(?P<year>\d\d)-(?P<month>\d\d)-(?P<day>\d\d)_{_CLOCK}$")  # conn-11-03-07_03.00.05.log
_DATED = re.compile(rf"{_DATE}(?:[T_-]{_CLOCK})?(?![\d:])")
_CLOCKS = re.compile(rf"{_CLOCK}(?!\d)")
_FOLDER = re.compile(_DATE)


@dataclass(frozen=True, slots=True)
class LogName:
    """`rotated`: the name bears a time or number, or the file is compressed, so little is written to it any more.

    `start_us` and `end_us` are of the file's rows, as far as its name and its folder's date say; they are read as UTC,
    though sensors write local time.
    """

    name: str
    node: str = ""
    rotated: bool = False
    start_us: int | None = None
    end_us: int | None = None


def parse(filename: str, known: Collection[str], *, folder: str = "") -> LogName | None:
    """What `filename` is; None where it is no log, or none of the `known` names.

    The longest known name that the file's begins with wins; what follows is time and node. `folder` may be a date
    (zeekctl's archives).
    """
    suffix = _SUFFIX.search(filename)
    if not suffix:
        return None
    stem = filename[: suffix.start()]
    eve = ".json" in suffix[0]
    name = ("eve" if _EVE.match(stem) else None) if eve else _longest(stem, known)
    if name is None:
        return None
    thread = _THREAD.search(stem) if eve else None
    if thread:
        stem = stem[: thread.start()]
    rest = stem[len(name) :]
    stamps = [*_STAMP.findall(rest), (suffix["stamp"] or "").lstrip(".-")]
    stamp = next(filter(None, stamps), "")
    node = thread[1] if thread else _STAMP.sub("", rest).replace("log_suffix=", "").strip("-_.")
    start_us, end_us = _span(stamp, folder)
    rotated = bool(stamp or suffix["gz"])
    return LogName(LOG_ALIASES.get(name, name) or name, node, rotated, start_us, end_us)


def unknown(filename: str) -> str | None:
    """The log's name, times left out, of a file that looks like a log but is none that `parse` knows; else None."""
    suffix = _SUFFIX.search(filename)
    if not suffix:
        return None
    return _STAMP.sub("", filename[: suffix.start()]).rstrip("-_.") or filename


def packed(filename: str) -> bool:
    """Whether it is a log in a compression other than gzip."""
    return bool(_PACKED.search(filename))


def is_text(path: str) -> bool:
    """Whether a path can be written down: bytes of it that are no UTF-8 are halves of surrogates to Python."""
    return path.isascii() or not any("\udc80" <= c <= "\udcff" for c in path)


def _longest(stem: str, known: Collection[str]) -> str | None:
    if any(stem == other or (stem.startswith(other) and stem[len(other)] in "._-") for other in OTHERS):
        return None
    fits = [n for n in (*known, *LOG_ALIASES) if stem == n or (stem.startswith(n) and stem[len(n)] in "._-")]
    name = max(fits, key=len, default=None)
    return None if name is None or LOG_ALIASES.get(name, name) is None else name


def _span(stamp: str, folder: str) -> tuple[int | None, int | None]:
    """First and last moment in a stamp; a time without a date takes the one before it, or the folder's."""
    stamp = _OFFSET.sub("", stamp)
    old = _OLD.match(stamp)
    moments: list[datetime | None] = []
    day = _FOLDER.fullmatch(folder)
    if old:
        moments.append(_moment(old, old, century="20"))
    elif not stamp:
        moments.append(_moment(day, None) if day else None)
    at = 0
    while not old and at < len(stamp):
        dated = _DATED.match(stamp, at)
        clock = dated or (_CLOCKS.match(stamp, at) if day else None)
        if clock is None:
            at += 1
            continue
        day = dated or day
        moments.append(_moment(day, clock if clock["hour"] else None))
        at = clock.end()
    found = [m for m in moments if m is not None]
    if not found:
        return None, None
    start, end = found[0], found[-1]
    return _us(start), _us(end + timedelta(days=1) if end < start else end)


def _moment(day: re.Match[str] | None, clock: re.Match[str] | None, *, century: str = "") -> datetime | None:
    if day is None:
        return None
    hour, minute, second = (int(clock[part] or 0) for part in ("hour", "minute", "second")) if clock else (0, 0, 0)
    try:
        return datetime(
            int(century + day["year"]), int(day["month"]), int(day["day"]), hour, minute, min(second, 59), tzinfo=UTC
        )
    except ValueError:
        return None


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
