from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.report.markup import NOTHING, Markup, escape, join, tag, visible


class Reader(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))

    def handle_data(self, data):
        self.text += data


@given(st.text())
def test_any_text_comes_back_as_text_and_as_an_attribute(text):
    read = Reader(tag("p", text, title=text))
    assert read.text == visible(text)
    assert read.found == [("p", [("title", visible(text))])]


@given(st.lists(st.text()))
def test_joined_texts_make_no_element(texts):
    assert Reader(join(texts, "<br>")).found == []


def test_markup_is_not_escaped_twice():
    assert tag("b", tag("i", "<"), "&") == "<b><i>&lt;</i>&amp;</b>"
    assert escape(Markup("<b>")) == "<b>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("a\x00b\x1b[31m", "a\\u0000b\\u001b[31m"),
        ("two\n\tlines", "two lines"),
        ("\ud800", "\\ud800"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("ünï 例え", "ünï 例え"),
    ],
)
def test_what_nobody_sees_is_written_out(text, shown):
    assert visible(text) == shown
    visible(text).encode()


def test_attributes():
    assert tag("input", class_="a", data_x=1, hidden=True, checked=False, id=None) == (
        '<input class="a" data-x="1" hidden>'
    )
    assert tag("meta", name="x") == '<meta name="x">'


@pytest.mark.parametrize(("value", "written"), [(1.0, "1"), (1.26, "1.3"), (-0.01, "0"), (-2.5, "-2.5"), (7, "7")])
def test_lengths_have_a_tenth(value, written):
    assert tag("g", x=value) == f'<g x="{written}"></g>'


def test_nothing_is_nothing():
    assert not NOTHING
    assert tag("p", NOTHING) == "<p></p>"
