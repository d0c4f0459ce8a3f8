"""What becomes of several evaluations in one query, and of each where that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from aegis_enrich.detect.evaluate import Evaluation, Limits
from aegis_enrich.detect.jobs import Job, Jobs
from aegis_enrich.detect.together import Together, spanning
from aegis_enrich.detect.windows import Window
from aegis_enrich.plugin import HOUR_US, Detector, NoTuning
from aegis_enrich.store.views import View
from aegis_enrich.tables import TABLES

SEVERAL = tuple(Window(n * HOUR_US // 2, n * HOUR_US // 2 + HOUR_US) for n in range(3))


class Silent(Detector):
    """Finds nothing."""

    name = "silent"
    reads = ("conn",)
    window_s = 3600
    every_s = 1800
    entity = ("orig_h",)

    @classmethod
    def sql(cls) -> str:
        return "SELECT orig_h FROM conn WHERE false"

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        raise AssertionError("there are no rows")


def evaluation(span: Window) -> Evaluation:
    view = View("conn", TABLES["conn"].schema, span.start_us, span.end_us, rows=5)
    return Evaluation(Silent, "s", span, (view,), NoTuning())


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def jobs(told: list[Any]) -> Jobs:
    def each() -> Iterator[Job]:
        for window in SEVERAL:
            yield Job(evaluation(window), commit("alone"), told.append, lambda shards: next(each()))

    def commit(how: str) -> Callable[[Any], None]:
        return lambda results: told.append((how, results))

    return Jobs(Together(evaluation(spanning(SEVERAL)), SEVERAL), commit("together"), each)


def test_they_are_committed_together(jobs: Jobs, told: list[Any]) -> None:
    jobs.run_here()
    assert told == [("together", [[], [], []])]


def test_where_they_fail_together_each_is_run_alone(jobs: Jobs, told: list[Any], monkeypatch) -> None:
    monkeypatch.setattr(Together, "run", lambda self: 1 / 0)
    jobs.again().run_here()
    assert told == [("alone", [])] * 3


def test_a_part_has_a_part_of_the_memory(jobs: Jobs) -> None:
    assert jobs.part(2).limits == Limits("256MB", 1)
    assert jobs.part(2).windows == SEVERAL and jobs.rows == 5
