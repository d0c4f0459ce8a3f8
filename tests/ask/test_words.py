"""Words and slips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.ask.words import distance, nearest, words

KNOWN = ["incident", "incidents", "alert", "alerts", "force", "timeline", "scan", "host", "beaconing"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("incidnet", "incident"),
        ("alrets", "alerts"),
        ("froce", "force"),
        ("timline", "timeline"),
        ("baeconnig", "beaconing"),
        ("scna", "scan"),
        ("poem", None),
        ("hosting", None),
        ("abc", None),
        ("10", None),
    ],
)
def test_slips_are_put_right_and_other_words_are_not(written: str, meant: str | None) -> None:
    assert nearest(written, KNOWN) == meant


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_a_distance_is_symmetric_and_bounded(one: str, other: str) -> None:
    far = distance(one, other, 10)
    assert far == distance(other, one, 10)
    assert abs(len(one) - len(other)) <= far <= max(len(one), len(other))
    assert (far == 0) == (one == other)


def test_swapped_neighbours_are_one_slip() -> None:
    assert distance("ab", "ba", 3) == 1 and distance("abcd", "badc", 3) == 2


def test_words_are_what_is_not_taken() -> None:
    text = "Who talked to 10.0.0.1?"
    taken = [text.index("10") <= i < text.index("?") for i in range(len(text))]
    assert [w.text for w in words(text, taken)] == ["who", "talked", "to"]
