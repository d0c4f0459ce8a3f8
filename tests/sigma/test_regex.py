"""The literal that a regular expression needs: there in whatever it matches, and found where it is plain to see."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.sigma.regex import required_literal


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("evil", "evil"),
        (r"^[a-z]+\.Evil\.test$", ".evil.test"),
        (r"(a|b)evil", "evil"),
        ("evil|good", ""),
        ("ab?cde", "cde"),
        ("abc+def", "abc"),
        ("ab{2,3}cde", "cde"),
        ("abc{0,3}d", "ab"),
        (r"abc\d+xyzw", "xyzw"),
        (r"\x41bcd", ""),
        (r"\Qabc\E", ""),
        ("[]a]bcd", "bcd"),
        ("[^]a]bcd", "bcd"),
        (r"[\]a]bcd", "bcd"),
        ("[[:alpha:]]bcd", ""),
        (r"(\)x)abc", "abc"),
        ("a(?:[)]x)bcd", "bcd"),
        ("(unclosed", ""),
        ("trailing\\", ""),
        ("éabc", ""),
        ("", ""),
    ],
)
def test_what_is_found(pattern, literal) -> None:
    assert required_literal(pattern) == literal


PARTS = st.sampled_from(
    ["ab", "c", "?", "*", "+", "{0,2}", "{1,2}", "(ab|c)", "[ab]", r"\.", "|", ".", r"\d", "^", "$", "x"]
)


@given(st.lists(PARTS, max_size=6), st.text("abcx.1", max_size=12))
def test_it_is_in_every_text_that_matches(parts, text) -> None:
    try:
        matched = re.search("".join(parts), text)
    except re.error:
        return
    if matched:
        assert required_literal("".join(parts)) in text
