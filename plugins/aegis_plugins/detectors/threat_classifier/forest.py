"""A forest over labelled rows, its probabilities calibrated on hosts or captures that it has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aegis_plugins.models.measures import Measure, Numbers, raw

TREES = 100
SEED = 0
BLOCKS = 5
MOST_GROUPS = 40
_LEAST = 1e-3  # below it a forest's probability is that, for its logarithm
_ABSENT = -20.0  # the shift of a class that no row has


@dataclass(frozen=True)
class Calibration:
    """A multinomial logistic regression over the logarithms of the forest's probabilities: corrects how sure it is.

    Platt 1999, for several classes; Niculescu-Mizil and Caruana 2005 prefer it to isotonic regression for few rows. A
    class that only one part holds cannot be told by what was learned from the others: its probability is 0, and what
    it would have had belongs to none of the classes.
    """

    weights: tuple[tuple[float, ...], ...]  # a row each class
    shifts: tuple[float, ...]
    never: tuple[int, ...] = ()  # classes that are not called

    @classmethod
    def none(cls, classes: int) -> Calibration:
        """Leaves probabilities as they are."""
        return cls(tuple(tuple(row) for row in np.eye(classes).tolist()), (0.0,) * classes)

    @classmethod
    def of(cls, classes: Sequence[str], found: Numbers, what: Iterable[str], never: Iterable[str] = ()) -> Calibration:
        """From probabilities of rows that the forest had not seen."""
        from sklearn.linear_model import LogisticRegression

        told = np.array([list(classes).index(w) for w in what], dtype=int)
        present = np.unique(told)
        if len(present) < 2:
            return cls.none(len(classes))
        fitted = LogisticRegression(C=1.0, max_iter=1_000).fit(_log(found), told)
        weights, shifts = np.zeros((len(classes), len(classes))), np.full(len(classes), _ABSENT)
        two = len(present) == 2  # then there is one row, for the second
        weights[present] = np.vstack([np.zeros(len(classes)), fitted.coef_]) if two else fitted.coef_
        shifts[present] = np.append(0.0, fitted.intercept_) if two else fitted.intercept_
        return cls(
            tuple(tuple(row) for row in weights.round(6).tolist()),
            tuple(shifts.round(6).tolist()),
            tuple(list(classes).index(name) for name in never),
        )

    def __call__(self, found: Numbers) -> Numbers:
        """Probabilities, a row each, the same alone and among others; what is missing to 1 is none of the classes."""
        z = _log(found) @ np.array(self.weights).T + np.array(self.shifts)
        raised = np.exp(z - z.max(axis=1, keepdims=True))
        made: Numbers = (raised / raised.sum(axis=1, keepdims=True)).round(9)
        made[:, list(self.never)] = 0.0
        return made


def grow(rows: pd.DataFrame, measures: Sequence[Measure], what: Sequence[str]) -> Any:
    """A random forest (Breiman 2001) whose classes weigh alike; the same rows give the same forest."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(TREES, min_samples_leaf=2, class_weight="balanced_subsample", random_state=SEED)
    return forest.fit(raw(rows, measures), np.asarray(what, dtype=str))


def probabilities(forest: Any, classes: Sequence[str], rows: pd.DataFrame, measures: Sequence[Measure]) -> Numbers:
    """A row each, a column for each of `classes`; 0 of those that the forest does not know."""
    found = np.zeros((len(rows), len(classes)))
    if len(rows):
        given = forest.predict_proba(raw(rows, measures))
        for n, name in enumerate(forest.classes_):
            if name in classes:
                found[:, list(classes).index(name)] = given[:, n]
    return found


def parts(captures: Sequence[str], hosts: Sequence[str], times: Sequence[int], what: Sequence[str]) -> tuple[Any, str]:
    """Which part each row belongs to, such that no part shares what a random split would, and what a part is.

    A capture each where there are two or more; else hosts, where each class has three or more; else consecutive times.
    """
    of_each = [{host for host, told in zip(hosts, what, strict=True) if told == name} for name in set(what)]
    for values, of, apart in (
        (captures, "capture", len(set(captures)) > 1),
        (hosts, "host", min(map(len, of_each)) > 2),
    ):
        if apart:
            names = sorted(set(values))
            return np.array([names.index(v) % MOST_GROUPS for v in values]), of
    order = np.argsort(np.asarray(times), kind="stable")
    blocks = np.empty(len(order), dtype=int)
    for number, block in enumerate(np.array_split(order, BLOCKS)):
        blocks[block] = number
    return blocks, "time"


def held_out(rows: pd.DataFrame, measures: Sequence[Measure], classes: Sequence[str], part: Any) -> Numbers:
    """Probabilities of each row by a forest that has seen no row of its part."""
    found = np.zeros((len(rows), len(classes)))
    for number in np.unique(part):
        inside = part == number
        others = rows[~inside]
        if others["what"].nunique() > 1:
            forest = grow(others, measures, others["what"])
            found[inside] = probabilities(forest, classes, rows[inside], measures)
        elif len(others):
            found[inside, list(classes).index(others["what"].iloc[0])] = 1.0
    return found


def measured(
    classes: Sequence[str], found: Numbers, what: Sequence[str], part: Any, least: float, never: Sequence[str] = ()
) -> tuple[Calibration, dict[str, Any]]:
    """The calibration, and how right it is: each part judged by a calibration made of the others.

    Brier's score is the mean square error over all classes (0 best, 2 worst); `ece` the expected calibration error of
    the likeliest class in ten bins; precision and recall are of rows with a probability of `least` or more.
    """
    told, judged = np.asarray(what, dtype=object), np.zeros_like(found)
    for number in np.unique(part):
        inside = part == number
        judged[inside] = Calibration.of(classes, found[~inside], told[~inside], never)(found[inside])
    truth = np.column_stack([told == c for c in classes]).astype(float)
    best, top = judged.argmax(axis=1), judged.max(axis=1)
    right = np.array([classes[b] == t for b, t in zip(best, told, strict=True)])
    said = np.where(top >= least, np.array(list(classes), dtype=object)[best], None)
    return Calibration.of(classes, found, told, never), {
        "rows": len(told),
        "parts": len(np.unique(part)),
        "brier": round(float(((judged - truth) ** 2).sum(axis=1).mean()), 4),
        "ece": round(_ece(top, right), 4),
        "accuracy": round(float(right.mean()), 4),
        "said": round(float((top >= least).mean()), 4),
        "classes": {c: _rates(c, said, told) for c in classes},
    }


def _rates(name: str, said: Any, told: Any) -> dict[str, Any]:
    hits = int(((said == name) & (told == name)).sum())
    calls, there = int((said == name).sum()), int((told == name).sum())
    return {
        "rows": there,
        "precision": round(hits / calls, 4) if calls else None,
        "recall": round(hits / there, 4) if there else None,
    }


def _ece(top: Numbers, right: Any) -> float:
    bins = np.minimum((top * 10).astype(int), 9)
    return float(
        sum((bins == b).mean() * abs(top[bins == b].mean() - right[bins == b].mean()) for b in np.unique(bins))
    )


def _log(p: Numbers) -> Numbers:
    logs: Numbers = np.log(np.maximum(p, _LEAST))
    return logs
