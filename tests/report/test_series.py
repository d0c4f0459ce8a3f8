from html_page import Page

from aegis_enrich.report.clock import share
from aegis_enrich.report.series import Scale, Series, lines, stacked
from aegis_enrich.report.stretch import Stretch

SHOWN = Stretch(0, 600_000_000, 60_000_000)
ONE, TWO = Series("one", "c1", {0: 4, 2: 6}), Series("two", "c2", {0: 1, 9: 5})


def test_bars_stand_on_one_another():
    page = Page.of(stacked("T", SHOWN, [ONE, TWO], Scale()))
    first, second = (e.attributes["d"] for e in page.all("path"))
    assert first.count("M") == second.count("M") == 2
    top = first.split("V")[1].split("H")[0]
    assert second.split(" ")[1].startswith(top)  # where the first ends, the second begins
    assert page.all("rect")[0].text == "1970-01-01 00:00:00: one 4, two 1"
    assert page.all("svg")[0].attributes["aria-label"].endswith("one: 4 to 6; two: 1 to 5")
    assert "one" in page.all("figcaption")[0].text


def test_a_line_breaks_where_there_is_no_value():
    page = Page.of(lines("T", SHOWN, [Series("x", "c1", {0: 1, 1: 2, 5: 1, 7: 2, 8: 2})], Scale()))
    (path,) = page.all("path")
    assert path.attributes["d"].count("M") == 3
    assert path.attributes["d"].count("h.1") == 1


def test_zeros_have_a_scale_that_does_not_cry():
    page = Page.of(lines("T", SHOWN, [Series("x", "c1", {0: 0.0})], Scale(share, 0.01)))
    assert [e.text for e in page.all("text")][-3:] == ["0 %", "0.5 %", "1 %"]


def test_nothing_at_all_is_drawn_as_nothing():
    page = Page.of(stacked("T", SHOWN, [Series("x", "c1", {})], Scale(least=4)))
    assert "x: nothing" in page.all("svg")[0].attributes["aria-label"]
