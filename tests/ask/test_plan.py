"""Tables of answers."""

from __future__ import annotations

from aegis_enrich.ask.plan import table


def test_a_column_that_is_empty_in_every_row_is_left_out() -> None:
    made = table(
        "t", [{"a": 1, "b": None}, {"a": 2, "b": ""}], {"first": "a", "second": "b", "twice": lambda r: 2 * r["a"]}
    )
    assert made.columns == ("first", "twice") and made.rows == ((1, 2), (2, 4))
    assert made.records() == [{"first": 1, "twice": 2}, {"first": 2, "twice": 4}]


def test_zero_is_not_empty() -> None:
    assert table("t", [{"a": 0}], {"a": "a"}).rows == ((0,),)
