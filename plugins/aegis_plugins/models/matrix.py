"""Deviations to the matrix that estimators take, by zat's DataFrameToMatrix, kept out of its traps."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from .measures import CLIP, Measure, Numbers

Matrix = npt.NDArray[np.float32]


class Scaler:
    """zat's scaling to 0–1 by the least and the greatest value that it has seen, over deviations.

    Four things of zat 0.4.9 are met here:
    - null becomes -999 after scaling (and, where pandas copies on write, stays NaN), so nothing is null before: what
      says nothing has the usual value;
    - a column of one value is not scaled, neither then nor later, so what is fitted are two rows with the ends of the
      range: every column has the range -CLIP to CLIP, whatever the most extreme host of the past did;
    - values beyond what was seen go beyond 0–1 without end, so they are cut at CLIP before;
    - it prints, and it warns of its own use of pandas.
    Texts would become a column per value that was seen; there are none.
    """

    def __init__(self, measures: Sequence[Measure]) -> None:
        from zat.dataframe_to_matrix import DataFrameToMatrix

        self.names = [m.name for m in measures]
        self._zat = DataFrameToMatrix()
        ends = np.array([[-CLIP], [CLIP]]).repeat(len(self.names), axis=1)
        with _quiet():
            self._zat.fit_transform(pd.DataFrame(ends, columns=self.names))

    def __call__(self, deviations: Numbers) -> Matrix:
        """A row each, between 0 and 1; 0.5 is usual."""
        filled = np.clip(np.nan_to_num(deviations, nan=0.0), -CLIP, CLIP)
        with _quiet():
            matrix: Matrix = self._zat.transform(pd.DataFrame(filled, columns=self.names))
        return matrix


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
