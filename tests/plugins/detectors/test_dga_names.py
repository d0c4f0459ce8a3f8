"""Labels in, whole numbers out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_plugins.detectors.dga.names import FEATURES, is_encoded, traits, vector
from aegis_plugins.detectors.dga.words import KNOWN, LETTERS


def test_traits_of_a_name():
    name = traits("a1-bcd")
    assert (name.letters, name.words, name.digits, name.milli_digits, name.changes) == (5, 2, 1, 200, 2)
    assert (name.longest_consonants, name.longest_vowels, name.longest_digits) == (3, 1, 1)
    assert (name.milli_vowels, name.milli_different, name.hexadecimal, name.repeated) == (200, 1000, 1, 0)
    assert name.milli_entropy == 2322
    assert traits("bobobo").milli_alternating == 833  # five pairs of six letters
    assert traits("zzqq").repeated == 2 and traits("zzqq").milli_rare == 1000
    assert traits("12").milli_pair == 3322


def test_a_label_without_letters_has_all_zero_but_the_empty_set_is_hexadecimal():
    assert sum(vector("")) == sum(vector("-")) == 1
    assert len(vector("")) == len(FEATURES)


@pytest.mark.parametrize(
    ("label", "encoded"), [("xn--bcher-kva", 1), ("b\\xc3cher", 1), ("b\u00fccher", 1), ("buch", 0)]
)
def test_what_is_encoded(label, encoded):
    assert is_encoded(label) == bool(encoded)


def test_words_are_likelier_than_letters():
    word, letters = traits("weathermarket"), traits("xkqzjwvhtrpfm")
    assert word.milli_pair < 4500 < 5500 < letters.milli_pair
    assert word.milli_triple < letters.milli_triple
    assert word.milli_pair_worst >= word.milli_pair
    assert letters.unlikely_pairs > 5 > word.unlikely_pairs
    assert letters.milli_words4 == 0


def test_known_words_are_found_side_by_side():
    assert traits("accountactive").milli_words4 >= 500
    known = min(word for word in KNOWN if len(word) == 8)
    assert traits(f"{known}-zq").milli_words4 == traits(f"zq{known}").milli_words4 == 800


@given(st.text(LETTERS + "0123456789-", max_size=63))
def test_traits_stay_in_their_ranges(label):
    name = traits(label)
    assert all(n >= 0 for n in vector(label))
    assert name.digits <= name.letters == len(label.replace("-", ""))
    shares = [name.milli_digits, name.milli_vowels, name.milli_alternating, name.milli_rare, name.milli_different]
    assert all(share <= 1000 for share in [*shares, name.milli_words4, name.milli_words3])
    assert name.milli_words4 <= name.milli_words3
    assert name.milli_entropy <= 5170
    assert name.milli_pair < 12_000 and name.milli_triple < 18_000
