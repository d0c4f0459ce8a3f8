"""Tells what a client does (scan, c2, exfil …) by a forest that was grown on labelled logs of the site's choice."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable
from aegis_plugins.models import stored

from .classes import BENIGN
from .measures import TABLES

if TYPE_CHECKING:
    from aegis_plugins.models.measures import Numbers

    from .model import Model


@dataclass(frozen=True)
class Tuning:
    """Which model, and how sure it must be."""

    model: str = tunable("", "file that `aegis-enrich train classifier` wrote, its whole path; none: nothing is found")
    max_age_days: float = tunable(
        365.0, "from the end of the labelled rows to the window; older is refused", least=1, most=36_500, unit="days"
    )
    min_probability: float = tunable(0.8, "calibrated; below it is none of the classes", least=0.0, most=1.0)
    max_outside: int = tunable(
        3, "features beyond all that was learned, above which it is none of the classes", least=0, most=30
    )
    min_connections: int = tunable(
        10, "connections of the pair, or of the client's hour, below which nothing is said", least=4, most=100_000
    )


class ThreatClassifier(Detector):
    """A calibrated random forest over pairs and hours of clients; idle without a model; see README.md."""

    name = "threat_classifier"
    reads = ()
    derived = TABLES
    window_s = 3_600
    every_s = 3_600
    rowwise = True  # an hour of a pair, or of a client, is a row
    shard_key = "orig_h"
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="class runner_up of model_hash model_until",
        count="connections features_outside model_rows",
        double="probability runner_up_probability benign_probability",
    )

    @classmethod
    def idle(cls, tuning: Tuning) -> str:
        """Without a model there is nothing to find, so nothing is computed; raises ModelError for one of no use."""
        if not tuning.model:
            return stored.idle("classifier")
        from .model import check

        check(tuning.model)
        return ""

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings, the class as `key`; score = its calibrated probability.

        Raises ModelError where the model cannot be used, or is older than `max_age_days` at the window's end.
        """
        if not tuning.model or not len(features):
            return pd.DataFrame()
        from .model import load

        model = load(tuning.model)
        stored.fresh_at(model.about, tuning.model, features["window_end_us"], tuning.max_age_days)
        chances, outside = model.probabilities(features), model.outside(features)
        rows = zip(features.to_dict("records"), chances, outside, strict=True)
        found = (
            _finding(row, chance, int(beyond), model)
            for row, chance, beyond in rows
            if _is_something(chance, int(beyond), model, tuning)
        )
        return pd.DataFrame(list(found))


def _is_something(chance: Numbers, outside: int, model: Model, tuning: Tuning) -> bool:
    sure = chance.max() >= tuning.min_probability and outside <= tuning.max_outside
    return bool(sure) and model.classes[int(chance.argmax())] != BENIGN


def _finding(row: Mapping[Hashable, Any], chance: Numbers, outside: int, model: Model) -> dict[str, Any]:
    order = np.argsort(-chance, kind="stable")
    key, runner_up = model.classes[int(order[0])], model.classes[int(order[1])]
    pair = isinstance(row["resp_h"], str)
    connections = row["pair_connections"] if pair else row["connections"]
    to = f" to {row['resp_h']}:{int(row['resp_p'])}/{row['proto']}" if pair else ""
    return {
        "orig_h": row["orig_h"],
        "key": key,
        "resp_h": row["resp_h"] if pair else None,
        "resp_p": int(row["resp_p"]) if pair else None,
        "proto": row["proto"] if pair else None,
        "score": float(chance.max()),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "class": key,
            "probability": float(chance.max()),
            "runner_up": runner_up,
            "runner_up_probability": float(chance[order[1]]),
            "benign_probability": float(chance[model.classes.index(BENIGN)]) if BENIGN in model.classes else None,
            "of": "pair" if pair else "hour",
            "connections": int(connections),
            "features_outside": outside,
            "model_hash": model.hash,
            "model_rows": model.rows,
            "model_until": model.about.date if model.about else None,
        },
        "reason": f"{row['orig_h']}: {int(connections):,} connections{to} in an hour look like {key} "
        f"(probability {chance.max():.2f}; next {runner_up}, {chance[order[1]]:.2f})",
        "uids": [row["uid"]] if isinstance(row["uid"], str) else [],
    }
