"""Features on their scales: doublings, floors, and what null stands for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aegis_enrich.plugin import DerivedTable, Feature
from aegis_plugins.models.measures import Usual, count, drawn, plain, raw, schema_of, share, size

MEASURES = (count("peers"), size("bytes", 10.0), share("failed"), plain("level", 2.0))


def frame(**columns):
    return pd.DataFrame({"peers": [3.0], "bytes": [70.0], "failed": [0.5], "level": [-4.0]} | columns)


def test_scales() -> None:
    assert raw(frame(), MEASURES).tolist() == [[2.0, 3.0, 0.5, -4.0]]


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, np.inf, "x"])
def test_nothing_is_zero_of_a_count_and_no_opinion_else(nothing) -> None:
    empty = pd.DataFrame({m.name: pd.Series([nothing], dtype=object) for m in MEASURES})
    assert raw(empty, MEASURES)[0][0] == 0.0
    assert np.isnan(raw(empty, MEASURES)[0][1:]).all()


def test_of_no_rows_there_are_no_rows() -> None:
    assert raw(frame().iloc[:0], MEASURES).shape == (0, 4)


def test_deviations_are_robust_and_have_a_floor() -> None:
    past = pd.DataFrame({"peers": [3.0] * 99 + [1e6], "bytes": [70.0] * 100, "failed": [0.0] * 100, "level": 0.0})
    usual = Usual.of(past, MEASURES)
    assert usual.spread.tolist() == [1.0, 1.0, 0.05, 2.0]
    assert usual.value.tolist() == pytest.approx([3.0, 70.0, 0.0, 0.0])
    found = usual.deviations(frame(peers=[31.0], bytes=[None], failed=[0.2], level=[2.0]), MEASURES)
    assert found[0].tolist() == pytest.approx([3.0, np.nan, 4.0, 1.0], nan_ok=True)


def test_a_spread_above_the_floor_counts() -> None:
    past = pd.DataFrame({"peers": [2.0**n - 1 for n in range(21)], "bytes": 1.0, "failed": 0.0, "level": 0.0})
    assert Usual.of(past, MEASURES).spread[0] == pytest.approx(10 / 1.349)


def test_a_feature_that_was_never_there_is_usual_at_nothing() -> None:
    past = pd.DataFrame({"peers": [None], "bytes": [None], "failed": [None], "level": [None]}, dtype=float)
    assert Usual.of(past, MEASURES).centre.tolist() == [0.0] * 4


class Hour(DerivedTable):
    name = "hour"
    reads = ("conn",)
    columns = (Feature("failed", "double", "failures", "share", family="statistical", formula="f / n", source=""),)


class Otherwise(Hour):
    columns = (Feature("failed", "double", "failures", "share", family="statistical", formula="f / m", source=""),)


def test_the_schema_changes_with_what_features_mean() -> None:
    schemas = {schema_of(m, [t]) for t in (Hour, Otherwise) for m in ((share("failed"),), (share("failed", 0.1),))}
    assert len(schemas) == 4
    assert schema_of((share("failed"),), [Hour]) == schema_of((share("failed"),), [Hour])


def test_values_are_drawn_evenly_on_their_scale() -> None:
    chance = np.random.RandomState(1)
    linear = drawn(share("s"), 0.2, 0.6, 2000, chance)
    doublings = drawn(count("n"), 1, 2**20, 2000, chance)
    assert (linear.min() >= 0.2, linear.max() <= 0.6, abs(np.median(linear) - 0.4) < 0.02) == (True, True, True)
    assert (doublings.min() >= 1, doublings.max() <= 2**20) == (True, True)
    assert 2**9 < np.median(doublings) < 2**12
