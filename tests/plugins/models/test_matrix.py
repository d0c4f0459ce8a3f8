"""zat's DataFrameToMatrix: what it does with null, single values and values it has not seen, and that ours does not."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from zat.dataframe_to_matrix import DataFrameToMatrix

from aegis_plugins.models.matrix import Scaler
from aegis_plugins.models.measures import CLIP, share

SCALER = Scaler((share("a"), share("b")))


@pytest.fixture
def zat():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = DataFrameToMatrix()
        made.fit_transform(pd.DataFrame({"a": [0.0, 4.0, 8.0], "b": [5.0, 5.0, 5.0]}))
        yield made


def test_what_zat_does_with_null(zat) -> None:
    (row,) = zat.transform(pd.DataFrame({"a": [np.nan], "b": [5.0]}))
    assert row[0] == -999 or np.isnan(row[0])  # the latter where pandas copies on write


def test_what_zat_does_beyond_what_it_saw(zat) -> None:
    (row,) = zat.transform(pd.DataFrame({"a": [800.0], "b": [1e9]}))
    assert row.tolist() == [100.0, 1e9]  # a column of one value is not scaled


def test_null_is_usual() -> None:
    assert SCALER(np.array([[np.nan, 0.0]])).tolist() == [[0.5, 0.5]]


def test_what_is_beyond_is_cut() -> None:
    given = np.array([[1e300, -1e300], [np.inf, -np.inf], [CLIP, -CLIP]])
    assert SCALER(given).tolist() == [[1.0, 0.0]] * 3


def test_a_row_is_the_same_alone_and_among_others() -> None:
    given = np.random.RandomState(0).normal(size=(50, 2))
    alone = np.concatenate([SCALER(row[None, :]) for row in given])
    assert (alone == SCALER(given)).all()


def test_of_no_rows_there_are_no_rows() -> None:
    assert SCALER(np.empty((0, 2))).shape == (0, 2)


def test_it_says_nothing(capsys) -> None:
    Scaler((share("a"),))(np.array([[1.0]]))
    assert capsys.readouterr() == ("", "")
