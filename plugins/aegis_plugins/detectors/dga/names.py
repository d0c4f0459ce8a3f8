"""What a name looks like, in whole numbers: how surprising its letters are, how mixed, how many digits and words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import groupby, pairwise
from math import log2
from operator import attrgetter

from .words import KNOWN, LONGEST, PAIRS, TRIPLES

_DIGIT_BITS = log2(10)  # a digit after a digit: none is likelier than another
_MIXED_BITS = 6.5  # a digit after a letter or a letter after a digit, about as rare in words as `qx`
_VOWELS = frozenset("aeiouy")
_RARE = frozenset("jkqvwxz")
_HEXADECIMAL = frozenset("0123456789abcdef")
_NO_PART = re.compile(r"[^a-z0-9]+")
_ENCODED = re.compile(r"^xn--|[^\x00-\x7f]|\\x")


@dataclass(frozen=True)
class Traits:
    """One label of a name, without its suffix; what begins with `milli` is in thousandths, shares of its letters."""

    letters: int  # letters and digits
    words: int  # parts between hyphens
    digits: int
    milli_digits: int
    longest_digits: int  # in a row
    changes: int  # from a letter to a digit or back
    milli_vowels: int
    milli_alternating: int  # pairs of letters that are a consonant and a vowel, of all pairs
    longest_consonants: int  # in a row
    longest_vowels: int
    milli_rare: int  # j k q v w x z
    milli_different: int  # different letters, of all
    hexadecimal: int  # 1: nothing but digits and a to f
    repeated: int  # pairs of one letter twice
    milli_entropy: int  # bits a letter (Shannon 1948)
    milli_pair: int  # bits: mean of -log2 p(letter | the one before) in words
    milli_pair_worst: int  # bits: mean of the larger half of these
    milli_triple: int  # bits: mean of -log2 p(letter | the two before)
    milli_triple_worst: int  # bits: mean of the larger half of these
    unlikely_pairs: int  # of 6 bits and more
    milli_words4: int  # letters that are in known words of four and more, of all
    milli_words3: int  # of three and more


FEATURES = tuple(f.name for f in fields(Traits))
_as_row: Callable[[Traits], tuple[int, ...]] = attrgetter(*FEATURES)


def is_encoded(label: str) -> bool:
    """Punycode or bytes outside ASCII: nothing is told of these."""
    return _ENCODED.search(label) is not None


def vector(label: str) -> tuple[int, ...]:
    """The traits as a row for the model, in the order of FEATURES."""
    return _as_row(traits(label))


@lru_cache(maxsize=4096)
def traits(label: str) -> Traits:
    """Of the label next to the suffix, in lower case; hyphens part it into words."""
    words = [w for w in _NO_PART.split(label) if w]
    text = "".join(words)
    many = max(1, len(text))
    pairs = [_pair(word[n : n + 2]) for word in words for n in range(len(word) - 1)]
    triples = [_triple(word[n : n + 3]) for word in words for n in range(len(word) - 2)]
    kinds = [(kind, len(list(run))) for kind, run in groupby(text, _kind)]
    steps = list(pairwise(text))
    digits = sum(map(str.isdigit, text))
    return Traits(
        letters=len(text),
        words=len(words),
        digits=digits,
        milli_digits=1000 * digits // many,
        longest_digits=_longest(kinds, "digit"),
        changes=sum(a.isdigit() != b.isdigit() for a, b in steps),
        milli_vowels=1000 * sum(c in _VOWELS for c in text) // many,
        milli_alternating=1000 * sum({_kind(a), _kind(b)} == {"vowel", "consonant"} for a, b in steps) // many,
        longest_consonants=_longest(kinds, "consonant"),
        longest_vowels=_longest(kinds, "vowel"),
        milli_rare=1000 * sum(c in _RARE for c in text) // many,
        milli_different=1000 * len(set(text)) // many,
        hexadecimal=int(_HEXADECIMAL.issuperset(text)),
        repeated=sum(a == b for a, b in steps),
        milli_entropy=_entropy(text),
        milli_pair=_mean(pairs),
        milli_pair_worst=_mean(sorted(pairs)[len(pairs) // 2 :]),
        milli_triple=_mean(triples),
        milli_triple_worst=_mean(sorted(triples)[len(triples) // 2 :]),
        unlikely_pairs=sum(bits >= 6 for bits in pairs),
        milli_words4=1000 * sum(_covered(word, 4) for word in words) // many,
        milli_words3=1000 * sum(_covered(word, 3) for word in words) // many,
    )


def _kind(letter: str) -> str:
    return "digit" if letter.isdigit() else "vowel" if letter in _VOWELS else "consonant"


def _longest(runs: Sequence[tuple[str, int]], kind: str) -> int:
    return max((length for k, length in runs if k == kind), default=0)


def _pair(text: str) -> float:
    """Information of a letter after another, in bits."""
    digits = sum(map(str.isdigit, text))
    return PAIRS[text] if not digits else _DIGIT_BITS if digits == 2 else _MIXED_BITS


def _triple(text: str) -> float:
    return TRIPLES[text] if text.isalpha() else _pair(text[1:])


def _mean(values: Sequence[float]) -> int:
    return round(1000 * sum(values) / len(values)) if values else 0


def _entropy(text: str) -> int:
    counts = sorted(Counter(text).values())
    return round(1000 * sum(c * log2(len(text) / c) for c in counts) / len(text)) if text else 0


def _covered(word: str, least: int) -> int:
    """The most letters of it that known words of at least so many letters cover, side by side."""
    best = [0] * (len(word) + 1)
    for end in range(1, len(word) + 1):
        starts = range(max(0, end - LONGEST), end - least + 1)
        best[end] = max([best[end - 1], *(best[s] + end - s for s in starts if word[s:end] in KNOWN)])
    return best[-1]
