import re

from html_page import Page

from aegis_enrich.report.beat import POINTS, beat
from aegis_enrich.report.rhythm import Rhythm

SECOND = 1_000_000


def rhythm_of(gaps):
    calls = [0]
    for gap in gaps:
        calls.append(calls[-1] + round(gap * SECOND))
    return Rhythm({}, tuple(calls), tuple(zip(calls[1:], gaps, strict=True)))


def test_a_dot_for_each_gap_and_a_mark_for_each_call():
    page = Page.of(beat(rhythm_of([60] * 20), "a → b"))
    paths = {e.attributes["class"]: e.attributes["d"] for e in page.all("path")}
    assert paths["call"].count("M") == 21
    assert paths["dots"].count("M") == 20
    assert len({re.sub(r"M\S+ ", "", d) for d in paths["dots"].split("h0") if d}) == 1  # all at one height
    assert "over" not in paths
    assert "21 calls, one each 60 s" in page.text
    assert "the median gap between them is 60 s, and 20 of 20" in page.all("svg")[0].attributes["aria-label"]


def test_a_long_gap_is_a_triangle_at_the_top():
    page = Page.of(beat(rhythm_of([60] * 20 + [6_000]), "a → b"))
    assert [e.attributes["d"].count("M") for e in page.all("path", class_="over")] == [1]


def test_of_many_calls_some_are_drawn_and_that_is_said():
    page = Page.of(beat(rhythm_of([10 + n % 7 for n in range(3 * POINTS)]), "a → b"))
    (dots,) = page.all("path", class_="dots")
    assert dots.attributes["d"].count("M") <= POINTS
    assert "one of 4 is drawn" in page.text


def test_the_histogram_holds_the_gaps_of_the_plot():
    page = Page.of(beat(rhythm_of([10.0] * 5 + [12.0] * 3), "a → b"))
    counts = [int(e.text.split()[0]) for e in page.all("rect", class_="bar c1")]
    assert sorted(counts) == [3, 5]
