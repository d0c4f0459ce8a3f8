"""A query over many windows at once gives what it gives over each: shown on DuckDB, which runs both."""

from __future__ import annotations

import random

import duckdb
import pytest
import sqlglot

from aegis_enrich.hunt.spark.lift import END, START, WINDOW, WINDOWS, Lift, Unliftable

QUERIES = (
    "SELECT a, count(*) AS n, sum(b) AS s FROM t GROUP BY a",
    "SELECT a, count(*) AS n FROM t GROUP BY 1 HAVING count(*) > 1",
    "SELECT count(*) AS n, sum(b) AS s, coalesce(max(b), 7) AS m FROM t",  # a row also where there are none
    "SELECT count(*) AS n FROM t HAVING count(*) > 0",
    "SELECT 1 + count(*) FILTER (WHERE b > 2) / 2 FROM t",
    "SELECT DISTINCT a FROM t",
    "SELECT t.*, u.b AS other FROM t LEFT JOIN u ON t.a = u.a",
    "SELECT coalesce(x.a, y.a) AS a, x.b FROM t AS x FULL JOIN u AS y ON x.a = y.a LEFT JOIN t AS z ON z.a = y.b",
    "SELECT x.a, y.b FROM t AS x RIGHT JOIN u AS y ON x.a = y.a",
    "SELECT x.a FROM t AS x JOIN u AS y USING (a)",
    "SELECT x.a, y.b FROM t AS x, u AS y WHERE x.b < y.b",
    "SELECT a, e.n FROM t CROSS JOIN (SELECT count(*) AS n FROM u) AS e",
    "SELECT a, (SELECT count(*) FROM u) AS n, (SELECT max(b) FROM u WHERE u.a = t.a) AS m FROM t",
    "SELECT a, (SELECT count(*) FROM t) AS n FROM t",  # the same table inside
    "SELECT a FROM t WHERE a IN (SELECT a FROM u)",
    "SELECT a FROM t WHERE a NOT IN (SELECT a FROM u WHERE a IS NOT NULL)",
    "SELECT a FROM t WHERE (a, b) IN (SELECT a, b FROM u)",
    "SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
    "SELECT a, row_number() OVER (PARTITION BY a ORDER BY b, c) AS nth FROM t",
    "SELECT a, sum(b) OVER s AS x, count(*) OVER () AS n FROM t WINDOW s AS (ORDER BY b, c)",
    "SELECT a FROM t UNION ALL SELECT b FROM u",
    "SELECT a FROM t UNION SELECT a FROM u",
    "SELECT a FROM t EXCEPT SELECT a FROM u",
    f"SELECT a, {START}() AS since, c - {END}() AS back FROM t WHERE c >= {START}() + 5",
    f"SELECT {END}() - max(c) AS left_over, coalesce(min(c), {START}()) AS least FROM t",
    "SELECT a, unnest([1, 2]) AS k FROM t",
    "SELECT t.a, k.x FROM t, (SELECT unnest([1, 2]) AS x) AS k WHERE t.a = k.x",
    """WITH those AS (SELECT a, count(*) AS n FROM t GROUP BY a), total AS (SELECT sum(n) AS n FROM those),
    t2 AS (SELECT s.a, s.n, o.n AS of FROM those AS s CROSS JOIN total AS o)
    SELECT *, n = of AS alone FROM t2 WHERE a IN (SELECT a FROM u)""",
    "SELECT x.a FROM (SELECT a FROM t UNION ALL SELECT a FROM u) AS x GROUP BY x.a",
    "SELECT a, max(b) FILTER (WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)) AS m FROM t GROUP BY a",
)


@pytest.mark.parametrize("sql", QUERIES)
@pytest.mark.parametrize("seed", range(3))
def test_gives_what_each_window_gives(sql: str, seed: int) -> None:
    pick = random.Random(seed)
    windows = [(n, n * 10, n * 10 + 20) for n in range(4)]  # overlapping ones; the last holds nothing
    rows = {
        name: [(pick.choice([1, 2, 3, None]), pick.randrange(5), pick.randrange(30)) for _ in range(12)]
        for name in "tu"
    }
    connection = duckdb.connect(":memory:")
    connection.execute(f"CREATE TABLE {WINDOWS} ({WINDOW} BIGINT)")
    connection.executemany(f"INSERT INTO {WINDOWS} VALUES (?)", [[n] for n, _, _ in windows])
    expected = []
    for name, held in rows.items():
        connection.execute(f"CREATE TABLE all_{name} ({WINDOW} BIGINT, a BIGINT, b BIGINT, c BIGINT)")
        seen = [(n, *row) for n, start, end in windows for row in held if start <= row[2] < end]
        connection.executemany(f"INSERT INTO all_{name} VALUES (?, ?, ?, ?)", seen)
    for number, start, end in windows:
        for name in rows:
            connection.execute(
                f"CREATE OR REPLACE VIEW {name} AS SELECT a, b, c FROM all_{name} WHERE {WINDOW} = {number}"
            )
        one = sql.replace(f"{START}()", str(start)).replace(f"{END}()", str(end))
        expected += [(number, *row) for row in connection.execute(one).fetchall()]
    for name in rows:
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM all_{name}")
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    bounds = {START: lambda w: sqlglot.exp.Paren(this=w * 10), END: lambda w: sqlglot.exp.Paren(this=w * 10 + 20)}
    assert Lift(["t", "u"], bounds).query(tree)
    made = connection.execute(tree.sql(dialect="duckdb")).fetchall()
    assert sorted(map(repr, made)) == sorted(map(repr, expected))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT a FROM t ORDER BY a LIMIT 3", "LIMIT"),
        ("SELECT DISTINCT ON (a) a, b FROM t", "DISTINCT"),
        ("SELECT a FROM t UNION ALL SELECT 1", "constants"),
        (f"SELECT {START}() AS x", "bounds"),
        ("SELECT k.x FROM (SELECT 1 AS x) AS k LEFT JOIN t ON t.a = k.x", "LEFT JOIN"),
        ("SELECT a FROM t WHERE a IN (SELECT a FROM u UNION SELECT b FROM u)", "UNION"),
    ],
)
def test_refuses_what_it_cannot_do(sql: str, why: str) -> None:
    with pytest.raises(Unliftable, match=why):
        Lift(["t", "u"], {}).query(sqlglot.parse_one(sql, dialect="duckdb"))


def test_what_reads_no_table_is_left_alone() -> None:
    tree = sqlglot.parse_one("SELECT unnest([1, 2]) AS k", dialect="duckdb")
    assert not Lift(["t"], {}).query(tree)
    assert WINDOW not in tree.sql()
