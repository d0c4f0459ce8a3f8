"""What the comparison of two runs finds."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from chaos.compare import Found, State, compare, compare_lines, differences, rows_committed, state_of
from scenes import LAB

from aegis_enrich.config import Config
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.engine import Engine, assemble
from aegis_enrich.registry import load
from aegis_enrich.store import Store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A state over a scenario with an alert, and a line of NDJSON for it."""
    root = tmp_path_factory.mktemp("compare")
    with Store(root / "s") as store, Follower({"sensor": [LAB / "scan_vertical" / "tsv"]}, poll=True) as follower:
        engine = Engine(assemble(Config(), load()), store, follower, {}, live=False)
        engine.run_to_end()
        engine.delivery.close()
    return root / "s"


@pytest.fixture(scope="module")
def state(folder) -> State:
    made = state_of(folder, ["conn"])
    assert made.alerts and made.rows and made.documents["conn"]
    return made


def test_a_run_is_equal_to_itself(state):
    assert compare(state, state).good


def test_rows_that_are_missing_or_twice(state):
    row = next(iter(state.rows))
    assert compare(state, replace(state, rows=state.rows - Counter([row]))).lost == 1
    assert compare(state, replace(state, rows=state.rows + Counter([row]))).doubled == 1


def test_alerts_that_are_missing_new_or_others(state):
    key, text = next(iter(state.alerts.items()))
    doc = json.loads(text)
    doc["aegis"]["count"] += 1
    assert compare(state, replace(state, alerts={})).lost == len(state.alerts)
    assert compare(state, replace(state, alerts={**state.alerts, "x": text})).doubled == 1
    found = compare(state, replace(state, alerts={**state.alerts, key: json.dumps(doc)}))
    assert (found.differ, found.good) == (1, False)
    assert f"alert {key}: aegis.count: wanted" in found.said[0]


@pytest.mark.parametrize("change", [{"late": [1]}, {"failed": [1]}, {"refused": 1}, {"lost_bytes": 1}])
def test_what_a_run_says_of_itself(state, change):
    assert compare(state, replace(state, **change)).differ == 1


def test_lines_that_are_missing_twice_or_old(state, tmp_path):
    path, texts = tmp_path / "a", list(state.newest.values())
    texts = [t for t in texts if json.loads(t)["event"]["id"] in state.alerts]

    def told(lines):
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        compare_lines(found := Found(), state, path)
        return found.lost, found.doubled, found.differ

    old = json.loads(texts[0])
    old["aegis"]["revision"] -= 1
    assert told(texts) == (0, 0, 0)
    assert told(texts[1:]) == (1, 0, 0)
    assert told([*texts, texts[0]]) == (0, 1, 0)
    assert told([json.dumps(old), *texts[1:]]) == (0, 0, 1)
    assert told([texts[0][:20], *texts]) == (0, 0, 1)


def test_positions_and_rows_of_a_state(folder, state):
    assert rows_committed(folder) == (state.rows.total(), state.rows.total())


def test_differences_are_named_by_their_path():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": 3}}) == {"a.c": (2, None), "a.d": (None, 3)}
