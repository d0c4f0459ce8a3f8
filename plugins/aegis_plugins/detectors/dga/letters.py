"""How often one letter follows another: the pairs of letters of the different words of this project's own pages.

`python -m aegis_plugins.detectors.dga.letters README.md docs/*.md …` counts anew and prints the table. Each word counts
once, so that the words of this trade do not weigh more than others; code, addresses and file names are left out.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz"

_NO_PROSE = re.compile(r"```.*?```|`[^`]*`|https?://\S+|\S*[_/\\.@]\S+", re.DOTALL)
_WORD = re.compile(r"(?<![\w-])[a-z]{2,}(?![\w-])")

# A row per letter: how often `a`, `b`, … follow it.
_TABLE = """
a 3 21 63 48 1 4 24 1 28 0 11 83 30 96 0 26 0 92 58 112 7 11 5 3 24 1
b 22 0 0 1 38 0 0 0 8 2 0 26 0 0 22 0 0 8 1 0 10 0 0 0 3 0
c 51 1 10 0 61 0 0 58 10 0 44 23 2 1 102 3 0 17 8 50 12 0 0 0 2 0
d 21 4 1 11 105 1 5 1 51 1 0 4 2 4 26 5 0 9 40 1 5 1 0 0 6 0
e 74 3 61 163 35 13 16 2 14 1 2 50 28 135 8 35 5 223 224 71 1 35 15 24 6 0
f 17 0 1 0 16 16 0 0 41 0 0 15 0 0 26 0 0 8 3 9 9 0 0 0 2 0
g 10 0 0 0 48 0 3 20 20 0 0 3 3 8 8 1 0 15 12 3 9 0 0 0 0 1
h 52 2 1 3 69 0 0 0 31 0 0 1 3 0 37 1 0 9 4 10 9 0 0 0 4 0
i 17 6 58 33 36 17 31 0 1 0 3 36 20 195 60 17 1 23 54 74 2 27 0 11 0 3
j 2 0 0 0 4 0 0 0 2 0 0 0 0 0 4 0 0 1 2 0 5 0 0 0 0 0
k 2 1 1 1 39 0 0 0 10 0 0 2 0 5 1 0 0 0 20 1 1 0 0 0 0 0
l 52 0 0 18 96 2 1 0 68 0 3 43 3 3 66 1 0 1 27 14 20 6 1 0 20 0
m 45 8 0 3 75 0 0 0 32 0 0 3 17 3 24 36 1 0 12 1 11 0 0 1 1 0
n 36 0 28 74 83 8 102 3 33 1 11 4 2 17 32 2 0 11 73 96 8 4 1 0 6 0
o 12 10 25 23 7 7 16 0 7 1 6 38 51 121 18 25 0 97 33 39 63 15 47 3 1 2
p 45 0 4 2 46 0 1 2 16 0 0 31 0 3 33 16 0 45 16 23 16 0 0 0 10 0
q 0 0 1 0 0 0 0 0 0 0 0 3 0 0 0 0 0 0 0 1 19 0 0 0 0 0
r 57 2 10 25 200 3 10 1 80 0 12 7 16 15 80 8 1 13 71 43 14 10 5 0 21 0
s 18 1 23 2 118 0 0 41 52 0 8 8 5 5 31 14 2 0 54 124 36 3 11 0 10 0
t 64 2 15 0 178 1 0 73 115 0 0 10 0 3 35 8 0 44 76 27 26 0 6 1 18 0
u 15 7 9 7 19 6 7 0 6 0 0 21 15 62 1 19 0 52 34 42 0 0 0 1 0 0
v 13 0 1 0 84 0 0 0 22 0 0 1 0 1 2 2 0 1 0 0 1 0 0 0 1 0
w 26 0 0 2 28 0 0 19 17 0 0 4 0 9 16 0 0 10 11 1 0 0 0 0 0 0
x 3 0 2 1 5 1 0 1 3 0 0 1 3 0 0 4 0 0 1 9 0 0 0 0 1 0
y 3 1 1 0 6 0 0 0 2 0 0 1 2 4 5 5 0 0 12 8 0 0 3 0 1 3
z 1 0 0 0 9 0 0 1 1 0 0 0 0 0 2 0 0 0 0 0 0 0 0 0 1 0
"""


def count(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Pairs of letters in the different words of the texts: per letter, how often each of LETTERS follows it."""
    words = {word for text in texts for word in _WORD.findall(_NO_PROSE.sub(" ", text).lower())}
    pairs = Counter(pair for word in words for pair in pairwise(word))
    return {before: tuple(pairs[before, letter] for letter in LETTERS) for before in LETTERS}


def table(counts: Mapping[str, tuple[int, ...]]) -> str:
    """The counts as they stand in this file."""
    return "\n".join(f"{letter} {' '.join(map(str, row))}" for letter, row in counts.items())


def _read(text: str) -> dict[str, tuple[int, ...]]:
    rows = (line.split() for line in text.strip().splitlines())
    return {letter: tuple(map(int, numbers)) for letter, *numbers in rows}


COUNTS: Mapping[str, tuple[int, ...]] = _read(_TABLE)

if __name__ == "__main__":
    sys.stdout.write(table(count(Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])) + "\n")
