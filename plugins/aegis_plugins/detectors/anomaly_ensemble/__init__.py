"""Finds hosts whose hour is unlike the hours of the site's own past, by a vote of three methods."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable
from aegis_plugins.models import stored

from .measures import MEASURES, TABLES

if TYPE_CHECKING:
    from .ensemble import Judgement
    from .model import Model

DRIVERS = 5
ALL = 3  # methods


@dataclass(frozen=True)
class Tuning:
    """Which model, and how odd an hour must be."""

    model: str = tunable("", "file that `aegis-enrich train anomaly` wrote, its whole path; none: nothing is found")
    max_age_days: float = tunable(
        30.0, "from the end of the training rows to the window; older is refused", least=1, most=3650, unit="days"
    )
    min_votes: int = tunable(2, "methods, of three, that call the hour an outlier", least=1, most=ALL)
    min_score: float = tunable(
        0.99, "share of the past's hours that are less odd, the three methods' mean", least=0, most=1
    )
    min_deviation: float = tunable(
        4.0, "mean deviation of the five features that deviate most, as robust z", least=0, most=100
    )
    min_connections: int = tunable(10, "connections in the hour below which it has no shape", least=1, most=100_000)


class AnomalyEnsemble(Detector):
    """Isolation Forest, One-Class SVM, Local Outlier Factor over a host's hour; idle without a model; see README.md."""

    name = "anomaly_ensemble"
    reads = ()
    derived = TABLES
    window_s = 3_600
    every_s = 3_600
    rowwise = True  # an hour of a host is a row
    shard_key = "orig_h"
    entity = ("orig_h",)
    tuning = Tuning
    evidence = typed(
        string="drivers model_hash model_until",
        count="votes beyond_past_votes connections model_rows",
        double=(
            "deviation isolation_forest_rank one_class_svm_rank local_outlier_factor_rank drivers_values "
            "drivers_usual drivers_deviations model_age_days"
        ),
    )

    @classmethod
    def idle(cls, tuning: Tuning) -> str:
        """Without a model there is nothing to find, so nothing is computed; raises ModelError for one of no use."""
        if not tuning.model:
            return stored.idle("anomaly")
        from .model import check

        check(tuning.model)
        return ""

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = mean over the methods of the share of the past's hours that are less odd.

        Raises ModelError where the model cannot be used, or is older than `max_age_days` at the window's end.
        """
        if not tuning.model or not len(features):
            return pd.DataFrame()
        from .model import load

        model = load(tuning.model)
        stored.fresh_at(model.about, tuning.model, features["window_end_us"], tuning.max_age_days)
        judged = model.ensemble.judge(features)
        rows = features.to_dict("records")
        found = (_finding(row, n, judged, model, tuning) for n, row in enumerate(rows) if _odd(judged, n, tuning))
        return pd.DataFrame(list(found))


def _odd(judged: Judgement, n: int, tuning: Tuning) -> bool:
    """Whether row n is worth a finding."""
    return (
        int(judged.votes[n].sum()) >= tuning.min_votes
        and float(judged.ranks[n].mean()) >= tuning.min_score
        and _deviation(judged.deviations[n]) >= tuning.min_deviation
    )


def _deviation(z: Any) -> float:
    """Mean of the greatest deviations."""
    return float(np.mean(np.sort(np.abs(np.nan_to_num(z, nan=0.0)))[-DRIVERS:]))


def _finding(row: Mapping[Hashable, Any], n: int, judged: Judgement, model: Model, tuning: Tuning) -> dict[str, Any]:
    from .ensemble import METHODS

    z, ranks, votes = judged.deviations[n], judged.ranks[n], judged.votes[n]
    order = np.argsort(-np.abs(np.nan_to_num(z, nan=0.0)), kind="stable")[:DRIVERS]
    drivers = [(MEASURES[i].name, _number(row[MEASURES[i].name]), model.ensemble.usual.value[i], z[i]) for i in order]
    about = model.about
    evidence = {
        "votes": int(votes.sum()),
        "beyond_past_votes": int(sum(rank >= 1 - 1.5 / (1 + model.rows) for rank in ranks)),
        "deviation": _deviation(z),
        **{f"{name}_rank": float(rank) for name, rank in zip(METHODS, ranks, strict=True)},
        "drivers": [name for name, *_ in drivers],
        "drivers_values": [value for _, value, *_ in drivers],
        "drivers_usual": [float(usual) for _, _, usual, _ in drivers],
        "drivers_deviations": [round(float(d), 2) for *_, d in drivers],
        "connections": int(row["connections"]),
        "model_hash": model.hash,
        "model_rows": model.rows,
        "model_until": about.date if about else None,
        "model_age_days": about.age_days(int(row["window_end_us"])) if about else None,
    }
    return {
        "orig_h": row["orig_h"],
        "score": float(ranks.mean()),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": evidence,
        "reason": _reason(row, evidence, drivers),
        "uids": [row["uid"]] if isinstance(row["uid"], str) else [],
    }


def _reason(
    row: Mapping[Hashable, Any], evidence: Mapping[str, Any], drivers: list[tuple[str, float, float, float]]
) -> str:
    said = ", ".join(f"{name} {value:,.4g} (usually {usual:,.4g})" for name, value, usual, _ in drivers[:3])
    rank = np.mean([value for key, value in evidence.items() if key.endswith("_rank")])
    return (
        f"{row['orig_h']} had an hour unlike those of the past ({evidence['votes']} of {ALL} methods; odder than "
        f"{100 * rank:.1f} % of {evidence['model_rows']:,} hours): {said}"
    )


def _number(value: Any) -> float:
    return 0.0 if pd.isna(value) else float(value)
