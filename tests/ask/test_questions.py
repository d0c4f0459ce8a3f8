"""Every question of questions.yml is read as it should be and answered from the state, or refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis_enrich import ask

QUESTIONS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "questions.yml").read_text(encoding="utf-8"))
REFUSED = QUESTIONS.pop("refused")
CASES = [(intent, case) for intent, cases in QUESTIONS.items() for case in cases]


@pytest.mark.parametrize(("intent", "case"), CASES, ids=lambda v: v["ask"] if isinstance(v, dict) else v)
def test_a_question_is_read_and_answered(intent: str, case: dict[str, Any], state: Callable[[str], Any]) -> None:
    asked, told = state(case.get("over", "multistage")).ask(case["ask"])
    assert asked.reading.intent.name == intent
    read = [str(e) for e in asked.reading.entities]
    assert [e for e in case.get("entities", []) if e not in read] == [], read
    tables = [t.records() for t in told.tables]
    said = "\n".join((told.summary, *told.lines, json.dumps(tables, ensure_ascii=False)))
    assert [s for s in case["says"] if s not in said] == [], told.summary
    assert told.found == case.get("found", True)
    assert told.summary.strip().endswith((".", "?")) and "\n" not in told.summary


@pytest.mark.parametrize("question", REFUSED)
def test_what_is_not_understood_is_refused_with_what_is(question: str, state: Callable[[str], Any]) -> None:
    refused = state("multistage").understand(question)
    assert isinstance(refused, ask.NotUnderstood), getattr(refused, "reading", None)
    assert refused.why and len(refused.nearest) == 3
    assert all(isinstance(state("multistage").understand(n), ask.Asked) for n in refused.nearest)


def test_there_are_enough() -> None:
    counts = Counter(intent for intent, _ in CASES)
    assert len(counts) >= 13 and min(counts.values()) >= 5 and len(REFUSED) >= 20


def test_every_intent_is_asked_for_and_every_example_is_read_as_its_own(state: Callable[[str], Any]) -> None:
    from aegis_enrich.ask.answers import PLANNERS
    from aegis_enrich.ask.lexicon import known_words

    assert {i.name for i in known_words().intents} == set(PLANNERS) == set(QUESTIONS)
    wrong = {}
    for intent in known_words().intents:
        for example in intent.examples:
            asked = state("multistage").understand(example)
            if not isinstance(asked, ask.Asked) or asked.reading.intent.name != intent.name:
                wrong[example] = asked
    assert wrong == {}


def test_the_questions_of_the_page_are_understood(state: Callable[[str], Any]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "ask.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[1] for line in page.splitlines() if line.startswith("| ") and " · " in line]
    asked = [question.strip(" |") for row in rows for question in row.split(" · ")]
    refused = [q for q in asked if isinstance(state("multistage").understand(q), ask.NotUnderstood)]
    assert len(asked) > 30 and refused == []
