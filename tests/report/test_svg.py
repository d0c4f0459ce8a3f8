import pytest
from html_page import Page

from aegis_enrich.report.svg import Line, figure, fitted, label, legend, rect, time_axis, top_of, value_axis, width_of


def test_a_scale_places_its_ends_and_keeps_others_inside():
    scale = Line(10, 20, 100, 0)
    assert (scale(10), scale(15), scale(20)) == (100, 50, 0)
    assert (scale.inside(25), scale.inside(-5)) == (0, 100)
    assert Line(3, 3, 0, 10)(3) == 0


def test_a_figure_says_in_words_what_it_shows():
    page = Page.of(figure('A "plot"', "one, <two>", [rect(0, 0, 1, 1, "c1", "tip")], 20.0, note="Why."))
    (svg,) = page.all("svg")
    assert svg.attributes["aria-label"] == "one, <two>"
    assert svg.attributes["role"] == "img"
    assert page.all("figcaption")[0].text == 'A "plot"Why.'
    assert page.all("title")[0].text == "tip"


def test_a_rectangle_is_never_less_than_nothing():
    assert 'width="0"' in rect(0, 0, -3.0, 1, "c1")


@pytest.mark.parametrize("text", ["10.0.0.1", "fd77:48a1:c0bb:0:b96c:506d:6c7f:e8be", "a" * 300, "\u202e" * 50, ""])
def test_a_label_fits_into_its_room(text):
    cut = fitted(text, 100.0)
    assert width_of(cut) <= 100
    assert cut[:3] == text[:3] or "\\u202e".startswith(cut[:3])


def test_marks_of_time_lie_in_the_plot():
    page = Page.of(time_axis(Line(0, 3_600_000_000, 50, 900), 0, 100))
    assert [e.text for e in page.all("text")] == ["1 Jan", *(f"00:{m}" for m in range(10, 60, 10)), "01:00"]
    assert all(50 <= float(e.attributes["x"]) <= 900 for e in page.all("text"))


def test_marks_of_values_are_said():
    page = Page.of(value_axis(Line(0, 4, 100, 0), 0, 10, lambda v: f"{v:g} s"))
    assert [e.text for e in page.all("text")] == ["0 s", "2 s", "4 s"]


def test_the_top_of_an_axis():
    assert top_of([3, 35]) == 40
    assert top_of([]) == top_of([0]) == 0


def test_legends_and_labels_are_escaped():
    assert "<x" not in legend([("c1", "<x>")]) + label(0, 0, "<x>", tip="<x>")
