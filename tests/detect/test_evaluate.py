"""A query over views, a score, findings: what goes in, what comes out, and in which form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich.detect.evaluate import (
    CHUNK_ROWS,
    SHARD_ROWS,
    Derivation,
    Evaluation,
    Limits,
    derived_schema,
    findings,
    plain,
    session,
    shards_for,
    stamped,
)
from aegis_enrich.detect.windows import Window
from aegis_enrich.plugin import HOUR_US, MICROS, Column, DerivedTable, Detector, tunable
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES

BASE = 475_000 * HOUR_US
WINDOW = Window(BASE, BASE + HOUR_US)
SCHEMA = TABLES["conn"].schema


@dataclass(frozen=True)
class Tuning:
    least: int = tunable(2, "rows", least=1)
    unused: bool = tunable(False, "what no query names")


class Often(Detector):
    """Clients with rows enough."""

    name = "often"
    reads = ("conn",)
    window_s = 3600
    every_s = 1800
    shard_key = "orig_h"
    entity = ("orig_h",)
    tuning = Tuning

    @classmethod
    def sql(cls) -> str:
        return """
            SELECT orig_h, count(*) AS n, min(ts_us) AS first_us, max(end_us) AS last_us, min(resp_p) AS resp_p
            FROM conn WHERE end_us >= $window_start AND end_us < $window_end
            GROUP BY orig_h HAVING count(*) >= $least"""

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "orig_h": features["orig_h"],
                "resp_p": [p if p > 1 else None for p in features["resp_p"]],
                "score": 1 / 3,
                "first_us": features["first_us"],
                "last_us": features["last_us"],
                "evidence": [{"rows": n, "share": n / 7, "chunk": len(features)} for n in features["n"]],
                "reason": "often",
                "uids": [["C1", None, "C2"] for _ in features["n"]],
            }
        )


def view(*clients: int, **columns: Any) -> View:
    """A row a minute, of these clients."""
    rows = [
        {
            "ts": BASE + n * 60 * MICROS,
            "end_ts": BASE + n * 60 * MICROS,
            "orig_h": f"10.0.0.{c}",
            "resp_p": c,
            **columns,
        }
        for n, c in enumerate(clients)
    ]
    held = pa.table({f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in SCHEMA}, schema=SCHEMA)
    return View("conn", SCHEMA, WINDOW.start_us, WINDOW.end_us, rows=len(rows), temporary=held)


def often(held: View, *, shards: int = 1, chunk_rows: int = CHUNK_ROWS, **tuning: Any):
    return Evaluation(Often, "s", WINDOW, (held,), Tuning(**tuning), Limits(threads=1), shards, chunk_rows).run()


def test_a_finding_is_whole() -> None:
    (found,) = often(view(2, 2, 3))
    assert (found.detector, found.sensor) == ("often", "s")
    assert (found.window_start_us, found.window_end_us) == (WINDOW.start_us, WINDOW.end_us)
    assert (found.entity, found.context) == ({"orig_h": "10.0.0.2"}, {"resp_p": 2})
    assert found.score == 0.333333
    assert (found.first_us, found.last_us, found.period_us) == (BASE, BASE + 60 * MICROS, BASE + 60 * MICROS)
    assert found.evidence == {"rows": 2, "share": 0.285714, "chunk": 1}
    assert found.uids == ("C1", "C2")


def test_tuning_reaches_the_query() -> None:
    assert len(often(view(1, 1, 2, 2, 2))) == 2
    assert [f.entity["orig_h"] for f in often(view(1, 1, 2, 2, 2), least=3)] == ["10.0.0.2"]


def test_findings_come_in_the_order_of_their_entities_in_shards_too() -> None:
    clients = [c for c in range(30, 0, -1) for _ in range(2)]
    whole = often(view(*clients), chunk_rows=1)
    assert len(whole) == 30
    assert [f.entity["orig_h"] for f in whole] == sorted(f.entity["orig_h"] for f in whole)
    for shards in (2, 3, 7):
        assert often(view(*clients), shards=shards, chunk_rows=1) == whole


def test_score_gets_chunks_and_a_port_stays_whole_beside_a_null() -> None:
    clients = [1, 1, 2, 2, 3, 3]
    found = often(view(*clients), chunk_rows=2)
    assert sorted(f.evidence["chunk"] for f in found) == [1, 2, 2]
    ports = [f.context.get("resp_p") for f in often(view(*clients))]
    assert json.dumps(ports) == "[null, 2, 3]"


def test_no_rows_no_findings() -> None:
    assert often(View("conn", SCHEMA, WINDOW.start_us, WINDOW.end_us)) == []


def test_without_a_row_of_what_it_needs_no_query_is_run(monkeypatch) -> None:
    monkeypatch.setattr(Often, "sql", classmethod(lambda cls: "SELECT nonsense FROM conn"))
    queries = View("dns", TABLES["dns"].schema, WINDOW.start_us, WINDOW.end_us)
    for needs, views in (((), (queries,)), (("dns",), (view(1), queries))):
        monkeypatch.setattr(Often, "needs", needs)
        assert Evaluation(Often, "s", WINDOW, views, Tuning(), Limits(threads=1)).run() == []
    monkeypatch.setattr(Often, "needs", ("dns", "conn"))
    with pytest.raises(Exception, match="nonsense"):
        Evaluation(Often, "s", WINDOW, (view(1), queries), Tuning(), Limits(threads=1)).run()
    nothing = Derivation(Pairs, "s", BASE, (View("conn", SCHEMA, WINDOW.start_us, WINDOW.end_us),)).run()
    assert (nothing.num_rows, nothing.column_names) == (0, [c.name for c in Pairs.columns])


def test_the_view_cuts_the_window() -> None:
    held = view(*[2] * 80)  # 80 minutes
    assert [f.evidence["rows"] for f in often(held)] == [60]


class Pairs(DerivedTable):
    name = "pairs"
    reads = ("conn",)
    shard_key = "orig_h"
    columns = (Column("orig_h", "addr", "client"), Column("n", "count", "rows"), Column("ports", "counts", "ports"))

    @classmethod
    def sql(cls) -> str:
        return """SELECT orig_h, CAST(count(*) AS INTEGER) AS n, list_sort(list(DISTINCT resp_p)) AS ports
            FROM conn WHERE ts_us >= $hour_start AND ts_us < $hour_end GROUP BY orig_h"""


def test_a_derived_table_has_its_declared_types_in_shards_too() -> None:
    whole = Derivation(Pairs, "s", BASE, (view(1, 1, 2),)).run()
    assert whole.schema.types == [pa.string(), pa.int64(), pa.list_(pa.int64())]
    assert sorted(whole.to_pylist(), key=str) == [
        {"orig_h": "10.0.0.1", "n": 2, "ports": [1]},
        {"orig_h": "10.0.0.2", "n": 1, "ports": [2]},
    ]
    sharded = Derivation(Pairs, "s", BASE, (view(1, 1, 2),), shards=5).run()
    assert sorted(sharded.to_pylist(), key=str) == sorted(whole.to_pylist(), key=str)


def test_a_derived_table_in_the_lake() -> None:
    rows = stamped(Derivation(Pairs, "s", BASE, (view(1),)).run(), "s", BASE)
    assert rows.schema == derived_schema(Pairs)
    assert rows.to_pylist() == [{"orig_h": "10.0.0.1", "n": 1, "ports": [1], "sensor": "s", "hour_us": BASE}]


def test_a_result_of_other_columns_is_an_error(monkeypatch) -> None:
    monkeypatch.setattr(Pairs, "sql", classmethod(lambda cls: "SELECT orig_h, resp_p AS n FROM conn"))
    with pytest.raises(ValueError, match="names are not matching"):
        Derivation(Pairs, "s", BASE, (view(1),)).run()


def test_a_failing_query_raises_what_duckdb_says(monkeypatch) -> None:
    monkeypatch.setattr(Often, "sql", classmethod(lambda cls: "SELECT nothing FROM conn"))
    with pytest.raises(Exception, match="nothing"):
        often(view(1))


@pytest.mark.parametrize(
    ("rows", "key", "shards"),
    [(0, "orig_h", 1), (SHARD_ROWS, "orig_h", 1), (SHARD_ROWS + 1, "orig_h", 2), (10 * SHARD_ROWS, "", 1)],
)
def test_shards_follow_the_rows(rows: int, key: str, shards: int) -> None:
    assert shards_for(rows, key) == shards


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float64("nan"), "null"),
        (pd.NA, "null"),
        (pd.NaT, "null"),
        (None, "null"),
        (np.int64(5), "5"),
        (np.bool_(True), "true"),
        (1 / 3, "0.333333"),
        (np.float32(0.5), "0.5"),
        (np.array([1, 2]), "[1, 2]"),
        (np.array([0.1234567, np.nan]), "[0.123457, null]"),
        ({"a": (np.int64(1), {2: [None]})}, '{"a": [1, {"2": [null]}]}'),
    ],
)
def test_values_are_json_s(value: Any, text: str) -> None:
    assert json.dumps(plain(value)) == text


def scored(**columns: Any) -> pd.DataFrame:
    row = {"orig_h": "10.0.0.1", "score": 0.5, "first_us": 1, "last_us": 2, "evidence": {}, "reason": "r", "uids": []}
    return pd.DataFrame([row | columns])


def test_a_period_of_its_own() -> None:
    assert next(findings(Often, "s", WINDOW, scored())).period_us == 2
    assert next(findings(Often, "s", WINDOW, scored(period_us=7))).period_us == 7
    assert next(findings(Often, "s", WINDOW, scored(period_us=None))).period_us == 2


def test_only_what_documents_know_becomes_context() -> None:
    (found,) = findings(Often, "s", WINDOW, scored(name="a.test", resp_p=np.nan, colour="red"))
    assert found.context == {"name": "a.test"}


def test_uids_are_the_first_twenty() -> None:
    (found,) = findings(Often, "s", WINDOW, scored(uids=[f"C{n}" for n in range(30)]))
    assert found.uids == tuple(f"C{n}" for n in range(20))
    json.dumps(asdict(found), allow_nan=False)


def test_the_engine_is_limited_and_in_utc(tmp_path: Path) -> None:
    with session(Limits("64MB", 1, tmp_path / "it's")) as connection:
        settings = dict(
            connection.execute(
                "SELECT name, value FROM duckdb_settings() WHERE name IN ('TimeZone', 'memory_limit', 'threads',"
                " 'temp_directory')"
            ).fetchall()
        )
    assert settings["TimeZone"] == "UTC" and settings["threads"] == "1"
    assert settings["memory_limit"] == "61.0 MiB"
    assert settings["temp_directory"] == str(tmp_path / "it's")
