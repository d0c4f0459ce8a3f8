import pytest
from html_page import Page

from aegis_enrich.report.parts import anchor, at, bullets, ident, section, severity_chip


def test_a_severity_is_a_word_as_well_as_a_colour():
    assert severity_chip(73) == '<span class="chip s73">high</span>'
    assert severity_chip(73, "3 high") == '<span class="chip s73">3 high</span>'


def test_ids_are_only_of_letters_and_digits():
    assert ident("a", "2e3cf840d53947d39bae") == "a-2e3cf840d539"
    assert ident("a", '" onclick="x') == "a-onclickx"
    assert anchor("i", {"event": {"id": "ab12"}}) == "#i-ab12"


def test_lists_without_entries_are_not_there():
    assert bullets("Why", ()) == ""
    assert Page.of(bullets("Why", ("a", "<b>"))).text == "Whya<b>"


@pytest.mark.parametrize(("path", "value"), [("a.b", 1), ("a.c", "none"), ("a.b.c", "none"), ("n", "none")])
def test_fields_by_their_dotted_names(path, value):
    assert at({"a": {"b": 1}, "n": None}, path, "none") == value


def test_a_section_has_its_title():
    assert Page.of(section("x", "<T>", "text")).section("x") == "<T>text"
