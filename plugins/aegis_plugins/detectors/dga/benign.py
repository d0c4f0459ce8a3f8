"""Makers of names as people give them to domains: words and what is done to words, to train the model of names on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from .words import LEARNED, LETTERS, UNKNOWN

Maker = Callable[[Random], str]

_BEFORE = (
    "e",
    "i",
    "my",
    "the",
    "go",
    "get",
    "we",
    "in",
    "on",
    "re",
    "pro",
    "auto",
    "bio",
    "info",
    "net",
    "uni",
    "neo",
)
_AFTER = (
    *(
        "s",
        "er",
        "ly",
        "ify",
        "io",
        "ix",
        "ex",
        "ia",
        "ora",
        "hub",
        "app",
        "ware",
        "soft",
        "tech",
        "lab",
        "labs",
        "net",
    ),
    *("cdn", "img", "static", "media", "online", "shop", "store", "group", "cloud", "dns", "api", "ads", "24", "365"),
    *(
        "usercontent",
        "services",
        "systems",
        "hosting",
        "works",
        "world",
        "base",
        "box",
        "bank",
        "tv",
        "fm",
        "web",
        "one",
    ),
)
_SHORT = (
    "cdn",
    "img",
    "ad",
    "ads",
    "net",
    "dns",
    "api",
    "js",
    "tv",
    "web",
    "srv",
    "edge",
    "cache",
    "tag",
    "rtb",
    "dsp",
)
_CONSONANTS = "bcdfghklmnprstvwxz"
_NEAR = {a: "qwertyuiopasdfghjklzxcvbnm"[max(0, n - 1)] for n, a in enumerate("qwertyuiopasdfghjklzxcvbnm")}


def word(chance: Random) -> str:
    """Mostly of those that the detector does not know."""
    return chance.choice(UNKNOWN if chance.random() < 0.8 else LEARNED)


def _plain(chance: Random) -> str:
    return word(chance) + chance.choice(("", "", "s", "er", "ing", "y", "o", "a"))


def _compound(chance: Random) -> str:
    return chance.choice(("", "", "", "-")).join(word(chance) for _ in range(chance.choice((2, 2, 2, 2, 3))))


def _fixed(chance: Random) -> str:
    """A word with a piece before or after it."""
    return chance.choice(_BEFORE) + word(chance) if chance.random() < 0.35 else word(chance) + chance.choice(_AFTER)


def _numbered(chance: Random) -> str:
    number = str(chance.choice((chance.randint(1, 9), chance.randint(10, 99), chance.randint(100, 2030))))
    parts = [word(chance)[: chance.randint(2, 9)], number]
    return chance.choice(("", "", "-")).join(parts if chance.random() < 0.75 else parts[::-1])


def _blend(chance: Random) -> str:
    """The heads of two or three words: a brand."""
    heads = [word(chance)[: chance.randint(2, 5)] for _ in range(chance.choice((2, 2, 3)))]
    return "".join(heads) + chance.choice(("", "", "", "a", "o", "ly", "ia", "is"))


def _skeleton(text: str) -> str:
    """A word without its vowels, but for the first letter: `bkrt`."""
    return text[0] + "".join(c for c in text[1:] if c not in "aeiou")


def _abbreviated(chance: Random) -> str:
    """What advertisers and content networks like: skeletons, beside a word or a short piece."""
    head = _skeleton(word(chance))[: chance.randint(2, 5)]
    tail = chance.choice((chance.choice(_SHORT), word(chance), _skeleton(word(chance))[:4], ""))
    return head + tail if chance.random() < 0.7 else tail + head


def _initials(chance: Random) -> str:
    """Two to four letters of words, alone or beside a word."""
    letters = "".join(word(chance)[0] for _ in range(chance.randint(2, 4)))
    return letters + chance.choice(("", word(chance), chance.choice(_SHORT), "-" + word(chance), chance.choice(_AFTER)))


def _spelled(chance: Random) -> str:
    """A word without its last vowel, with a letter twice, or with another for it: brands and slips of typing."""
    text = word(chance) + chance.choice(("", word(chance)))
    at = chance.randrange(len(text))
    left, letter, right = text[:at], text[at], text[at + 1 :]
    return chance.choice(
        (left + right, left + letter + letter + right, left + _NEAR.get(letter, "x") + right, text.replace("er", "r"))
    )


def _personal(chance: Random) -> str:
    first, last = word(chance), word(chance)
    return chance.choice((f"{first}-{last}", first[0] + last, first + last[0], f"{last}and{first}", f"{first}{last}"))


def _digits(chance: Random) -> str:
    """Numbers as names, which China likes, and a letter or two with a digit: `163`, `o2`, `2mdn`."""
    number = str(chance.randint(1, 9) if chance.random() < 0.5 else chance.randint(10, 99_999))
    letters = "".join(chance.choices(LETTERS, k=chance.randint(0, 2))) + chance.choice(("", *_SHORT))
    return chance.choice((number + letters, letters + number, number))


def _foreign(chance: Random) -> str:
    """Syllables as of names of places and families in languages that the list of words does not have."""
    vowels = chance.choice(("aeiou", "aiueo", "aaeio", "aeio", "aou"))
    many = chance.randint(2, 4)
    made = "".join(
        chance.choice(("", "k", "t", "n", "s", "m", "r", "h", "y", "w", "g", "d", "b", "sh", "ch", "l", "p", "st", "v"))
        + chance.choice(vowels)
        + chance.choice(("", "", "", "n", "r", "l", "s", "ng", "nd"))
        for _ in range(many)
    )
    return made + chance.choice(("", "", word(chance), chance.choice(_AFTER)))


def _machine(chance: Random) -> str:
    """Hosts that are registered or delegated by themselves: an address, a number, a place."""
    head = chance.choice(
        ("ip", "srv", "mx", "ns", "host", "node", "vps", "web", "app", "cdn", "static", "pool", word(chance))
    )
    numbers = [str(chance.randrange(256)) for _ in range(chance.choice((1, 1, 4)))]
    return "-".join([head, *numbers]) if len(numbers) > 1 else head + numbers[0]


KINDS: Mapping[str, tuple[int, Maker]] = {  # with how many of a hundred names are of the kind
    "plain": (10, _plain),
    "compound": (22, _compound),
    "fixed": (14, _fixed),
    "numbered": (7, _numbered),
    "blend": (10, _blend),
    "abbreviated": (9, _abbreviated),
    "initials": (8, _initials),
    "spelled": (6, _spelled),
    "personal": (4, _personal),
    "digits": (2, _digits),
    "foreign": (6, _foreign),
    "machine": (2, _machine),
}


def names(count: int, seed: str) -> list[str]:
    """`count` names of all kinds, the same each time for the same seed."""
    chance = Random(f"{seed} benign")
    makers = [maker for _, maker in KINDS.values()]
    weights = [weight for weight, _ in KINDS.values()]
    return [maker(chance) for maker in chance.choices(makers, weights, k=count)]
