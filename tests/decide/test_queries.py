"""The queries of rules as text: those of rows find what the rule means."""

from __future__ import annotations

import duckdb
import pytest

from aegis_enrich.decide.queries import row_sql

RULE = """
id: odd
name: Odd
table: [weird, notice]
entity: [orig_h]
severity: low
reason: odd
"""


@pytest.mark.parametrize(
    "where",
    [
        "{name: a}",
        "{name: [a, b]}",
        "{name: {not: a}}",
        "{name: {known: true}}",
        "{name: {known: false}}",
        "{orig_p: {at_least: 5, at_most: 7}}",
        "{name: {starts_with: [x., y]}}",
        "{name: {below: example.com}}",
        "{name: {matches: ['^a', \"o'n\"]}}",
        "{orig_h: 10.0.0.1}",
        "{name: a, any: [{orig_p: 5}, {orig_p: {not: [6, 7]}}]}",
    ],
)
def test_rows_that_the_query_finds_are_those_that_the_rule_means(row_rule, table, where):
    rule = row_rule(RULE.replace("[weird, notice]", "weird") + f"where: {where}\n")
    names = ("a", "b", None, "x.y", "example.com", "www.example.com", "o'n", "ab")
    rows = table(
        "weird",
        *({"orig_h": f"10.0.0.{p % 2}", "orig_p": p, "name": name} for p in (4, 5, 6, 8) for name in names),
    )
    meant = rows.filter(rule.where.mask(rows))["uid"].to_pylist()
    with duckdb.connect() as connection:
        connection.register("weird", rows)
        found = [row[rows.schema.names.index("uid")] for row in connection.execute(row_sql(rule)).fetchall()]
    assert sorted(found) == sorted(meant)
    assert 0 < len(meant) < rows.num_rows


def test_of_several_tables_the_first_is_shown(row_rule):
    assert row_sql(row_rule(RULE)) == "SELECT *\nFROM weird  -- and so of notice"
