"""What a state holds, and the span that a question covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from aegis_enrich.ask import scope as module
from aegis_enrich.ask.lexicon import known_words
from aegis_enrich.ask.reading import Reading, read
from aegis_enrich.ask.scope import Scope, learned, scope_of
from aegis_enrich.ask.times import said
from aegis_enrich.config import Config
from aegis_enrich.plugin import DAY_US, HOUR_US


def reading(question: str, now_us: int) -> Reading:
    made = read(question, known_words(), now_us)
    assert isinstance(made, Reading)
    return made


def held(state: Callable[[str], Any]) -> Scope:
    return scope_of(state("multistage").store, Config())


def test_now_is_the_newest_event(state: Callable[[str], Any]) -> None:
    scope = held(state)
    assert said(scope.now_us) == "2026-11-22 02:32:20" and scope.tables["conn"] == 1384 and scope.sensors == ("sensor",)
    assert scope_of(state("empty").store, Config()).now_us == 0


def test_without_a_time_rows_of_the_last_day_count(state: Callable[[str], Any]) -> None:
    scope = replace(held(state), first_us=held(state).now_us - 10 * DAY_US)
    start, end, note = scope.span(reading("top talkers", scope.now_us), ("conn",))
    assert end - start == DAY_US and "no time is named" in note
    start, _, note = scope.span(reading("top talkers ever", scope.now_us), ("conn",))
    assert start == scope.first_us and note == ""


def test_where_rows_are_very_many_the_last_hour_counts(state: Callable[[str], Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    scope = replace(held(state), first_us=held(state).now_us - 10 * DAY_US)
    start, end, note = scope.span(reading("top talkers", scope.now_us), ("conn",))
    assert end - start == HOUR_US and "last hour" in note


def test_a_span_outside_of_the_state_stays_what_it_is(state: Callable[[str], Any]) -> None:
    scope = held(state)
    start, end, _ = scope.span(reading("top talkers on 1.1.2020", scope.now_us), ("conn",))
    assert (said(start), said(end)) == ("2020-01-01 00:00:00", "2020-01-02 00:00:00")
    assert scope.alert_span(reading("alerts", scope.now_us)) == (None, None)


def test_the_site_s_names(state: Callable[[str], Any], tmp_path: Path) -> None:
    (tmp_path / "networks.yml").write_text("networks: {Guests: [10.9.0.0/16, 'fd09::/16'], dmz: 203.0.113.0/24}\n")
    (tmp_path / "assets.csv").write_text(
        "address,name,owner,criticality\n# 10.0.0.1,no,,\n10.20.0.10,Fileserver,ops,high\n10.30.0.0/16,farm,,\n"
    )
    scope = scope_of(state("multistage").store, Config(rules=str(tmp_path)))
    assert scope.names["net"] == {"guests": ("10.9.0.0/16", "fd09::/16"), "dmz": ("203.0.113.0/24",)}
    assert scope.names["host"] == {"fileserver": "10.20.0.10"}
    (tmp_path / "networks.yml").write_text("networks: [")
    assert scope_of(state("multistage").store, Config(rules=str(tmp_path))).names["net"] == {}


def test_names_that_only_alerts_know(state: Callable[[str], Any]) -> None:
    assert learned(state("multistage").store, ["Example", "narnia"]) == {"as": {"example": "Example Hosting"}}
