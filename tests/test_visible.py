"""What the wire says never reaches a terminal or a page as more than text."""

import pytest

from aegis_enrich.visible import visible


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J\x1b]0;owned\x07", "a\nb\r\nc", "\u202egpj.exe", "\udcff", "\x9b31m", "zero\u200bwidth", "\u2028", "\x85"],
)
def test_every_character_shows_and_none_is_obeyed(hostile):
    shown = visible(hostile)
    assert shown.isprintable() and shown.encode("utf-8")


def test_what_people_write_stays():
    for text in ("example.com", "bücher.example → 10.0.0.5", "[red]", "a\\b"):
        assert visible(text) == text


def test_what_is_long_is_cut_and_says_so():
    assert visible("x" * 10_000, 5) == "xxxxx… (10000 characters)"
