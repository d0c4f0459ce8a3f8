"""Makers of names as domain generation algorithms make them, of unlike kinds, to train the model of names on.

Each is written anew after what is published of the kind, none is a copy of a malware's algorithm: for the kinds
(arithmetic, hash, word list, permutation) see Plohmann et al., *A Comprehensive Measurement Study of Domain Generating
Malware* (USENIX Security 2016). Beside each stand families that make names of about that kind and length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from random import Random

from .words import LETTERS, UNKNOWN

Maker = Callable[[Random], str]

VOWELS = "aeiou"
CONSONANTS = "bcdfghjklmnpqrstvwxyz"
BASE36 = LETTERS + "0123456789"
# How often letters stand in English text, in thousandths (Lewand, Cryptological Mathematics, 2000).
_FREQUENCIES = (82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1)


def _letters(alphabet: str, least: int, most: int) -> Maker:
    """Even letters of an alphabet: Conficker (5-11), Necurs (7-21), Ramnit (8-19), Cryptolocker (12-15)."""
    return lambda chance: "".join(chance.choices(alphabet, k=chance.randint(least, most)))


def _hexadecimal(least: int, most: int) -> Maker:
    """The first digits of a hash of date and number: Bamital (32), Dyre (a letter and 33)."""

    def make(chance: Random) -> str:
        digest = hashlib.sha256(chance.randbytes(8)).hexdigest()
        return digest[: chance.randint(least, most)]

    return make


def _congruential(chance: Random) -> str:
    """Letters by a linear congruential generator's low bits, which favour some: Ranbyus, Tinba (12-14)."""
    state, made = chance.getrandbits(32), []
    for _ in range(chance.randint(10, 15)):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        made.append(LETTERS[(state >> 3) % 25])
    return "".join(made)


def _alternating(least: int, most: int) -> Maker:
    """Consonant, vowel, consonant …: Simda (5-11), Vawtrak."""

    def make(chance: Random) -> str:
        first, length = chance.randrange(2), chance.randint(least, most)
        return "".join(chance.choice((CONSONANTS, VOWELS)[(n + first) % 2]) for n in range(length))

    return make


def _syllables(chance: Random) -> str:
    """Syllables of two or three letters, and an ending as words have: Kraken, Pykspa."""
    parts = [chance.choice(CONSONANTS) + chance.choice(VOWELS) for _ in range(chance.randint(2, 4))]
    closed = [part + (chance.choice(CONSONANTS) if chance.random() < 0.4 else "") for part in parts]
    return "".join(closed) + chance.choice(("", "", "able", "dom", "hood", "ment", "ship", "ess", "ly"))


def _hash_base36(chance: Random) -> str:
    """A hash written in letters and digits: newGOZ (20-28)."""
    number, made = int.from_bytes(hashlib.md5(chance.randbytes(8), usedforsecurity=False).digest()), []
    for _ in range(chance.randint(20, 25)):
        number, digit = divmod(number, 36)
        made.append(BASE36[digit])
    return "".join(made)


def _mixed(chance: Random) -> str:
    """Letters among which some digits stand: Murofet's later kind, Shifu, Qadars."""
    length = chance.randint(9, 16)
    return "".join(chance.choice("0123456789" if chance.random() < 0.3 else LETTERS) for _ in range(length))


def _dated(chance: Random) -> str:
    """Letters of the day's numbers with the month's own ending: Torpig, Sphinx."""
    day, month, year = chance.randint(1, 28), chance.randrange(12), chance.randint(2005, 2030)
    state, made = (year * 13 + month * 37 + day) ^ chance.getrandbits(16), []
    for n in range(chance.randint(6, 9)):
        state = (state * 31 + day * (n + 3) + year) % 65_521
        made.append(LETTERS[state % 26])
    return "".join(made) + ("anj", "ebf", "arm", "pra", "aym", "unj", "ulj", "uag", "esp", "cto", "von", "edc")[month]


def _frequent(chance: Random) -> str:
    """Letters as often as in English, in no order: what looks less random than it is."""
    return "".join(chance.choices(LETTERS, _FREQUENCIES, k=chance.randint(8, 16)))


def _permuted(chance: Random) -> str:
    """The letters of one name in another order: VolatileCedar."""
    letters = list("".join(chance.sample(UNKNOWN, 3))[:18])
    chance.shuffle(letters)
    return "".join(letters)


def _headed(chance: Random) -> str:
    """Four letters that change before an ending that stays: Banjori."""
    ending = "".join(Random(chance.randrange(40)).sample(UNKNOWN, 2))[:12]
    return "".join(chance.choices(LETTERS, k=chance.randint(4, 6))) + ending


def _words(counts: Sequence[int], hyphen: str = "") -> Maker:
    """Words put together: Suppobox (2), Gozi, Matsnu (3 and more)."""
    return lambda chance: hyphen.join(chance.sample(UNKNOWN, chance.choice(counts)))


FAMILIES: Mapping[str, Maker] = {
    "hex_long": _hexadecimal(24, 40),
    "hex_short": _hexadecimal(9, 16),
    "letters_short": _letters(LETTERS, 6, 8),
    "letters_middle": _letters(LETTERS, 8, 13),
    "letters_long": _letters(LETTERS[:25], 14, 24),
    "congruential": _congruential,
    "consonant_vowel": _alternating(7, 13),
    "syllables": _syllables,
    "base36": _letters(BASE36, 8, 14),
    "hash_base36": _hash_base36,
    "base32": _letters("abcdefghijklmnopqrstuvwxyz234567", 12, 26),
    "octal_letters": _letters("abcdefgh345678", 12, 23),
    "digits_mixed": _mixed,
    "dated": _dated,
    "frequent": _frequent,
    "permuted": _permuted,
    "headed": _headed,
}
# Words, as names of shops and blogs are: no model of letters tells these; they are measured, not learned.
WORD_FAMILIES: Mapping[str, Maker] = {"word_pairs": _words([2]), "word_triples": _words([3, 4], "-")}


def generate(family: str, count: int, seed: str) -> list[str]:
    """`count` names of a family, the same each time for the same seed."""
    maker = ({**FAMILIES, **WORD_FAMILIES})[family]
    chance = Random(f"{seed} {family}")
    return [maker(chance) for _ in range(count)]
