"""Each translation of the list gives on Spark what DuckDB gives."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from aegis_enrich.hunt.spark.translate import FUNCTIONS, RULES, Untranslatable, parse, to_spark

ROWS = """SELECT * FROM (VALUES
    (1, 'a', 'x.y.z', 3, true, CAST(0.5 AS DOUBLE), ['p', 'q'], TIMESTAMP '2026-11-26 10:00:00.000001'),
    (1, 'a', NULL, NULL, false, CAST(2.5 AS DOUBLE), ['q'], TIMESTAMP '1969-12-31 23:59:59.999999'),
    (1, 'b', 'Zu', 1, true, NULL, NULL, NULL),
    (2, NULL, 'a$b', 8, NULL, CAST(7 AS DOUBLE), CAST([] AS VARCHAR[]), TIMESTAMP '2026-11-26 10:00:00'),
    (2, 'c', '', 9007199254740993, true, CAST(-2.5 AS DOUBLE), ['', 'r'], TIMESTAMP '2026-11-26 10:00:00')
) AS t (g, s, name, n, flag, d, held, ts)"""

# What is asked of all rows; then of each group. The comment says which trap it is.
EACH = (
    "n / 2",  # Spark keeps decimals, and whole numbers in other languages stay whole
    "(n + 1) / (n - 10)",
    "n // 2",
    "0.1 * n",  # decimals
    "1e-3 * n",
    "CAST(n AS HUGEINT) * n",
    "TRY_CAST(name AS HUGEINT)",
    "held[1]",  # null behind the end
    "held[5]",
    "held[-1]",
    "held[g]",
    "held[1:1]",
    "len(held)",  # of a list, of a text
    "length(name)",
    "octet_length(encode(name))",
    "strlen(name)",
    "concat(s, ' ', n)",  # passes over nulls
    "s || name",  # does not
    "regexp_matches(name, 'z$|^Z')",
    "regexp_matches(concat(name, chr(10)), 'z$')",  # the very end only
    "regexp_matches(name, '\\$')",
    "regexp_extract(name, '([a-z])\\.([a-z])', 2)",
    "regexp_extract(name, '[a-z]')",
    "regexp_replace(name, '^[a-z]', '-')",
    "regexp_replace(name, '[a-z]', '-', 'g')",
    "string_split(name, '.')",  # not a pattern
    "string_split(name, '')",
    "array_to_string(held, ',')",
    "split_part(name, '.', 2)",
    "split_part(name, '.', 9)",
    "strpos(name, '.')",
    "contains(name, '$')",
    "list_contains(held, s)",
    "list_contains(held, 'q')",
    "list_contains([], s)",
    "list_contains([1, 3], n)",
    "log2(n)",
    "ln(n)",
    "left(name, 2)",
    "left(name, length(name) - 3)",
    "right(name, 1)",
    "substr(name, 2)",
    "lpad(CAST(n AS VARCHAR), 20, '0')",
    "rtrim(name, 'z')",
    "translate(name, 'xy', 'ab')",
    "md5(name)",
    "least(n, 2)",  # pass over nulls
    "greatest(n, 2)",
    "if(n > 2, 1, 0)",
    "round(d)",  # away from zero
    "round(1000000 * d)",
    "n IS DISTINCT FROM 3",
    "coalesce(epoch_us(ts), 0)",
    "list_min(held)",
    "flatten([held, held])",
    "n % 3",
    "ends_with(name, 'z')",
)
GROUPED = (
    "list_sort(list(DISTINCT s))",  # nulls are kept, and come last
    "list_sort(list(s))",
    "list(name ORDER BY n DESC, s)",
    "list(n ORDER BY d)[1:2]",
    "list(name ORDER BY s, n) FILTER (WHERE flag)",
    "list(s ORDER BY n) FILTER (WHERE n > 100000000000000000)",  # null of no rows
    "list_slice(list(n ORDER BY n), 1, 2)",
    "quantile_cont(n, 0.5)",  # exact
    "quantile_cont(d, [0.1, 0.9])",
    "quantile_disc(n, 0.25)",
    "quantile_disc(n, 0.5) FILTER (WHERE flag)",
    "min(n, 2)",  # the least two
    "max(n, 2)",
    "min(n, 2)[-1]",
    "sum(n) FILTER (WHERE flag) / count(*)",
    "count(DISTINCT s) FILTER (WHERE n > 0)",
    "bool_or(flag)",
    "max(flag)",
    "bit_count(bit_or(1::BIGINT << CAST(n % 12 AS INTEGER)))",
    "sum(CAST(n AS HUGEINT) * n)",
)
OF_ROWS = (
    "SELECT g, n, row_number() OVER (PARTITION BY g ORDER BY s, n DESC) AS nth FROM t",  # nulls come last
    "SELECT g, n, lag(n) OVER (PARTITION BY g ORDER BY d DESC, name) AS before FROM t",
    "SELECT g, unnest(range(g)) AS k FROM t",  # ends before, and may be empty
    "SELECT g, unnest(range(1, g)) AS k FROM t",
    "SELECT g, unnest(held) AS k FROM t",
    "SELECT unnest(['a', 'b']) AS k",
    "SELECT t.* EXCLUDE (held, ts) FROM t",
    "WITH those AS MATERIALIZED (SELECT g FROM t WHERE n > 1) SELECT g FROM t WHERE g NOT IN (SELECT g FROM those)",
    "SELECT a.n FROM t AS a WHERE NOT EXISTS (SELECT 1 FROM t AS b WHERE b.n > a.n)",
    "SELECT a.g, a.n FROM t AS a WHERE (a.g, a.s) IN (SELECT g, s FROM t WHERE flag)",
)


@pytest.fixture(scope="module")
def both(spark: Any) -> Any:
    """Runs a query over the rows on both engines; the rows of each, sorted."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE t AS {ROWS}")
    session = spark.spark.newSession()
    session.createDataFrame(
        connection.execute("SELECT * REPLACE (ts::TIMESTAMPTZ AS ts) FROM t").to_arrow_table()
    ).createOrReplaceTempView("t")

    def run(sql: str) -> tuple[list[str], list[str]]:
        made = session.sql(to_spark(parse(sql))).toArrow()
        expected = connection.execute(sql).to_arrow_table()
        return shown(expected), shown(made)

    return run


def shown(table: Any) -> list[str]:
    return sorted(repr([_rounded(v) for v in row.values()]) for row in table.to_pylist())


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return round(float(value), 6) if not isinstance(value, int) else value


@pytest.mark.parametrize(("expressions", "rest"), [(EACH, "FROM t"), (GROUPED, "FROM t GROUP BY g")])
def test_of_rows_and_groups(both: Any, expressions: tuple[str, ...], rest: str) -> None:
    wrong = []
    for expression in expressions:
        expected, made = both(f"SELECT {'g, n' if rest == 'FROM t' else 'g'}, {expression} AS x {rest}")
        pairs = zip(map(_as_float, expected), map(_as_float, made), strict=True)
        wrong += [f"{expression}: {one} is {other}" for one, other in pairs if one != other]
    assert "\n".join(wrong) == ""


def _as_float(text: str) -> Any:
    """Whole numbers and decimals compare by value."""
    return [float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in eval(text)]


def test_of_queries(both: Any) -> None:
    for sql in OF_ROWS:
        expected, made = both(sql)
        assert made == expected, sql


def test_refuses_what_would_differ() -> None:
    for sql in ("regexp_replace(x, 'a', 'b')", "log(3, x)", "x[a:b]"):
        with pytest.raises(Untranslatable):
            to_spark(parse(f"SELECT {sql} FROM t"))
    with pytest.raises(Untranslatable):
        parse("SELECT FROM WHERE")


def test_every_translation_is_tried() -> None:
    tried = {type(node) for e in (*EACH, *GROUPED) for node in parse(f"SELECT {e} FROM t").walk()}
    tried |= {type(node) for sql in OF_ROWS for node in parse(sql).walk()}
    assert [rule.__name__ for rule in RULES if rule not in tried] == []
    assert [
        name for name in FUNCTIONS if not any(name in e.lower() for e in (*EACH, *GROUPED, "list_len", "epoch_ms"))
    ] == []
