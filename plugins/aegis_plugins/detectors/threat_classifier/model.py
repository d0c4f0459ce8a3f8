"""A site's model: its labelled rows and the forest that is grown of them, once per process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aegis_enrich import registry
from aegis_plugins.models import stored
from aegis_plugins.models.measures import Numbers, raw, schema_of

from . import example
from .forest import Calibration, grow, probabilities
from .measures import MEASURES, TABLES

KIND = "classifier"


@dataclass(frozen=True)
class Model:
    """What a detector judges by; `about` None: the made example of the rule's tests."""

    classes: tuple[str, ...]
    forest: Any
    calibration: Calibration
    least: Numbers  # of each measure, on its scale, less its floor
    most: Numbers
    about: stored.About | None
    rows: int
    hash: str

    def probabilities(self, rows: pd.DataFrame) -> Numbers:
        """Calibrated, a column for each of `classes`."""
        return self.calibration(probabilities(self.forest, self.classes, rows, MEASURES))

    def outside(self, rows: pd.DataFrame) -> Any:
        """How many features of each row lie outside of all that was learned."""
        x = raw(rows, MEASURES)
        return ((x < self.least) | (x > self.most)).sum(axis=1)


def model_of(rows: pd.DataFrame, calibration: Calibration, about: stored.About | None, digest: str) -> Model:
    x, floors = raw(rows, MEASURES), np.array([m.floor for m in MEASURES])
    least = np.min(np.where(np.isnan(x), np.inf, x), axis=0) - floors
    most = np.max(np.where(np.isnan(x), -np.inf, x), axis=0) + floors
    unknown = least > most  # null in every row: no value is outside
    classes = classes_of(rows["what"])
    return Model(
        classes,
        grow(rows, MEASURES, list(rows["what"])),
        calibration,
        np.where(unknown, -np.inf, least),
        np.where(unknown, np.inf, most),
        about,
        len(rows),
        digest,
    )


def classes_of(what: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(what)))


def schema() -> str:
    tables = registry.load().tables
    return schema_of(MEASURES, [tables[name] for name in TABLES])


def _load(path: str) -> Model:
    if path == example.NAME:
        rows = example.rows()
        return model_of(rows, Calibration.none(len(classes_of(rows["what"]))), None, example.NAME)
    kept = stored.named(path, KIND, schema())
    told = kept.about.more["calibration"]
    calibration = Calibration(tuple(map(tuple, told["weights"])), tuple(told["shifts"]), tuple(told["never"]))
    return model_of(kept.rows, calibration, kept.about, kept.hash)


def check(path: str) -> None:
    """Raises ModelError for a file that cannot be used."""
    if path != example.NAME:
        stored.named(path, KIND, schema())


load = stored.cached(_load)
