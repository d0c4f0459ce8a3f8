"""Names as generators make them."""

from __future__ import annotations

import re

import pytest

from aegis_plugins.detectors.dga.generators import FAMILIES, WORD_FAMILIES, generate


@pytest.mark.parametrize("family", [*FAMILIES, *WORD_FAMILIES])
def test_a_family_makes_labels_the_same_each_time(family):
    made = generate(family, 300, "a")
    assert all(re.fullmatch("[a-z0-9-]{4,63}", name) for name in made)
    assert len(set(made)) > 200
    assert made == generate(family, 300, "a") != generate(family, 300, "b")


def test_kinds_are_what_they_are_called():
    assert all(re.fullmatch("[0-9a-f]+", name) for name in generate("hex_long", 50, "a"))
    assert all(
        re.fullmatch("[aeiou]?([^aeiou][aeiou])*[^aeiou]?", name) for name in generate("consonant_vowel", 50, "a")
    )
    assert {name[-3:] for name in generate("dated", 200, "a")} <= {
        *("anj", "ebf", "arm", "pra", "aym", "unj", "ulj", "uag", "esp", "cto", "von", "edc")
    }
    assert all(name.count("-") in (2, 3) for name in generate("word_triples", 50, "a"))
