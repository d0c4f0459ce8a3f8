"""Lookups: once per unique value, whatever form the column has."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aegis_enrich.lookup import Codes, Lookup, encode

VALUES = ["a", "b", None, "a", "x", None, "b"]
FORMS = {
    "array": pa.array(VALUES),
    "chunks": pa.chunked_array([VALUES[:3], VALUES[3:]], pa.string()),
    "dictionary": pa.array(VALUES).dictionary_encode(),
    "dictionaries": pa.chunked_array([pa.array(v).dictionary_encode() for v in (VALUES[:3], VALUES[3:])]),
    "slice": pa.array(["b", *VALUES, "a"]).slice(1, len(VALUES)),
    "null in the dictionary": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, 0, 3, None, 1]), pa.array(["a", "b", None, "x"])
    ),
}


class Facts:
    """Says the upper case and the code point of a and b, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, value: str) -> tuple[str, int] | None:
        self.asked.append(value)
        return None if value == "x" else (value.upper(), ord(value))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_column_gives_the_same(form: str) -> None:
    facts = Facts()
    upper, points = Lookup(facts, (pa.string(), pa.int64()))(FORMS[form])
    assert upper.to_pylist() == ["A", "B", None, "A", None, None, "B"]
    assert points.to_pylist() == [97, 98, None, 97, None, None, 98]
    assert (upper.type, points.type) == (pa.string(), pa.int64())
    assert sorted(facts.asked) == ["a", "b", "x"]
    assert encode(FORMS[form]).to_pylist() == VALUES


def test_values_are_remembered_until_cleared() -> None:
    facts = Facts()
    lookup = Lookup(facts, (pa.string(), pa.int64()))
    for _ in range(3):
        lookup(pa.array(VALUES))
    assert len(facts.asked) == 3
    lookup.clear()
    assert lookup(pa.array(["b"]))[0].to_pylist() == ["B"]
    assert len(facts.asked) == 4


def test_the_memory_is_bounded() -> None:
    codes = Codes(str.upper, size=10)
    for start in range(0, 1000, 5):
        codes.of(pa.array([f"v{i}" for i in range(start, start + 5)]))
        assert len(codes) <= 15
        assert len(codes.results) <= 16


@pytest.mark.parametrize("column", [pa.array([], pa.string()), pa.chunked_array([], pa.string())])
def test_empty_columns_stay_empty(column: pa.Array) -> None:
    assert [len(c) for c in Lookup(Facts(), (pa.string(), pa.int64()))(column)] == [0, 0]


def test_nothing_known_is_null_of_the_right_type() -> None:
    upper, points = Lookup(Facts(), (pa.string(), pa.int64()))(pa.array(["x", None]))
    assert (upper.null_count, points.null_count) == (2, 2)
    assert (upper.type, points.type) == (pa.string(), pa.int64())
