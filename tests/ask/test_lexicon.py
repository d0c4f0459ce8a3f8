"""The data files say what they mean, and mean what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aegis_enrich.ask.entities import KINDS
from aegis_enrich.ask.lexicon import _data, country_codes, known_words
from aegis_enrich.registry import load


def test_every_term_of_every_phrase_is_a_group_or_an_entity() -> None:
    groups = set(_data("intents.yml")["groups"])
    for intent in known_words().intents:
        assert intent.takes <= set(KINDS), intent.name
        terms = {term.lstrip("!") for phrase in intent.phrases for term in phrase}
        assert {t for t in terms if t not in groups and t.strip("<>") not in KINDS} == set(), intent.name
    told = _data("intents.yml")
    assert set(told["light"]) | set(told["heavy"]) <= groups


def test_every_word_is_a_text() -> None:
    """YAML takes on, off, yes and no for truth values."""

    def texts(data: Any) -> Iterator[Any]:
        for value in data.values() if isinstance(data, dict) else data:
            yield from texts(value) if isinstance(value, (dict, list)) else [value]

    assert {v for name in ("words.yml", "intents.yml") for v in texts(_data(name)) if isinstance(v, bool)} == set()


def test_every_detector_has_words() -> None:
    named = {rule for told in _data("words.yml")["detectors"].values() for rule in told["rules"]}
    assert set(load().detectors) - {"anomaly_ensemble", "threat_classifier"} <= named


def test_plurals_count_as_their_word_and_stop_words_have_none() -> None:
    words = known_words()
    assert {m.kind for m in words.meanings(["beacons"])} == {"detector"}
    assert words.meanings(["brute", "force"]) and words.meanings(["iss"]) == []


def test_sites_names_are_words() -> None:
    words = known_words({"sensor": {"dmz-tap": "dmz-tap"}, "net": {"guests": ("10.9.0.0/16",)}})
    assert [m.value for m in words.meanings(["guests"])] == [("10.9.0.0/16",)]
    assert [m.kind for m in words.meanings(["dmz-tap"])] == ["sensor"]


def test_countries_have_two_letters_and_their_names_are_told_apart() -> None:
    words = known_words()
    assert len(country_codes()) > 240 and all(len(c) == 2 and c.isupper() for c in country_codes())
    several = [p for p, ms in words.phrases.items() if len({m.value for m in ms if m.kind == "country"}) > 1]
    assert several == []
    assert [m.value for m in words.meanings(["south", "korea"])] == ["KR"]
