"""How a feature becomes a number that models can compare: its scale, the least spread that counts, what null means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from aegis_enrich.plugin import DerivedTable, Feature

Numbers = npt.NDArray[np.float64]

CLIP = 10.0  # deviations beyond which a value is as odd as can be: nothing is learned from how much odder it is
_IQR = 1.349  # of a normal distribution, in standard deviations
_SPAN = 3.290  # between its 5th and 95th percentile, likewise


@dataclass(frozen=True)
class Measure:
    """One feature of a model.

    `scale`: `log` for what spans decades (log2(1 + x / unit), so a step is a doubling), else `linear`.
    `floor`: the least spread on that scale: a site on which a feature hardly varies makes no alert of a trifle.
    `absent`: what null stands for: `zero` (of a count: nothing was there) or `usual` (no opinion: the median).
    """

    name: str
    scale: Literal["log", "linear"]
    floor: float
    absent: Literal["zero", "usual"] = "usual"
    unit: float = 1.0


def count(name: str) -> Measure:
    """A count or a sum of bytes: nothing where it is null, compared by doublings."""
    return Measure(name, "log", 1.0, "zero")


def size(name: str, unit: float = 1.0) -> Measure:
    """A size or a time of something that need not be there, compared by doublings of `unit` and more."""
    return Measure(name, "log", 1.0, "usual", unit)


def share(name: str, floor: float = 0.05) -> Measure:
    """A share, 0 to 1; `floor` 0.05: five in a hundred are one deviation at least."""
    return Measure(name, "linear", floor)


def plain(name: str, floor: float) -> Measure:
    return Measure(name, "linear", floor)


def schema_of(measures: Sequence[Measure], tables: Iterable[type[DerivedTable]]) -> str:
    """A hash of what these measures mean: another where a feature, its unit, its formula or its scale changed."""
    declared: dict[str, Mapping[str, object]] = {}
    for table in tables:
        for column in table.columns:
            formula = column.formula if isinstance(column, Feature) else column.doc
            declared[column.name] = {"unit": column.unit, "formula": formula, "table": table.name}
    said = [(repr(m), declared.get(m.name)) for m in measures]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def raw(frame: pd.DataFrame, measures: Sequence[Measure]) -> Numbers:
    """The features on their scales, a column each; NaN stays where null says nothing, 0 where it says nothing is there.

    Infinite and negative values, which no feature on a log scale has, are taken as null.
    """
    columns = []
    for measure in measures:
        x = pd.to_numeric(frame[measure.name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        x = np.where(np.isfinite(x), x, np.nan)
        if measure.scale == "log":
            x = np.log2(1.0 + np.where(x >= 0, x, np.nan) / measure.unit)
        columns.append(np.where(np.isnan(x), 0.0, x) if measure.absent == "zero" else x)
    return np.column_stack(columns) if columns else np.empty((len(frame), 0))


def drawn(measure: Measure, least: float, most: float, rows: int, chance: np.random.RandomState) -> Numbers:
    """So many values between these, for made examples: drawn evenly on the measure's scale."""
    evenly = chance.uniform(size=rows)
    if measure.scale == "linear":
        return np.asarray(least + evenly * (most - least))
    low, high = np.log2(1 + least / measure.unit), np.log2(1 + most / measure.unit)
    return np.asarray(measure.unit * (np.exp2(low + evenly * (high - low)) - 1))


@dataclass(frozen=True)
class Usual:
    """What is usual in the training rows: centre and spread of each measure, on its scale."""

    centre: Numbers
    spread: Numbers
    value: Numbers  # the centre in the feature's own unit

    @classmethod
    def of(cls, frame: pd.DataFrame, measures: Sequence[Measure]) -> Usual:
        """Median, and the greatest of the interquartile range, the middle nine tenths and the floor, as deviations.

        A feature that is null in every row has the centre 0 and its floor.
        """
        x = raw(frame, measures)
        known = [column[~np.isnan(column)] for column in x.T]
        quantiles = [np.quantile(k, [0.05, 0.25, 0.50, 0.75, 0.95]) if len(k) else np.zeros(5) for k in known]
        q = np.array(quantiles).reshape(len(measures), 5)
        spread = np.maximum((q[:, 3] - q[:, 1]) / _IQR, (q[:, 4] - q[:, 0]) / _SPAN)
        units = np.array([m.unit for m in measures])
        value = np.where([m.scale == "log" for m in measures], units * (np.exp2(q[:, 2]) - 1.0), q[:, 2])
        return cls(q[:, 2], np.maximum(spread, [m.floor for m in measures]), value)

    def deviations(self, frame: pd.DataFrame, measures: Sequence[Measure]) -> Numbers:
        """Robust z: (x - median) / spread; NaN where a feature says nothing."""
        z: Numbers = (raw(frame, measures) - self.centre) / self.spread
        return z
