"""Three ways to say how odd an hour is against the hours of a model, and how often hours of the past were as odd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aegis_plugins.models.matrix import Matrix, Scaler
from aegis_plugins.models.measures import Numbers, Usual

from .measures import MEASURES

METHODS = ("isolation_forest", "one_class_svm", "local_outlier_factor")
OUTLIERS = 0.05  # of the past
FOLDS = 5
SEED = 0
_DIGITS = 6  # to which oddness is compared: further ones depend on how many rows are judged at once


@dataclass(frozen=True)
class Judgement:
    """Of each row and method: the share of the past's hours that are less odd, and whether that makes it an outlier.

    The methods' own thresholds are set on the rows that they are fitted to, where they are too kind: of more hours of
    the same kind the SVM's calls up to 0.3 outliers. So a vote goes by the rank, at the same share.
    """

    votes: npt.NDArray[np.bool_]
    ranks: Numbers
    deviations: Numbers  # robust z of each measure, not cut; NaN where it says nothing


@dataclass(frozen=True)
class Ensemble:
    """Isolation Forest, One-Class SVM and Local Outlier Factor over the same rows.

    Sources: Liu, Ting, Zhou 2008, Isolation Forest; Schölkopf et al. 2001, Estimating the support of a high-dimensional
    distribution; Breunig et al. 2000, LOF: identifying density-based local outliers. Ranks are cross-conformal (Vovk
    2015, Cross-conformal predictors): an hour of the past is judged by methods that have not seen its part of the past.
    """

    usual: Usual
    scaler: Scaler
    methods: Mapping[str, Any]
    past: Mapping[str, Numbers]  # oddness of the past's hours, ascending

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Ensemble:
        """Fits to rows in the order of time; the same rows give the same numbers in every process."""
        usual, scaler = Usual.of(rows, MEASURES), Scaler(MEASURES)
        matrix = scaler(usual.deviations(rows, MEASURES))
        held_out: dict[str, list[Numbers]] = {name: [] for name in METHODS}
        for part in np.array_split(np.arange(len(matrix)), FOLDS):
            fitted = _fit(np.delete(matrix, part, axis=0))
            for name in METHODS:
                held_out[name].append(_oddness(fitted[name], matrix[part]))
        past = {name: np.sort(np.concatenate(parts)) for name, parts in held_out.items()}
        return cls(usual, scaler, _fit(matrix), past)

    def judge(self, rows: pd.DataFrame) -> Judgement:
        """Each row by itself; a rank is 1 - p, p = (1 + hours of the past that are as odd) / (1 + hours)."""
        deviations = self.usual.deviations(rows, MEASURES)
        matrix = self.scaler(deviations)
        ranks = []
        for name in METHODS:
            method, past = self.methods[name], self.past[name]
            oddness = _oddness(method, matrix)
            as_odd = len(past) - np.searchsorted(past, oddness, side="left")
            ranks.append(1.0 - (1.0 + as_odd) / (1.0 + len(past)))
        ranked = np.column_stack(ranks)
        return Judgement(ranked >= 1.0 - OUTLIERS, ranked, deviations)


def _fit(matrix: Matrix) -> dict[str, Any]:
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.svm import OneClassSVM

    distinct = np.unique(matrix, axis=0)  # equal rows have an infinite density
    neighbours = min(20, len(distinct) - 1)
    return {
        "isolation_forest": IsolationForest(contamination=OUTLIERS, random_state=SEED).fit(matrix),
        "one_class_svm": OneClassSVM(nu=OUTLIERS, gamma="scale").fit(matrix),
        "local_outlier_factor": LocalOutlierFactor(neighbours, novelty=True, contamination=OUTLIERS).fit(distinct),
    }


def _oddness(method: Any, matrix: Matrix) -> Numbers:
    """The greater, the odder; the SVM's sum of similarities as a mean, which does not grow with the rows fitted."""
    weight = float(method.dual_coef_.sum()) if hasattr(method, "dual_coef_") else 1.0
    odd: Numbers = np.round(-method.score_samples(matrix).astype(np.float64) / weight, _DIGITS)
    return odd
