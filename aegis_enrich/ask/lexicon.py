"""The words that `ask` knows, from its data files: what a phrase may mean, and which intents there are."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from ..decide.attack import attack

LONGEST = 6  # words of a phrase
LEAST_NAME = 7  # characters of a technique's name of one word ("Phishing"), since shorter ones mean other things, too
LEAST_PLACE = 5  # characters of a country's word that slips may lead to
_LIGHT, _HEAVY = 0.5, 1.6


@dataclass(frozen=True)
class Meaning:
    """One thing that a phrase may mean: `kind` is group, stop, act, negation, future or an entity's."""

    kind: str
    value: Any
    label: str = ""


@dataclass(frozen=True)
class Intent:
    """What can be asked. `phrases`: the terms of each; `takes`: entities it can filter by."""

    name: str
    says: str
    examples: tuple[str, ...]
    takes: frozenset[str]
    phrases: tuple[tuple[str, ...], ...]


@dataclass
class Lexicon:
    """Phrases (words with a space between) to their meanings."""

    phrases: dict[str, list[Meaning]] = field(default_factory=lambda: defaultdict(list))
    vocabulary: set[str] = field(default_factory=set)  # words that a slip may be read as
    known: set[str] = field(default_factory=set)
    intents: tuple[Intent, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    why_not: dict[str, str] = field(default_factory=dict)
    asking: frozenset[str] = frozenset()  # words that may stand before an act that is asked for
    services: dict[str, Any] = field(default_factory=dict)

    def add(self, phrases: Iterable[str], meaning: Meaning) -> None:
        for phrase in phrases:
            key = str(phrase).lower()
            if meaning not in self.phrases[key]:
                self.phrases[key].append(meaning)
            self.known.update(key.split())
            least = LEAST_PLACE if meaning.kind == "country" else 0  # "eats" is no slip of "east"
            self.vocabulary.update(word for word in key.split() if len(word) >= least)

    def meanings(self, words: Sequence[str]) -> list[Meaning]:
        """Of these words as one phrase; a plural of the last one counts as it."""
        key = " ".join(words)
        if key in self.phrases:
            return self.phrases[key]
        for ending in ("s", "es", "'s", "ing"):
            if key.endswith(ending) and len(words[-1]) > len(ending) + 2 and key[: -len(ending)] in self.phrases:
                found = self.phrases[key[: -len(ending)]]
                if not any(m.kind in ("stop", "act", "negation") for m in found):
                    return found
        return []

    def knows(self, word: str) -> bool:
        return word in self.known or bool(self.meanings([word])) or word.rstrip("s") in self.known

    def weight(self, term: str) -> float:
        return self.weights.get(term, 1.0)

    def intent(self, name: str) -> Intent:
        return next(i for i in self.intents if i.name == name)


def known_words(names: Mapping[str, Mapping[str, Any]] | None = None) -> Lexicon:
    """The words that ship, and the site's: `names` is kind -> name -> value (sensors, networks, assets, places)."""
    made = Lexicon()
    words, intents = _data("words.yml"), _data("intents.yml")
    _grammar(made, words, intents)
    _network_words(made, words)
    _countries(made)
    _attack(made)
    for kind, named in (names or {}).items():
        for name, value in named.items():
            made.add([name], Meaning(kind, value, name))
    return made


def _grammar(made: Lexicon, words: Mapping[str, Any], intents: Mapping[str, Any]) -> None:
    for group, forms in intents["groups"].items():
        made.add(forms, Meaning("group", group))
    made.add(words["stop"], Meaning("stop", None))
    for kind, name in (("act", "acts"), ("negation", "negations"), ("future", "future")):
        made.add(words["refuse"][name]["words"], Meaning(kind, None))
        made.why_not[kind] = words["refuse"][name]["why"]
    made.asking = frozenset(words["refuse"]["acts"]["after"])
    made.weights = {**dict.fromkeys(intents["light"], _LIGHT), **dict.fromkeys(intents["heavy"], _HEAVY)}
    made.intents = tuple(
        Intent(
            name,
            told["says"],
            tuple(told["examples"]),
            frozenset(told["takes"]),
            tuple(tuple(p.split()) for p in told["phrases"]),
        )
        for name, told in intents["intents"].items()
    )


def _network_words(made: Lexicon, words: Mapping[str, Any]) -> None:
    for name, told in words["detectors"].items():
        label = name.replace("_", " ")
        own = told["rules"] if len(told["rules"]) == 1 else ()
        made.add([*told["words"], label, *own], Meaning("detector", tuple(told["rules"]), label))
    for number, forms in words["severities"].items():
        made.add(forms, Meaning("severity", int(number), forms[0]))
    for inside, forms in words["scopes"].items():
        made.add(forms, Meaning("scope", inside, "inside" if inside else "outside"))
    for kind, key in (("status", "statuses"), ("direction", "directions"), ("protocol", "protocols")):
        for name, forms in words[key].items():
            made.add(forms, Meaning(kind, name, name))
    made.services = dict(words["services"])
    for name, told in words["services"].items():
        made.add(told["words"], Meaning("service", name, name))


def _countries(made: Lexicon) -> None:
    text = (files(__package__) / "countries.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        meaning = Meaning("country", row["code"], row["name"])
        made.add([row["name"], *filter(None, row["also"].split("|"))], meaning)


def _attack(made: Lexicon) -> None:
    table = attack()
    for tactic, name in table.tactics.items():
        made.add([name], Meaning("tactic", tactic, name))
    made.add(["c2", "c&c", "command & control"], Meaning("tactic", "TA0011", "Command and Control"))
    for technique, entry in table.techniques.items():
        own = str(entry["name"])
        if " " in own or (len(own) >= LEAST_NAME and not made.knows(own.lower())):
            made.add([own], Meaning("technique", technique, own))


def country_codes() -> frozenset[str]:
    text = (files(__package__) / "countries.csv").read_text(encoding="utf-8")
    return frozenset(row["code"] for row in csv.DictReader(text.splitlines()))


@cache
def _data(name: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.load(
        (files(__package__) / name).read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return loaded
