"""Words of a question, and the nearest known word where one is mistyped."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_WORD = re.compile(r"[\w&@][\w&'*+./@-]*", re.UNICODE)
SHORT, LONG = 4, 8  # characters from which one, and two, slips are forgiven


@dataclass(frozen=True)
class Word:
    """A word in lower case, where it stands, and what was written where that was mistyped."""

    text: str
    at: int
    written: str = ""


def words(text: str, taken: Collection[bool]) -> list[Word]:
    """The words of what is not taken by an entity; punctuation at their ends goes."""
    free = "".join(" " if t else c for c, t in zip(text, taken, strict=True)).replace("’", "'")
    return [Word(word, match.start()) for match in _WORD.finditer(free.lower()) if (word := match[0].rstrip("'*+./-"))]


def nearest(word: str, known: Collection[str]) -> str | None:
    """The one known word within the slips that its length allows; None where there is none, or several as near.

    The first letter must be right: that is where people mistype least, and other words begin with other letters.
    """
    most = 0 if len(word) < SHORT or not word.isalpha() else 1 if len(word) < LONG else 2
    found: dict[int, list[str]] = {}
    for other in known:
        if other[:1] == word[:1] and abs(len(other) - len(word)) <= most and len(other) >= SHORT:
            slips = distance(word, other, most)
            if 0 < slips <= most:
                found.setdefault(slips, []).append(other)
    best = found[min(found)] if found else []
    same = {w.removesuffix("s") for w in best}
    return sorted(best)[0] if len(same) == 1 else _likeliest(word, best)


def _likeliest(word: str, best: list[str]) -> str | None:
    """Of several as near, the one whose letters are the same in another order or but for a doubled one."""
    same = [w for w in best if sorted(w) == sorted(word) or set(w) == set(word)]
    return same[0] if len(same) == 1 else None


def distance(one: str, other: str, most: int) -> int:
    """Damerau's distance with adjacent letters swapped (optimal string alignment); above `most` anything larger.

    L. Boytsov, Indexing methods for approximate dictionary searching, 2011, section 2.1.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row_before = row, before
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, row_before[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before = last
    return row[-1]
