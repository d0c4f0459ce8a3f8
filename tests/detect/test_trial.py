"""Each check of a trial finds the detector that it is there for."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich.detect.replay import Replay
from aegis_enrich.detect.trial import CHECKS, Trial, shifted
from aegis_enrich.evidence import typed
from aegis_enrich.plugin import HOUR_US, MICROS, Column, DerivedTable, Detector
from aegis_enrich.tables import TABLES

BASE = 475_000 * HOUR_US
GROUPED = """
    SELECT orig_h, count(*) AS n, min(ts_us) AS first_us, max(end_us) AS last_us, min(uid) AS uid,
        min(resp_p) AS resp_p
    FROM conn GROUP BY orig_h HAVING count(*) >= 40 AND max(end_us) >= $window_end - 1800000000"""
calls = itertools.count()


def conn() -> pa.Table:
    """Two clients of one server, 50 calls each, over five minutes."""
    rows = [
        {"ts": BASE + n * 6 * MICROS, "end_ts": BASE + n * 6 * MICROS, "uid": f"C{n:03}{client}", "sensor": "sensor"}
        | {"source": "zeek", "orig_h": f"10.0.0.{client}", "resp_h": "198.51.100.7", "resp_p": 440 + client}
        for n in range(50)
        for client in (1, 2)
    ]
    schema = TABLES["conn"].schema
    return pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}, schema=schema)


class Calls(Detector):
    """Clients that call often."""

    name = "calls"
    reads = ("conn",)
    window_s = 3600
    every_s = 1800
    shard_key = "orig_h"
    entity = ("orig_h",)
    query: ClassVar[str] = GROUPED
    evidence = typed(double="calls")

    @classmethod
    def sql(cls) -> str:
        return cls.query

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        return pd.DataFrame([self.finding(row) for row in features.to_dict("records")])

    def finding(self, row: Any) -> dict[str, Any]:
        return {
            "orig_h": row["orig_h"],
            "resp_p": int(row["resp_p"]) if row["resp_p"] == 441 else None,
            "score": row["n"] / (row["n"] + 50),
            "first_us": row["first_us"],
            "last_us": row["last_us"],
            "evidence": {"calls": row["n"]},
            "reason": f"{row['orig_h']} called {row['n']} times",
            "uids": [row["uid"]],
        }


class Sloppy(Calls):
    """Gives what no document can hold."""

    def finding(self, row: Any) -> dict[str, Any]:
        wrong = {"score": 1.5, "evidence": {}, "reason": "called often", "uids": [], "colour": "red"}
        return super().finding(row) | wrong | {"first_us": row["last_us"] + 1}


class Untellable(Calls):
    """Gives evidence that is no JSON."""

    def finding(self, row: Any) -> dict[str, Any]:
        return super().finding(row) | {"evidence": {"calls": {1, 2}}}


class Undeclared(Calls):
    """Gives evidence of which nobody knows what it is."""

    def finding(self, row: Any) -> dict[str, Any]:
        return super().finding(row) | {"evidence": {"calls": "many", "callers": 1}}


class Unordered(Calls):
    """Names whichever row comes first."""

    query = GROUPED.replace("min(uid)", "any_value(uid)")


class Unsharded(Calls):
    """Compares groups that a shard tears apart."""

    query = f"SELECT * REPLACE (n / sum(n) OVER () AS n) FROM ({GROUPED})"


class Comparing(Calls):
    """Scores a row by the others."""

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        return super().score(features.assign(n=features["n"] / len(features)), tuning)


class Forgetful(Calls):
    """Keeps a count from one run to the next."""

    def finding(self, row: Any) -> dict[str, Any]:
        return super().finding(row) | {"evidence": {"calls": next(calls)}}


class Nocturnal(Calls):
    """Tells hours of the day apart."""

    query = GROUPED.replace("count(*) AS n", "count(*) + epoch_us(min(ts)) // 3600000000 % 24 AS n")


class Split(Calls):
    """Counts in a window of which nothing overlaps."""

    every_s = 3600


class Seeing(Calls):
    """Is told what comes later: by the file behind the view."""

    query = GROUPED


class Brittle(Calls):
    """Cannot do without a port."""

    def finding(self, row: Any) -> dict[str, Any]:
        return super().finding(row) | {"resp_p": int(row["resp_p"])}


class Inventive(Calls):
    """Finds something in nothing."""

    query = """SELECT '10.0.0.1' AS orig_h, count(*) AS n, coalesce(max(end_us), 0) AS first_us,
        coalesce(max(end_us), 0) AS last_us, 'C1' AS uid, 441 AS resp_p FROM conn"""


class Needless(Calls):
    """Says that it needs a table which it only looks at."""

    reads = ("conn", "dns")
    needs = ("dns",)


class CallsHour(DerivedTable):
    """Calls by client."""

    name = "calls_hour"
    reads = ("conn",)
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("n", "count", "calls"),
        Column("starts_ms", "counts", "times of the calls", "ms since the epoch"),
        Column("last_us", "count", "the last call", "µs since the epoch"),
    )
    query: ClassVar[str] = """SELECT orig_h, count(*) AS n, list_sort(list(ts_us // 1000)) AS starts_ms,
        max(end_us) AS last_us FROM conn GROUP BY orig_h"""

    @classmethod
    def sql(cls) -> str:
        return cls.query


class UnorderedHour(CallsHour):
    """Lists as they come."""

    query = CallsHour.query.replace("list_sort", "")


class UnitlessHour(CallsHour):
    """Does not say that its times are times."""

    columns = (*CallsHour.columns[:3], Column("last_us", "count", "the last call"))


@pytest.fixture
def trial(tmp_path: Path, schema: Callable[[str], pa.Schema]) -> Callable[..., Trial]:
    return lambda plugin, rows=None: Trial(plugin, {"conn": conn() if rows is None else rows}, Replay(schema), tmp_path)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("plugin", [Calls, CallsHour])
def test_a_good_one_passes(check, plugin, trial) -> None:
    assert CHECKS[check](trial(plugin)) == []


@pytest.mark.parametrize(
    ("check", "plugin", "problem"),
    [
        ("well_formed", Sloppy, "score gives colour, which no document shows"),
        ("well_formed", Sloppy, "score 1.5 is not in 0.0 to 1.0"),
        ("well_formed", Sloppy, "is no sentence with the numbers in it"),
        ("well_formed", Sloppy, "no evidence"),
        ("well_formed", Sloppy, "are not in this order"),
        ("well_formed", Sloppy, "0 uids"),
        ("well_formed", Undeclared, "evidence 'calls' is 'many', which is no double"),
        ("well_formed", Undeclared, "evidence 'callers' is not declared"),
        ("well_formed", Untellable, "cannot be written as JSON"),
        ("well_formed", Split, "no row in the last"),
        ("same_however_cut", Unordered, "cut 1: missing"),
        ("same_however_cut", UnorderedHour, "cut 1: missing"),
        ("same_in_shards", Unsharded, "shards: missing"),
        ("same_in_shards", Comparing, "single rows: missing"),
        ("same_with_threads", Forgetful, "run 2: missing"),
        ("same_when_later", Nocturnal, "later: missing"),
        ("same_when_later", UnitlessHour, "later: missing"),
        ("found_over_an_edge", Split, "1800 s later not found"),
        ("bears_missing_rows", Brittle, "conn.resp_p null: ValueError"),
        ("bears_missing_rows", Inventive, "of no rows comes"),
        ("nothing_without_needs", Needless, "without dns comes"),
    ],
)
def test_what_is_wrong_is_told(check, plugin, problem, trial) -> None:
    rows = conn()
    if plugin is Split:  # 50 calls of which an hour's edge leaves 25 on either side, half an hour later
        rows = shifted(rows, 1650 * MICROS)
        if check == "well_formed":
            plugin = type("Late", (Calls,), {"every_s": 60, "window_s": 7200})
    assert any(problem in line for line in CHECKS[check](trial(plugin, rows)))


def test_rows_without_a_hit_are_no_trial(trial) -> None:
    assert CHECKS["gives_something"](trial(Calls, conn().slice(0, 10))) != []


def test_a_result_that_depends_on_later_rows_is_told(trial, monkeypatch) -> None:
    from aegis_enrich.detect import replay

    assert CHECKS["blind_to_later_rows"](trial(Calls)) == []
    whole = replay.Held.view
    monkeypatch.setattr(
        replay.Held,
        "view",
        lambda self, name, schema, start, end, **k: whole(self, name, schema, start, end + HOUR_US, **k),
    )
    assert any("missing" in line for line in CHECKS["blind_to_later_rows"](trial(Calls)))
    assert any("missing" in line for line in CHECKS["blind_to_later_rows"](trial(CallsHour)))
