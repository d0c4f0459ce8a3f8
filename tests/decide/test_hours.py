"""Spans of the day over midnight, days, and time zones with their summer."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from aegis_enrich.decide.hours import Hours, parse_hours
from aegis_enrich.decide.source import Source
from aegis_enrich.plugin import MICROS

NIGHT = (22 * 60, 6 * 60)


def at(text: str, zone: str = "UTC") -> int:
    """A time such as `2026-11-27 22:00` (a Friday) in µs."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()) * MICROS


@pytest.mark.parametrize(
    ("hours", "time", "holds"),
    [
        (Hours(), "2026-11-27 12:00", True),
        (Hours((NIGHT,)), "2026-11-27 22:00", True),
        (Hours((NIGHT,)), "2026-11-27 21:59:59", False),
        (Hours((NIGHT,)), "2026-11-28 05:59:59", True),
        (Hours((NIGHT,)), "2026-11-28 06:00", False),
        (Hours(((9 * 60, 17 * 60),)), "2026-11-27 09:00", True),
        (Hours(((9 * 60, 17 * 60),)), "2026-11-27 17:00", False),
        (Hours(((0, 60), (120, 180))), "2026-11-27 02:30", True),
        (Hours(((0, 60), (120, 180))), "2026-11-27 01:30", False),
        (Hours(((22 * 60, 24 * 60),)), "2026-11-27 23:59", True),
        (Hours(days=(5, 6)), "2026-11-28 12:00", True),
        (Hours(days=(5, 6)), "2026-11-27 12:00", False),
        (Hours((NIGHT,), (4,)), "2026-11-28 02:00", True),  # Friday's night
        (Hours((NIGHT,), (4,)), "2026-11-27 02:00", False),  # Thursday's
        (Hours((NIGHT,), (6,)), "2026-11-30 02:00", True),  # Sunday's, on Monday
        (Hours(((9 * 60, 17 * 60),), zone="Europe/Amsterdam"), "2026-11-27 08:00", True),
        (Hours(((9 * 60, 17 * 60),), zone="Europe/Amsterdam"), "2026-07-24 07:00", True),  # its summer
        (Hours(((9 * 60, 17 * 60),), zone="Europe/Amsterdam"), "2026-11-27 07:59", False),
    ],
)
def test_when_they_hold(hours, time, holds):
    assert hours.hold(at(time)) is holds


def test_times_before_the_epoch():
    assert Hours((NIGHT,)).hold(-60 * MICROS)
    assert not Hours((NIGHT,)).hold(-12 * 3600 * MICROS)


@pytest.fixture
def parsed(tmp_path):
    def parse(text: str) -> tuple[Hours, list[str]]:
        (tmp_path / "a.yml").write_text(text)
        source = Source.read(tmp_path / "a.yml")
        return parse_hours(source), [str(p).rpartition("a.yml:")[2] for p in source.problems]

    return parse


def test_as_it_is_written(parsed):
    hours, problems = parsed('hours: ["22:00-06:00", 12:00-13:30]\ndays: [sun, mon]\ntime_zone: Europe/Amsterdam\n')
    assert problems == []
    assert hours == Hours((NIGHT, (720, 810)), (0, 6), "Europe/Amsterdam")
    assert str(hours) == "22:00-06:00 12:00-13:30 mon sun Europe/Amsterdam"
    assert parsed("hours: 20:00-24:00\ndays: sat\n")[0] == Hours(((1200, 1440),), (5,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hours: 9-17", "1: hours: '9-17' is no span of a day; write it like 22:00-06:00"),
        ("hours: 09:00-09:00", "1: hours: '09:00-09:00' is no span"),
        ("hours: 24:00-06:00", "1: hours: '24:00-06:00' is no span"),
        ("hours: 20:00-24:30", "1: hours: '20:00-24:30' is no span"),
        ("days: [mon, mittwoch]", "1: days: 'mittwoch' is not one of mon, tue"),
        ("days: 3", "1: days: a list of texts"),
        ("time_zone: Mars/Olympus", "1: time_zone: 'Mars/Olympus' is not known on this machine; write UTC"),
        ("time_zone: ../etc/passwd", "1: time_zone: '../etc/passwd' is not known"),
    ],
)
def test_what_is_wrong_is_told(parsed, text, said):
    (problem,) = parsed(text)[1]
    assert problem.startswith(said)
