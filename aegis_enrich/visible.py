"""Text from the wire as people may look at it: every character of it shows, and none is obeyed."""

from __future__ import annotations

import re

# Characters that change how others read, or that nobody sees: controls, marks of direction, what joins nothing, halves
# of surrogates. A hostile name could hide its end, turn a line around or talk to the terminal, so they are written out.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]"
)
_BLANKS = re.compile(r"[\t\n\r]+")
CHARACTERS = 2000  # of one text that are shown


def visible(text: str, most: int | None = None) -> str:
    """A text on one line in which every character shows: `\\u202e` for one that would not. `most`: what is longer is
    cut, and says so."""
    shown = _UNSEEN.sub(lambda m: f"\\u{ord(m[0]):04x}", _BLANKS.sub(" ", text))
    return shown if most is None or len(shown) <= most else f"{shown[:most]}… ({len(shown)} characters)"
