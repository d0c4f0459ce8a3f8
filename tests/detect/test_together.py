"""Several windows in one query: each gives what it gives alone, and it is known how many rows that goes through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich.detect.evaluate import Derivation, Evaluation, Limits
from aegis_enrich.detect.together import Together, spanning
from aegis_enrich.detect.windows import Window
from aegis_enrich.plugin import HOUR_US, MICROS, Column, DerivedTable, Detector, NoTuning
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES

BASE = 475_000 * HOUR_US
HALF_US = HOUR_US // 2
SCHEMA = TABLES["conn"].schema


class Busiest(Detector):
    """Whom a client called most: a query with all that must not mix windows."""

    name = "busiest"
    reads = ("conn",)
    window_s = 3600
    every_s = 1800
    lookback_s = 600
    entity = ("orig_h",)

    @classmethod
    def sql(cls) -> str:
        return """
            WITH calls AS (
                SELECT orig_h, resp_p, count(*) AS n, min(ts_us) AS first_us, max(end_us) AS last_us
                FROM conn GROUP BY orig_h, resp_p
            ),
            ranked AS (
                SELECT *, row_number() OVER (PARTITION BY orig_h ORDER BY n DESC, resp_p) AS nth,
                    count(*) OVER (PARTITION BY orig_h) AS ports
                FROM calls
            )
            SELECT r.*, (SELECT count(*) FROM conn) AS rows,
                (SELECT count(DISTINCT c.orig_h) FROM conn AS c WHERE c.resp_p = r.resp_p) AS others,
                coalesce(s.n, 0) AS same, $window_end - r.last_us AS left_us
            FROM ranked AS r LEFT JOIN calls AS s ON s.resp_p = r.resp_p AND s.orig_h <> r.orig_h AND s.n = r.n
            WHERE nth = 1 AND NOT EXISTS (SELECT 1 FROM conn AS x WHERE x.resp_p = 9 AND x.orig_h = r.orig_h)"""

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        shown = features.drop(columns=["first_us", "last_us", "orig_h"])
        kept = features[["orig_h", "first_us", "last_us"]]
        return kept.assign(score=0.5, evidence=shown.to_dict("records"), reason="calls", uids=None)


class Calls(DerivedTable):
    """Calls by port."""

    name = "calls"
    reads = ("conn",)
    columns = (Column("resp_p", "port", "port"), Column("n", "count", "rows"), Column("at_us", "count", "start"))

    @classmethod
    def sql(cls) -> str:
        return "SELECT resp_p, count(*) AS n, $hour_start AS at_us FROM conn GROUP BY resp_p"


def rows(*calls: tuple[float, int, int]) -> pa.Table:
    """Minute, client and port of each."""
    made = [
        {"ts": BASE + round(m * 60 * MICROS), "end_ts": BASE + round(m * 60 * MICROS), "orig_h": f"c{c}", "resp_p": p}
        for m, c, p in calls
    ]
    return pa.table({f.name: pa.array([r.get(f.name) for r in made], f.type) for f in SCHEMA}, schema=SCHEMA)


ROWS = rows(
    *[(m, m % 3, (m * m) % 5) for m in range(0, 200, 7)],
    *[(m, 7, 9 if m > 90 else 8) for m in range(0, 200, 13)],
    *[(600, 1, 1), (600, 1, 2)],
)


def view(span: Window, back_us: int = 0) -> View:
    return View("conn", SCHEMA, span.start_us - back_us, span.end_us, rows=len(ROWS), temporary=ROWS)


def evaluation(span: Window) -> Evaluation:
    return Evaluation(Busiest, "s", span, (view(span, 600 * MICROS),), NoTuning(), Limits(threads=1))


def derivation(span: Window) -> Derivation:
    return Derivation(Calls, "s", span.start_us, (view(span),), Limits(threads=1))


def windows(*end_min: int, long_min: int = 60) -> tuple[Window, ...]:
    ends = [BASE + m * 60 * MICROS for m in end_min]
    return tuple(Window(end - long_min * 60 * MICROS, end) for end in ends)


def test_windows_that_overlap_or_lie_apart_give_what_each_gives_alone() -> None:
    several = windows(30, 60, 90, 120, 150, 240, 630, 6000)
    alone = [evaluation(window).run() for window in several]
    assert Together(evaluation(spanning(several)), several).run() == alone
    assert len({len(found) for found in alone}) > 2 and alone[-1] == []


def test_windows_without_a_row_are_not_planned(monkeypatch) -> None:
    monkeypatch.setattr(Busiest, "sql", classmethod(lambda cls: "SELECT nonsense FROM conn"))
    several = windows(30, 60)
    whole = evaluation(spanning(several))
    empty = replace(whole, views=(View("conn", SCHEMA, whole.window.start_us, whole.window.end_us),))
    assert Together(empty, several).run() == [[], []]


def test_hours_give_what_each_gives_alone() -> None:
    several = windows(60, 120, 180, 240, 660)
    alone = [derivation(window).run() for window in several]
    made = Together(derivation(spanning(several)), several).run()
    assert [t.schema for t in made] == [t.schema for t in alone]
    assert [sorted(t.to_pylist(), key=str) for t in made] == [sorted(t.to_pylist(), key=str) for t in alone]
    assert [t.num_rows for t in made][3:] == [3, 2]


@pytest.mark.parametrize(
    ("ends", "times"),
    [
        ((30, 60), 2),
        ((30, 60, 90, 120), 3),  # an hour and ten minutes each half hour
        ((60, 120, 180), 2),
        ((60, 200, 300), 1),
        ((60, 90, 9000), 3),
    ],
)
def test_rows_are_counted_as_often_as_windows_see_them(ends: tuple[int, ...], times: int) -> None:
    several = windows(*ends)
    assert Together(evaluation(spanning(several)), several).rows == times * len(ROWS)


def test_what_a_query_raises_is_raised(monkeypatch) -> None:
    several = windows(30, 60)
    monkeypatch.setattr(Busiest, "sql", classmethod(lambda cls: "SELECT nonsense FROM conn"))
    with pytest.raises(Exception, match="nonsense"):
        Together(evaluation(spanning(several)), several).run()


def test_a_table_of_no_rows_is_there() -> None:
    several = windows(30, 60)
    over = evaluation(spanning(several))
    bare = replace(over, views=(View("conn", SCHEMA, over.views[0].start_us, over.views[0].end_us),))
    assert Together(bare, several).run() == [[], []]
