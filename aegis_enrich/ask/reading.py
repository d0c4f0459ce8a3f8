"""A question as it is read: an intent and its entities; or why it is not understood, with the nearest that is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import entities
from .entities import Entity
from .lexicon import LONGEST, Intent, Lexicon, Meaning
from .times import Span
from .words import Word, nearest, words

LONGEST_QUESTION = 1000  # characters
LEAST = 1.0  # an intent's score below which a question is not understood
UNUSED = 0.8  # what an entity costs that an intent cannot filter by
UNKNOWN = 2.0  # unknown words may be so many times fewer than known ones
NEAR = 0.1  # another intent that is less worse than this is named
SUGGESTED = 3
_TO = frozenset({"to", "toward", "towards", "against", "into", "reach", "reached", "hit", "visited", "contacted"})
_FROM = frozenset({"from", "by"})
_OF = frozenset({"in", "on", "at", "of", "for", "about", "with", "named", "called", "is", "did", "does", "has", "was"})
_OF |= {"explain", "sensor", "host", "network"}
_BETWEEN = frozenset({"the", "a", "an", "host", "hosts", "address", "addresses", "ip", "machine", "server", "client"})
_BETWEEN |= {"port", "ports", "network", "subnet", "net", "domain", "name", "country", "any", "as", "asn", "service"}
_CLIENTS = frozenset({"host", "hosts", "machine", "machines", "client", "clients", "device", "devices", "pcs", "ips"})
_SERVERS = frozenset({"server", "servers", "destination", "destinations", "target", "targets"})
_WITH_ROLE = frozenset({"host", "net", "domain", "country", "as", "scope"})
DETAIL = 0.05  # what each further term of a phrase adds, so that of two as good the one that explains more counts


@dataclass(frozen=True)
class Reading:
    """What was understood. `notes` say what a reader should know of that: slips, words passed over, other ways."""

    question: str
    intent: Intent
    entities: tuple[Entity, ...]
    groups: frozenset[str]
    notes: tuple[str, ...] = ()
    score: float = 0.0

    def all(self, *kinds: str) -> list[Entity]:
        return [e for e in self.entities if e.kind in kinds]

    def first(self, kind: str, default: Any = None) -> Any:
        """The value of the first entity of a kind."""
        return next((e.value for e in self.entities if e.kind == kind), default)

    @property
    def spans(self) -> list[Span]:
        return [e.value for e in self.entities if e.kind == "time" and e.value.text]

    def __str__(self) -> str:
        said = list(dict.fromkeys(str(e) for e in self.entities if e.kind != "time"))
        said += [f"{span} ({span.text.strip()!r})" for span in self.spans]
        return f"{self.intent.says}: {', '.join(said)}" if said else self.intent.says


@dataclass(frozen=True)
class NotUnderstood:
    """Why, and the nearest questions that are understood."""

    question: str
    why: str
    nearest: tuple[str, ...]


@dataclass
class _Parsed:
    """A question in parts."""

    entities: list[Entity] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)
    words: list[tuple[Word, list[Meaning]]] = field(default_factory=list)
    unknown: list[Word] = field(default_factory=list)
    slots: list[Word] = field(default_factory=list)  # unknown words where a host, network or country should be
    notes: list[str] = field(default_factory=list)
    refused: str = ""
    roles: dict[int, str] = field(default_factory=dict)

    @property
    def terms(self) -> Counter[str]:
        """What a phrase may ask for, and how often it is there."""
        places = {(e.kind, e.at) for e in self.entities if not _empty(e)}
        return Counter([*self.groups, *(f"<{kind}>" for kind, _ in places)])


def read(question: str, lexicon: Lexicon, now_us: int) -> Reading | NotUnderstood:
    """How a question is read; `now_us` is what its times go back from."""
    if len(question) > LONGEST_QUESTION:
        why = f"it has {len(question):,} characters; ask in {LONGEST_QUESTION:,} or fewer"
        return NotUnderstood(question, why, _suggested([], lexicon))
    parsed = _parse(question, lexicon, now_us)
    ranked = _ranked(parsed, lexicon)
    best, score = ranked[0]
    suggested = _suggested(ranked, lexicon)
    if parsed.refused:
        return NotUnderstood(question, parsed.refused, suggested)
    if parsed.slots:
        named = ", ".join(repr(w.written or w.text) for w in parsed.slots)
        why = f"{named} is no host, network, country, AS or name that this state or its configuration knows"
        return NotUnderstood(question, why, suggested)
    if score < LEAST or len(parsed.unknown) * UNKNOWN > _known(parsed, lexicon):
        return NotUnderstood(question, _why(parsed), suggested)
    passed = [e for e in parsed.entities if e.kind not in best.takes and not _empty(e)]
    notes = list(parsed.notes)
    if parsed.unknown:
        notes.append(f"passed over, not known: {', '.join(w.written or w.text for w in parsed.unknown)}")
    if passed := [e for e in passed if not _twin(e, parsed.entities, best)]:
        notes.append(f"passed over, for these answers cannot be narrowed by it: {', '.join(map(str, passed))}")
    if others := [i for i, s in ranked[1:] if s >= max(LEAST, score - NEAR)]:
        notes.append(f"it may also be meant as: {others[0].says}, such as {others[0].examples[0]!r}")
    kept = tuple(e for e in parsed.entities if e.kind in best.takes)
    return Reading(question, best, kept, frozenset(parsed.groups), tuple(notes), score)


def _empty(entity: Entity) -> bool:
    return entity.kind == "time" and not entity.value.text


def _twin(entity: Entity, others: Sequence[Entity], intent: Intent) -> bool:
    """The same words mean something else, too, that the intent takes."""
    return any(o.at == entity.at and o.kind in intent.takes for o in others)


# ---- words and entities


def _parse(question: str, lexicon: Lexicon, now_us: int) -> _Parsed:
    parsed = _Parsed()
    text = re.sub(r"\s", " ", question)
    taken = [False] * len(text)
    found = entities.find(text, now_us, taken)
    listed = _corrected(words(text, taken), lexicon, parsed)
    at = 0
    while at < len(listed):
        length, meanings = _longest(listed, at, lexicon)
        here = listed[at : at + length]
        whole = Word(" ".join(w.text for w in here), here[0].at)
        parsed.words.append((whole, meanings))
        _take(parsed, whole, meanings)
        at += length
    order = sorted([(w.at, w.text) for w in listed] + [(e.at[0], "") for e in found])
    parsed.entities = [_with_role(e, order) for e in sorted([*found, *parsed.entities], key=lambda e: e.at)]
    if not parsed.refused:
        parsed.refused = _act(parsed, lexicon, found)
    parsed.slots = [w for w in parsed.unknown if _is_slot(w, order)]
    for kind in ("negation", "future"):
        if not parsed.refused and any(m.kind == kind for _, ms in parsed.words for m in ms):
            parsed.refused = lexicon.why_not[kind]
    return parsed


def _corrected(listed: list[Word], lexicon: Lexicon, parsed: _Parsed) -> list[Word]:
    """Mistyped words put right, which is said."""
    right = []
    for word in listed:
        if not lexicon.knows(word.text) and (better := nearest(word.text, lexicon.vocabulary)):
            parsed.notes.append(f"{word.text!r} is read as {better!r}")
            word = replace(word, text=better, written=word.text)
        right.append(word)
    return right


def _longest(listed: Sequence[Word], at: int, lexicon: Lexicon) -> tuple[int, list[Meaning]]:
    for length in range(min(LONGEST, len(listed) - at), 0, -1):
        if meanings := lexicon.meanings([w.text for w in listed[at : at + length]]):
            return length, meanings
    return 1, []


def _take(parsed: _Parsed, word: Word, meanings: list[Meaning]) -> None:
    end = word.at + len(word.text)
    for meaning in meanings:
        if meaning.kind == "group":
            parsed.groups.add(meaning.value)
        elif meaning.kind not in ("stop", "act", "negation", "future"):
            parsed.entities.append(Entity(meaning.kind, meaning.value, meaning.label, (word.at, end)))
    if not meanings and not word.text.isdigit():
        parsed.unknown.append(word)


def _with_role(entity: Entity, order: Sequence[tuple[int, str]]) -> Entity:
    """Which end it is, by the word before it."""
    if entity.kind not in _WITH_ROLE:
        return entity
    for _, word in reversed([o for o in order if o[0] < entity.at[0]]):
        if word in _TO:
            return replace(entity, role="to")
        if word in _FROM:
            return replace(entity, role="from")
        if word not in _BETWEEN:
            break
    if entity.kind == "scope":  # "inside hosts that …" act, "outside servers" are acted on
        after = next((word for at, word in order if at >= entity.at[1]), "")
        role = "from" if after in _CLIENTS else "to" if after in _SERVERS else ""
        return replace(entity, role=role)
    return entity


def _is_slot(word: Word, order: Sequence[tuple[int, str]]) -> bool:
    """An unknown word where the name of something is due."""
    for _, before in reversed([o for o in order if o[0] < word.at]):
        if before in _TO | _FROM | _OF:
            return True
        if before not in _BETWEEN:
            return False
    return False


def _act(parsed: _Parsed, lexicon: Lexicon, found: Sequence[Entity]) -> str:
    """Why not, where the question asks for an act: it begins with one, or goes on with one after "and"."""
    for number, (word, meanings) in enumerate(parsed.words):
        before = [w.text for w, _ in parsed.words[:number]]
        begins = not before or before[-1] == "and" or lexicon.asking.issuperset(before)
        kinds = {m.kind for m in meanings}
        if begins and ("act" in kinds or (word.text in _DEEDS and found)):
            return lexicon.why_not["act"]
    return ""


_DEEDS = frozenset({"scan", "probe", "flood", "exploit"})  # detectors' words that, said to a host, ask for the deed


# ---- intents


def _ranked(parsed: _Parsed, lexicon: Lexicon) -> list[tuple[Intent, float]]:
    scored = [(intent, _score(intent, parsed, lexicon)) for intent in lexicon.intents]
    return sorted(scored, key=lambda s: -s[1])


def _score(intent: Intent, parsed: _Parsed, lexicon: Lexicon) -> float:
    """That of its best phrase, less what it leaves unused."""
    terms = parsed.terms
    best = max((_phrase(p, terms, lexicon) for p in intent.phrases), default=0.0)
    kinds = {e.kind for e in parsed.entities if not _empty(e) and not _twin(e, parsed.entities, intent)}
    return best - UNUSED * len(kinds - intent.takes) if best else 0.0


def _phrase(phrase: tuple[str, ...], terms: Counter[str], lexicon: Lexicon) -> float:
    wanted = Counter(term for term in phrase if term[0] != "!")
    if any(terms[term[1:]] for term in phrase if term[0] == "!"):
        return 0.0
    if all(terms[term] >= often for term, often in wanted.items()):
        return sum(lexicon.weight(term) + DETAIL for term in wanted.elements())
    return 0.0


def _known(parsed: _Parsed, lexicon: Lexicon) -> float:
    return float(len(parsed.groups) + len({e.at for e in parsed.entities}))


def _suggested(ranked: Sequence[tuple[Intent, float]], lexicon: Lexicon) -> tuple[str, ...]:
    near = [intent for intent, score in ranked if score > 0][:SUGGESTED]
    near += [i for i in lexicon.intents if i.name in ("find_alerts", "explain_incident", "contacts") and i not in near]
    return tuple(i.examples[0] for i in near[:SUGGESTED])


def _why(parsed: _Parsed) -> str:
    if parsed.unknown:
        return f"it knows no {' or '.join(repr(w.written or w.text) for w in parsed.unknown[:4])}"
    if parsed.entities or parsed.groups:
        return "it is not clear what is asked"
    return "there is nothing in it that it knows"


def unknown_names(question: str, lexicon: Lexicon, now_us: int) -> list[str]:
    """Words that stand where a name is due and are not known: worth asking the state for."""
    return [w.written or w.text for w in _parse(question, lexicon, now_us).slots]
