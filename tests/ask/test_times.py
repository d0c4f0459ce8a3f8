"""Times as people write them, against the newest event at 02:32:20 on Sunday 2026-11-22."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.ask.times import find, micros, said

NOW = micros(datetime(2026, 11, 22, 2, 32, 20, tzinfo=UTC))
SPANS = {
    "since yesterday": ("2026-11-21 00:00:00", ""),
    "SINCE YESTERDAY": ("2026-11-21 00:00:00", ""),
    "last 3 hours": ("2026-11-21 23:32:20", ""),
    "in the last hour": ("2026-11-22 01:32:20", ""),
    "last 24h": ("2026-11-21 02:32:20", ""),
    "in the past 2 weeks": ("2026-11-08 02:32:20", ""),
    "past week": ("2026-11-15 02:32:20", ""),
    "last week": ("2026-11-09 00:00:00", "2026-11-16 00:00:00"),
    "since last week": ("2026-11-09 00:00:00", ""),
    "this month": ("2026-11-01 00:00:00", ""),
    "on 2026-11-22": ("2026-11-22 00:00:00", "2026-11-23 00:00:00"),
    "22.11.2026": ("2026-11-22 00:00:00", "2026-11-23 00:00:00"),
    "am 22.11.": ("2026-11-22 00:00:00", "2026-11-23 00:00:00"),
    "22.11.26": ("2026-11-22 00:00:00", "2026-11-23 00:00:00"),
    "11/21/2026": ("2026-11-21 00:00:00", "2026-11-22 00:00:00"),
    "Nov 21": ("2026-11-21 00:00:00", "2026-11-22 00:00:00"),
    "22nd of November 2025": ("2025-11-22 00:00:00", "2025-11-23 00:00:00"),
    "on 3 december": ("2025-12-03 00:00:00", "2025-12-04 00:00:00"),
    "on monday": ("2026-11-16 00:00:00", "2026-11-17 00:00:00"),
    "today": ("2026-11-22 00:00:00", "2026-11-23 00:00:00"),
    "todays alerts": ("2026-11-22 00:00:00", "2026-11-23 00:00:00"),
    "the day before yesterday": ("2026-11-20 00:00:00", "2026-11-21 00:00:00"),
    "last night": ("2026-11-21 20:00:00", "2026-11-22 06:00:00"),
    "between 02:00 and 03:00": ("2026-11-22 02:00:00", "2026-11-22 03:00:00"),
    "between 2:00 and 3:00 on 21.11.2026": ("2026-11-21 02:00:00", "2026-11-21 03:00:00"),
    "from 22:00 to 01:00": ("2026-11-21 22:00:00", "2026-11-22 01:00:00"),
    "between 2026-11-20 and 2026-11-21": ("2026-11-20 00:00:00", "2026-11-22 00:00:00"),
    "2026-11-21 22:00 - 2026-11-22 01:30": ("2026-11-21 22:00:00", "2026-11-22 01:30:00"),
    "from 02:00 to now": ("2026-11-22 02:00:00", "2026-11-22 02:32:20"),
    "since 2am": ("2026-11-22 02:00:00", ""),
    "since 23:00": ("2026-11-21 23:00:00", ""),
    "since 2 hours ago": ("2026-11-22 00:32:20", ""),
    "after yesterday": ("2026-11-22 00:00:00", ""),
    "before 02:30": ("", "2026-11-22 02:30:00"),
    "until yesterday": ("", "2026-11-22 00:00:00"),
    "at 02:30": ("2026-11-22 02:25:00", "2026-11-22 02:35:00"),
    "around 02:30": ("2026-11-22 02:15:00", "2026-11-22 02:45:00"),
    "2026-11-22T02:30:00Z": ("2026-11-22 02:25:00", "2026-11-22 02:35:00"),
    "in november": ("2026-11-01 00:00:00", "2026-12-01 00:00:00"),
    "ever": ("", ""),
}


@pytest.mark.parametrize("text", SPANS)
def test_a_time_alone_and_in_a_question(text: str) -> None:
    for question in (text, f"show alerts {text} please"):
        (span,) = [s for s in find(question, NOW) if s.text]
        assert (said(span.start_us), said(span.end_us)) == SPANS[text]


@pytest.mark.parametrize(
    "text", ["what now", "10.10.0.14 port 22", "1.2.3.4:80", "top 5 hosts", "may I see it", "31.02.2026", "T1046"]
)
def test_what_is_no_time(text: str) -> None:
    assert find(text, NOW) == []


def test_two_times_are_two_spans() -> None:
    spans = find("compare 02:00-02:30 with 02:30-03:00", NOW)
    assert [said(s.start_us)[11:] for s in spans] == ["02:00:00", "02:30:00"]


@given(st.text(alphabet="0123456789.:-/ abdehlmnorstuy,", max_size=40))
def test_any_text_is_read_without_error_and_spans_do_not_run_backwards(text: str) -> None:
    for span in find(text, NOW):
        assert span.start_us is None or span.end_us is None or span.start_us <= span.end_us
        assert 0 <= span.at[0] < span.at[1] <= len(text)
