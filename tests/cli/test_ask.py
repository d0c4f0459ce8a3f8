"""`aegis-enrich ask` as its users call it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from aegis_enrich.cli import main

    state = tmp_path_factory.mktemp("ask") / "state"
    scan = Path(__file__).resolve().parents[1] / "data" / "lab" / "scan_vertical" / "tsv"
    with pytest.raises(SystemExit) as ended:
        main(["analyze", str(scan), "--state", str(state), "--json"])
    assert not ended.value.code
    return state


def test_an_answer_is_how_it_was_read_the_queries_a_sentence_and_tables(aegis: Callable[..., Any], made: Path) -> None:
    ran = aegis("ask", "which hosts scanned 10.20.0.10 today?", "--state", made)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("read as  alerts") and "host 10.20.0.10" in lines[0]
    assert "the newest event in this state" in lines[1]
    assert any(line.startswith("query 1  alerts") for line in lines)
    assert "There is 1 alert" in ran.out and "10.10.0.14" in ran.out


def test_words_without_quotes_are_one_question(aegis: Callable[..., Any], made: Path) -> None:
    assert "10.10.0.14" in aegis("ask", "who", "talked", "to", "10.20.0.10", "--state", made).out


def test_a_plan_shows_sql_and_runs_nothing(aegis: Callable[..., Any], made: Path) -> None:
    ran = aegis("ask", "who talked to 10.20.0.10?", "--plan", "--state", made)
    assert ran.code == 0 and "FROM conn" in ran.out and "resp_h = $v" in ran.out
    assert "-- values: {'v1': '10.20.0.10'" in ran.out and "1,000" not in ran.out


def test_json_is_one_object(aegis: Callable[..., Any], made: Path) -> None:
    said = aegis("ask", "top 3 talkers", "--json", "--state", made).json
    assert said["understood"] and said["intent"] == "top_talkers" and said["found"]
    assert said["tables"][0]["rows"][0]["client"] == "10.10.0.14"
    assert said["plan"][0]["sql"].startswith("SELECT") and said["now"].startswith("2026-")
    assert "summary" not in aegis("ask", "top 3 talkers", "--plan", "--json", "--state", made).json


def test_what_is_not_understood_ends_with_2_and_the_nearest_questions(aegis: Callable[..., Any], made: Path) -> None:
    ran = aegis("ask", "write me a poem about routers", "--state", made)
    assert ran.code == 2 and ran.out == "" and "not understood: `ask` only reads" in ran.err
    assert ran.err.count('aegis-enrich ask "') == 3
    said = aegis("ask", "sing me a song", "--json", "--state", made)
    assert said.code == 2 and said.json["understood"] is False and len(said.json["nearest"]) == 3


def test_nothing_found_says_so_and_ends_with_0(aegis: Callable[..., Any], made: Path) -> None:
    ran = aegis("ask", "who talked to 192.0.2.99?", "--state", made)
    assert ran.code == 0 and "Nobody: no such connection was seen (searched: conn, from 2026-" in ran.out


def test_without_a_question_it_says_what_can_be_asked(aegis: Callable[..., Any]) -> None:
    ran = aegis("ask")
    assert ran.code == 0 and 'aegis-enrich ask "which hosts beaconed to Russia since yesterday?"' in ran.out
    assert len(aegis("ask", "--json").json) >= 13


def test_what_came_from_the_wire_does_nothing_to_a_terminal() -> None:
    from aegis_enrich.cli.ask import _plain

    assert _plain("a\x1b[2Jb\u202e") == "a\\x1b[2Jb\\u202e"


def test_a_state_that_is_not_there_ends_with_1(aegis: Callable[..., Any], tmp_path: Path) -> None:
    ran = aegis("ask", "show alerts", "--state", tmp_path / "none")
    assert ran.code == 1 and "holds no state" in ran.err


def test_rules_that_do_not_check_are_said_and_the_rest_is_answered(
    aegis: Callable[..., Any], made: Path, tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yml").write_text("id: a\n")
    config = tmp_path / "aegis.yml"
    config.write_text("rules: rules\n")
    ran = aegis("ask", "which techniques can you see?", "--state", made, "--config", config)
    assert ran.code == 0 and "the rules cannot be read" in ran.err and "rules check" in ran.err
