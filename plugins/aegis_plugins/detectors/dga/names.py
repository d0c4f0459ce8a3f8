"""What a name looks like: how surprising its letters are, how mixed, how many digits and consonants.

`traits` is what the detector knows of one name; a trained model of names has its place here, beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from math import log2

from .letters import COUNTS, LETTERS

_WEIGHT = 1.0  # added to each count, so that what was never seen is unlikely rather than impossible (Laplace)
_DIGIT_BITS = log2(10)  # a digit after a digit: none is likelier than another
_MIXED_BITS = 6.5  # a digit after a letter or a letter after a digit, about as rare in words as `qx`
_VOWELS = frozenset("aeiouy")
_PAIR_BITS = {
    before + letter: log2((sum(row) + _WEIGHT * len(LETTERS)) / (seen + _WEIGHT))
    for before, row in COUNTS.items()
    for letter, seen in zip(LETTERS, row, strict=True)
}
_NO_PART = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Traits:
    """One label of a name, without its suffix."""

    letters: int  # letters and digits
    digits: int
    surprise_bits: float  # mean of -log2 p(letter | the one before) within its words; 0.0 where there is none
    entropy_bits: float  # Shannon's, of its letters and digits, per letter
    consonants_in_a_row: int  # the longest run without a vowel or a digit
    encoded: bool  # punycode or bytes outside ASCII: nothing is told of these


@lru_cache(maxsize=4096)
def traits(label: str) -> Traits:
    """Of the label next to the suffix, in lower case; hyphens part it into words."""
    words = [w for w in _NO_PART.split(label) if w]
    text = "".join(words)
    steps = [_bits(a, b) for word in words for a, b in pairwise(word)]
    runs = [len(list(run)) for plain, run in groupby(text, _is_consonant) if plain]
    return Traits(
        letters=len(text),
        digits=sum(c.isdigit() for c in text),
        surprise_bits=sum(steps) / len(steps) if steps else 0.0,
        entropy_bits=_entropy(text),
        consonants_in_a_row=max(runs, default=0),
        encoded=label.startswith("xn--") or not label.isascii() or "\\x" in label,
    )


def _bits(before: str, letter: str) -> float:
    """Information of a letter after another, in bits."""
    if before.isdigit() or letter.isdigit():
        return _DIGIT_BITS if before.isdigit() and letter.isdigit() else _MIXED_BITS
    return _PAIR_BITS[before + letter]


def _entropy(text: str) -> float:
    counts = Counter(text).values()
    return sum(c * log2(len(text) / c) for c in counts) / len(text) if text else 0.0


def _is_consonant(letter: str) -> bool:
    return letter.isalpha() and letter not in _VOWELS
