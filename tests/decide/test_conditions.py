"""Conditions over single values and, with the same meaning, over columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.decide.conditions import Condition, Conditions, parse
from aegis_enrich.decide.source import Source


def written(value: Any) -> Conditions:
    source = Source(Path("a.yml"), {"when": {"x": value}})
    found = parse(source, source.data["when"], "when")
    assert source.problems == []
    return found


@pytest.mark.parametrize(
    ("condition", "holding", "failing"),
    [
        (22, [22, 22.0, [1, 22]], [23, "22", None, [], [1]]),
        (1, [1], [True]),
        (False, [False], [0, None, True]),
        ("a", ["a", ["b", "a"]], ["A", None, ""]),
        ([22, 3389], [22, 3389], [80, None]),
        ("10.0.0.0/8", ["10.1.2.3", ["192.0.2.1", "10.0.0.1"]], ["11.0.0.1", "::1", None, 10, "ten"]),
        ("10.0.0.5", ["10.0.0.5"], ["10.0.0.6", None]),
        ("2001:DB8::1", ["2001:db8::1", "2001:db8:0::1"], ["2001:db8::2"]),
        (["fd00::/8", "192.0.2.1"], ["fd00::9", "192.0.2.1"], ["192.0.2.2"]),
        ({"at_least": 5}, [5, 6.5, [1, 9]], [4, None, "9", True, [1]]),
        ({"at_least": 5, "at_most": 7}, [5, 7], [4, 8, None]),
        (
            {"below": "Example.com."},
            ["example.com", "a.EXAMPLE.com", "a.b.example.com."],
            ["badexample.com", "com", None],
        ),
        ({"below": ["a.test", "b.test"]}, ["x.b.test"], ["c.test"]),
        ({"starts_with": "SSH::"}, ["SSH::Guessing", ["x", "SSH::"]], ["ssh::x", None]),
        ({"not": "a"}, ["b", None, ["b"], []], ["a", ["b", "a"]]),
        ({"not": ["10.0.0.0/8", "b"]}, ["11.0.0.1", None], ["10.0.0.1", "b"]),
        ({"known": True}, ["a", 0, []], [None]),
        ({"known": False}, [None], ["a", 0]),
    ],
)
def test_what_holds(condition, holding, failing):
    conditions = written(condition)
    for value in holding:
        assert conditions.hold({"x": value}), value
    for value in failing:
        assert not conditions.hold({"x": value}), value


def test_all_of_them_must_hold():
    source = Source(Path("a.yml"), {"when": {"a": 1, "b": {"not": 2}}})
    conditions = parse(source, source.data["when"], "when")
    assert conditions.fields == ("a", "b")
    assert conditions.hold({"a": 1})
    assert not conditions.hold({"a": 1, "b": 2})
    assert not conditions.hold({"b": 3})
    assert Conditions().hold({})


@pytest.mark.parametrize(
    "wrong",
    [
        {"equals": 5},
        {"known": "yes"},
        {"at_least": "many"},
        {"at_least": True},
        {"at_most": [1]},
        {"below": 5},
        {"starts_with": []},
        {},
        None,
        [],
        [None],
        {"not": {"known": True}},
        {"not": None},
    ],
)
def test_what_could_never_hold_is_a_problem(tmp_path, wrong):
    source = Source(tmp_path / "a.yml", {"when": {"x": wrong}}, {("when",): 2, ("when", "x"): 3})
    assert parse(source, source.data["when"], "when").each == ()
    assert [p.where for p in source.problems] == [f"{tmp_path / 'a.yml'}:3"]


@pytest.mark.parametrize("wrong", [None, {}, [], "x", 5])
def test_conditions_are_a_mapping(wrong):
    source = Source(Path("a.yml"), {"when": wrong})
    assert parse(source, wrong, "when") == Conditions()
    assert len(source.problems) == 1


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (Condition("x", "is", (5,)), "5"),
        (Condition("x", "is", (5, 6)), "[5, 6]"),
        (Condition("x", "at_least", (5,)), "{at_least: 5}"),
    ],
)
def test_shown_as_rules_write_it(condition, shown):
    assert str(condition) == shown


_TEXTS = st.sampled_from(["10.0.0.1", "10.0.0.5", "192.0.2.1", "a.test", "b.a.test", "SSH::x", ""])
_CONDITIONS = st.one_of(
    st.builds(Condition, st.just("x"), st.just("is"), st.tuples(st.one_of(_TEXTS, st.just("10.0.0.0/8")))),
    st.builds(Condition, st.just("x"), st.just("not"), st.tuples(_TEXTS, _TEXTS)),
    st.builds(Condition, st.just("x"), st.just("is"), st.tuples(st.integers(0, 4))),
    st.builds(Condition, st.just("x"), st.sampled_from(["at_least", "at_most"]), st.tuples(st.integers(0, 4))),
    st.builds(Condition, st.just("x"), st.just("below"), st.just(("a.test",))),
    st.builds(Condition, st.just("x"), st.just("starts_with"), st.just(("SSH::",))),
    st.builds(Condition, st.just("x"), st.just("matches"), st.sampled_from([("^a",), ("(?i)ssh", "5$")])),
    st.builds(Condition, st.just("x"), st.just("known"), st.tuples(st.booleans())),
)
_COLUMNS = st.one_of(
    st.lists(st.none() | _TEXTS).map(lambda v: pa.array(v, pa.string())),
    st.lists(st.none() | _TEXTS).map(lambda v: pa.array(v, pa.string()).dictionary_encode()),
    st.lists(st.none() | st.integers(0, 4)).map(lambda v: pa.array(v, pa.int64())),
    st.lists(st.none() | st.floats(0, 4)).map(lambda v: pa.array(v, pa.float64())),
    st.lists(st.none() | st.booleans()).map(lambda v: pa.array(v, pa.bool_())),
    st.lists(st.none() | st.lists(_TEXTS, max_size=2)).map(lambda v: pa.array(v, pa.list_(pa.string()))),
)


@given(_CONDITIONS, _COLUMNS)
def test_a_mask_says_of_each_row_what_the_condition_says(condition, column):
    mask = Conditions((condition,)).mask(pa.table({"x": column}))
    assert mask.to_pylist() == [condition.holds(v) for v in column.to_pylist()]


@given(_CONDITIONS)
def test_a_column_that_is_not_there_has_no_value(condition):
    mask = Conditions((condition,)).mask(pa.table({"y": [1, 2]}))
    assert mask.to_pylist() == [condition.holds(None)] * 2


def test_no_condition_means_every_row():
    assert Conditions().mask(pa.table({"y": [1, 2]})).to_pylist() == [True, True]


SOURCE_OR_NAME = {
    "any": [{"x": "10.0.0.5"}, {"y": {"matches": "(?i)^evil[.]"}, "z": {"known": False}}],
    "z": {"not": 3},
}


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        ({"x": "10.0.0.5", "y": None, "z": 1}, True),
        ({"x": "10.0.0.5", "y": None, "z": 3}, False),
        ({"x": "10.0.0.6", "y": "Evil.test", "z": None}, True),
        ({"x": "10.0.0.6", "y": "Evil.test", "z": 1}, False),
        ({"x": None, "y": "not.evil.test", "z": None}, False),
    ],
)
def test_one_of_several_is_enough(row, holds):
    source = Source(Path("a.yml"), {"when": SOURCE_OR_NAME})
    conditions = parse(source, SOURCE_OR_NAME, "when")
    assert source.problems == []
    assert conditions.hold(row) == holds
    types = {"x": pa.string(), "y": pa.string(), "z": pa.int64()}
    table = pa.table({name: pa.array([value], types[name]) for name, value in row.items()})
    assert conditions.mask(table).to_pylist() == [holds]
    assert conditions.fields == ("z", "x", "y")


@pytest.mark.parametrize("wrong", [{"any": []}, {"any": {"x": 1}}, {"any": [{}]}, {"x": {"matches": "a("}}])
def test_several_are_a_list_and_patterns_are_patterns(wrong):
    source = Source(Path("a.yml"), {"when": wrong})
    parse(source, wrong, "when")
    assert len(source.problems) == 1
