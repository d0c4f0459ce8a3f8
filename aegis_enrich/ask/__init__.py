"""Questions in plain English about a state: read by a grammar, planned as queries, answered as tables; no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config import Config
from ..store import Store
from .answers import PLANNERS
from .archive import Archive, shown
from .lexicon import Lexicon, known_words
from .plan import Answer, Plan, Row, Table
from .reading import NotUnderstood, Reading, read, unknown_names
from .scope import Scope, learned, scope_of
from .times import said

Names = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Asked:
    """A question that was understood, and what would be done for it."""

    reading: Reading
    plan: Plan
    scope: Scope

    @property
    def now(self) -> str:
        """What its times go back from: the newest event in the state, not the clock."""
        return said(self.scope.now_us)


def understand(question: str, store: Store, config: Config) -> Asked | NotUnderstood:
    """Reads a question and plans its queries; runs none of them (but for names that only the alerts know)."""
    held = scope_of(store, config)
    words = known_words(held.names)
    if unknown := unknown_names(question, words, held.now_us):
        words = known_words(_merged(held.names, learned(store, unknown)))
    reading = read(question, words, held.now_us)
    if isinstance(reading, NotUnderstood):
        return reading
    return planned(reading, held, words)


def planned(reading: Reading, held: Scope, words: Lexicon) -> Asked:
    """The queries for what was read, of the sensors that it names."""
    plan = PLANNERS[reading.intent.name](reading, held, words.services)
    sensors = tuple(e.value for e in reading.all("sensor"))
    return Asked(reading, replace(plan, steps=tuple(replace(s, sensors=sensors) for s in plan.steps)), held)


def answer(asked: Asked, rules: Callable[[], list[Row]]) -> Answer:
    """Runs the plan. `rules` gives the rules in force, a dict each: id, description, enabled, health, attack and
    techniques; it is called where the plan needs them."""
    return asked.plan.answer(Archive(asked.scope, rules).run(asked.plan))


def examples() -> list[tuple[str, tuple[str, ...]]]:
    """What can be asked: each intent in words, and its examples."""
    return [(intent.says, intent.examples) for intent in known_words().intents]


def _merged(names: Names, more: Names) -> dict[str, dict[str, Any]]:
    return {kind: {**names.get(kind, {}), **more.get(kind, {})} for kind in {**names, **more}}


__all__ = ["Answer", "Asked", "NotUnderstood", "Table", "answer", "examples", "planned", "shown", "understand"]
