"""Words that names are made of (words.txt), and how often letters follow each other in them.

Half of them, every other one, is what the detector knows: the words, and how their letters follow each other. Names to
train on are made of the other half for the most part, as most real names are of words that no list of this size has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log2
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FALLBACK = 4.0  # what the pair of letters weighs, against counts of three


def read(text: str) -> tuple[str, ...]:
    """The different words of a list, sorted; `#` begins a line of comment."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(sorted({word for line in lines for word in line.split()}))


def pair_bits(words: Iterable[str]) -> Mapping[str, float]:
    """Per pair of letters, -log2 p(second | first); 1 is added to each count (Laplace)."""
    pairs = Counter(word[n : n + 2] for word in words for n in range(len(word) - 1))
    sums = {a: sum(pairs[a + b] for b in LETTERS) for a in LETTERS}
    return {a + b: log2((sums[a] + len(LETTERS)) / (pairs[a + b] + 1)) for a in LETTERS for b in LETTERS}


def triple_bits(words: Iterable[str], pairs: Mapping[str, float]) -> Mapping[str, float]:
    """Per three letters, -log2 p(third | first two): counts, and FALLBACK more as the last pair would have it."""
    triples = Counter(word[n : n + 3] for word in words for n in range(len(word) - 2))
    heads = Counter[str]()
    for triple, n in triples.items():
        heads[triple[:2]] += n
    return {
        a + bc: log2((heads[a + bc[0]] + FALLBACK) / (triples[a + bc] + FALLBACK * 2**-bits))
        for a in LETTERS
        for bc, bits in pairs.items()
    }


WORDS = read((Path(__file__).parent / "words.txt").read_text(encoding="utf-8"))
LEARNED, UNKNOWN = WORDS[::2], WORDS[1::2]
KNOWN = frozenset(word for word in LEARNED if len(word) >= 3)
LONGEST = max(map(len, KNOWN))
PAIRS = pair_bits(LEARNED)
TRIPLES = triple_bits(LEARNED, PAIRS)
