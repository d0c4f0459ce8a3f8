"""Words, and how their letters follow each other."""

from __future__ import annotations

from math import isclose

import pytest

from aegis_plugins.detectors.dga.words import (
    KNOWN,
    LEARNED,
    LETTERS,
    PAIRS,
    TRIPLES,
    UNKNOWN,
    WORDS,
    pair_bits,
    read,
    triple_bits,
)


def test_the_list_is_of_plain_words():
    assert len(WORDS) > 2000
    assert all(word.isascii() and word.isalpha() and word.islower() for word in WORDS)
    assert sorted({*LEARNED, *UNKNOWN}) == list(WORDS) and not {*LEARNED} & {*UNKNOWN}
    assert set(LEARNED) >= KNOWN


def test_comments_and_words_that_come_twice_are_left_out():
    assert read("# not this\nbee ant\nant\n") == ("ant", "bee")


def test_pairs_are_counted_with_one_more_each():
    bits = pair_bits(["aba", "abb"])
    assert isclose(2 ** -bits["ab"], 3 / 28)  # twice after two times `a`
    assert isclose(2 ** -bits["az"], 1 / 28)
    assert isclose(2 ** -bits["zz"], 1 / 26)


def test_triples_fall_back_to_pairs():
    pairs = pair_bits(["aba"])
    bits = triple_bits(["aba"], pairs)
    assert isclose(2 ** -bits["aba"], (1 + 4 * 2 ** -pairs["ba"]) / 5)
    assert isclose(bits["zab"], pairs["ab"])


@pytest.mark.parametrize("before", LETTERS)
def test_the_chances_of_what_follows_add_up_to_one(before):
    assert isclose(sum(2 ** -PAIRS[before + letter] for letter in LETTERS), 1)
    assert isclose(sum(2 ** -TRIPLES[before + "e" + letter] for letter in LETTERS), 1)
