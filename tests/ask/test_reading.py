"""How questions are read: slips, roles, what is passed over, what else may be meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.ask.lexicon import known_words
from aegis_enrich.ask.reading import NotUnderstood, Reading, read, unknown_names

NOW = 1_795_314_740_208_345
WORDS = known_words()


def understood(question: str) -> Reading:
    reading = read(question, WORDS, NOW)
    assert isinstance(reading, Reading), reading
    return reading


def test_a_slip_is_put_right_aloud() -> None:
    reading = understood("expalin the worst incidnet")
    assert reading.intent.name == "explain_incident"
    assert reading.notes == ("'expalin' is read as 'explain'", "'incidnet' is read as 'incident'")


@pytest.mark.parametrize(
    ("question", "role"),
    [
        ("alerts against 10.0.0.5", "to"),
        ("alerts by the host 10.0.0.5", "from"),
        ("alerts from 10.0.0.5", "from"),
        ("alerts of 10.0.0.5", ""),
    ],
)
def test_the_word_before_a_host_says_which_end_it_is(question: str, role: str) -> None:
    assert [e.role for e in understood(question).all("host")] == [role]


def test_what_an_answer_cannot_be_narrowed_by_is_passed_over_aloud() -> None:
    assert any("country Russia" in note for note in understood("which techniques can you see in Russia?").notes)


def test_unknown_words_are_passed_over_aloud_and_refused_where_they_are_many() -> None:
    assert "passed over, not known: gnarly" in understood("show gnarly high alerts of 10.0.0.5").notes
    assert isinstance(read("gnarly wobbly alerts", WORDS, NOW), NotUnderstood)


def test_a_name_that_nobody_knows_is_refused_by_name() -> None:
    refused = read("which hosts beaconed to Narnia", WORDS, NOW)
    assert isinstance(refused, NotUnderstood) and refused.why.startswith("'narnia' is no host, network")
    assert unknown_names("which hosts beaconed to Narnia", WORDS, NOW) == ["narnia"]


@pytest.mark.parametrize("question", ["which hosts did not beacon", "alerts without scans", "hosts with no alerts"])
def test_conditions_are_never_turned_round_in_silence(question: str) -> None:
    refused = read(question, WORDS, NOW)
    assert isinstance(refused, NotUnderstood) and "turn a condition round" in refused.why


@pytest.mark.parametrize("question", ["delete the alerts", "Please block 10.0.0.5", "show and delete alerts"])
def test_nothing_is_done(question: str) -> None:
    refused = read(question, WORDS, NOW)
    assert isinstance(refused, NotUnderstood) and "only reads" in refused.why


def test_words_that_open_an_act_are_fine_elsewhere() -> None:
    assert understood("any update on the worst incident?").intent.name == "explain_incident"
    assert understood("were there port scans today").intent.name == "find_alerts"


def test_the_same_question_in_capitals_and_without_a_mark_is_the_same() -> None:
    one, other = (
        understood("which hosts beaconed to Russia since yesterday?"),
        understood("WHICH HOSTS BEACONED TO RUSSIA SINCE YESTERDAY"),
    )
    assert (one.intent, [str(e) for e in one.entities]) == (other.intent, [str(e) for e in other.entities])


PIECES = [
    *sorted(WORDS.phrases)[::7],
    "10.0.0.5",
    "fd00::/8",
    "c2.test",
    "T1046",
    "since yesterday",
    "22.11.2026",
    "?",
    "'",
    "%",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=8))
def test_any_text_is_read_or_refused(pieces: list[str]) -> None:
    reading = read(" ".join(pieces), WORDS, NOW)
    assert isinstance(reading, (Reading, NotUnderstood))
    if isinstance(reading, NotUnderstood):
        assert reading.why and reading.nearest


def test_a_question_has_an_end() -> None:
    refused = read("alerts " * 200, WORDS, NOW)
    assert isinstance(refused, NotUnderstood) and "1,400 characters" in refused.why and len(refused.nearest) == 3
