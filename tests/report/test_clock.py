import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import DAY_US, HOUR_US, MICROS
from aegis_enrich.report import clock

NOON = clock.micros("2026-11-22T12:00:00.000000Z")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.000_05, "0.05 ms"),
        (0.02, "20 ms"),
        (1.25, "1.2 s"),
        (59, "59 s"),
        (150, "2.5 min"),
        (600, "10 min"),
        (7_200, "2 h"),
        (3 * 86_400, "3 d"),
    ],
)
def test_lengths(seconds, said):
    assert clock.length(seconds) == said


def test_amounts():
    assert (clock.size(0), clock.size(999), clock.size(1_234_567)) == ("0 B", "999 B", "1.23 MB")
    assert clock.rate(2.5e9) == "2.5 Gbit/s"
    assert (clock.share(0.005), clock.count(1234), clock.count(0.5)) == ("0.5 %", "1,234", "0.5")
    assert (clock.many(1, "row"), clock.many(2_000, "row"), clock.many(2, "match", "matches")) == (
        "1 row",
        "2,000 rows",
        "2 matches",
    )


def test_spans():
    assert clock.between(NOON, NOON) == "2026-11-22 12:00:00"
    assert clock.between(NOON, NOON + 90 * MICROS) == "2026-11-22 12:00:00 to 12:01:30"
    assert clock.between(NOON, NOON + DAY_US) == "2026-11-22 12:00:00 to 2026-11-23 12:00:00"


def test_times_that_no_calendar_holds_are_its_edge():
    assert clock.stamp(-(2**62)) == "0001-01-02 00:00:00"
    assert clock.stamp(2**62) == "9999-12-30 00:00:00"


@pytest.mark.parametrize(
    ("span", "most", "step"),
    [
        (1, 100, MICROS),
        (100 * MICROS, 100, MICROS),
        (101 * MICROS, 100, 2 * MICROS),
        (DAY_US, 100, 900 * MICROS),
        (30 * DAY_US, 100, 12 * HOUR_US),
        (52 * 365 * DAY_US, 9, 6 * 365 * DAY_US),
    ],
)
def test_steps_are_round_and_few(span, most, step):
    assert clock.step_us(span, most) == step
    assert span / step <= most


@pytest.mark.parametrize(("value", "top"), [(0, 1), (0.03, 0.03), (7, 8), (10, 10), (10.1, 20), (351, 400)])
def test_tops_of_axes(value, top):
    assert clock.nice(value) == pytest.approx(top)


@pytest.mark.parametrize(("seconds", "top"), [(5, 5), (90, 90 and 100), (130, 180), (7_000, 12_000), (7_300, 10_800)])
def test_tops_of_axes_of_time_are_of_its_units(seconds, top):
    assert clock.nice_length(seconds) == top


def test_marks_say_the_date_at_midnight():
    midnight = clock.micros("2026-11-22T00:00:00Z")
    assert clock.tick_label(midnight, HOUR_US) == "22 Nov"
    assert clock.tick_label(midnight + HOUR_US, HOUR_US) == "01:00"
    assert clock.tick_label(midnight + HOUR_US, 30 * MICROS) == "01:00:00"
    assert clock.tick_label(midnight, 365 * DAY_US) == "2026-11-22"


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("24h", NOON - DAY_US),
        ("7d", NOON - 7 * DAY_US),
        ("2026-11-22", NOON - 12 * HOUR_US),
        ("2026-11-22T12:00", NOON),
        ("2026-11-22 13:00+01:00", NOON),
        ("2026-11-22T12:00:00Z", NOON),
    ],
)
def test_spans_that_are_asked_for(written, at):
    assert clock.asked(written, NOON, "--since") == at


def test_what_is_no_time_is_said():
    with pytest.raises(ConfigError, match=r"--since: 'soon' is no time; write 2026-11-22"):
        clock.asked("soon", NOON, "--since")
