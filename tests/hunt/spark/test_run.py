"""A hunt on Spark where something fails: what an executor kept is lost, a score raises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.hunt import hunting
from aegis_enrich.hunt.hunt import Hunt, OnDuckDB
from aegis_enrich.pipeline.engine import Parts

LAB = Path(__file__).parents[2] / "data" / "lab"
ONLY = ("dns_tunnel",)


@pytest.fixture
def hunt(parts: Parts, analyzed: Callable[..., Path]) -> Iterator[Hunt]:
    state = analyzed({"north": [LAB / "dns_tunnel" / "tsv"]})
    with hunting(parts, [state], only=ONLY) as made:
        with made.past.transaction() as tx:
            tx.execute("DELETE FROM segments WHERE derived = 1")
        made.past.renew = lambda: None  # type: ignore[method-assign]
        yield made


@pytest.fixture
def expected(parts: Parts, hunt: Hunt) -> list[str]:
    """The ids of the alerts that DuckDB gives."""
    with hunting(parts, hunt.past.lakes, only=ONLY) as other:
        ids = [d["event"]["id"] for d in other.run(OnDuckDB())]
    assert ids
    return ids


def test_what_a_lost_executor_kept_is_made_again(spark: Any, hunt: Hunt, expected: list[str], caplog: Any) -> None:
    from aegis_enrich.hunt.spark.run import OnSpark

    made, asked = [], []

    class Loses(OnSpark):
        def derive(self, hunt: Hunt, table: Any) -> Any:
            made.append(table.name)
            return super().derive(hunt, table)

        @contextmanager
        def features(self, *arguments: Any) -> Iterator[Any]:
            asked.append(arguments)
            with super().features(*arguments) as (numbers, schema, rows):
                if len(asked) == 1:  # what is kept is computed, and gone, as if it had been on one executor
                    rows.count()
                    for kept in dict(self.spark.sparkContext._jsc.getPersistentRDDs()).values():
                        kept.rdd().unpersist(True)
                yield numbers, schema, rows

    assert [d["event"]["id"] for d in hunt.run(Loses(spark.spark))] == expected
    assert len(asked) == 2
    assert made.count("name_hour") == 2
    assert "an executor was lost" in caplog.text


def test_a_score_that_fails_is_told(spark: Any, hunt: Hunt, monkeypatch: pytest.MonkeyPatch) -> None:
    from aegis_enrich.hunt.spark import run

    def failing(*_: Any) -> Callable[..., Any]:
        def score(batches: Any) -> Any:
            raise ValueError("not of these")

        return score

    monkeypatch.setattr(run, "scorer", failing)
    with pytest.raises(StateError, match=r"\d+ of dns_tunnel \(ValueError: not of these\)"):
        hunt.run(run.OnSpark(spark.spark))


def test_what_is_told_of_an_error() -> None:
    from aegis_enrich.hunt.spark.run import reason

    java = "An error occurred while calling o1.collect.\n: org.apache.spark.SparkException: No space.\n\tat a.b(c)\n"
    assert reason(Exception(java)) == "org.apache.spark.SparkException: No space."
    assert reason(ValueError()) == "ValueError()"


def test_spark_that_is_gone_is_told(spark: Any) -> None:
    code = """
import os, signal
from aegis_enrich.hunt.spark import on_spark
with on_spark("local[1]") as on:
    os.kill(on.spark.sparkContext._gateway.proc.pid, signal.SIGKILL)
    on.spark.sql("SELECT 1").collect()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Ended: Spark has ended: " in ran.stderr.splitlines()[-1]
