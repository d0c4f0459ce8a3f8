"""A detector made of a correlation's query; it can be sent to another process, where it is made again."""

from __future__ import annotations

import copyreg
from abc import ABCMeta
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import pandas as pd

from ..evidence import typed
from ..plugin import Detector

CORRELATED = typed(
    string="rules",
    count="rows timespan_s temporal temporal_ordered event_count value_count",
    double="least value_sum value_avg value_percentile value_median",
)


@dataclass(frozen=True)
class Plan:
    """What a correlation is: its query with window, timespan and threshold, and what its findings are called."""

    name: str
    title: str
    kind: str
    reads: tuple[str, ...]
    sql: str
    window_s: int
    every_s: int
    span_s: int
    groups: tuple[str, ...]
    shard_key: str
    least: int | float
    strictly: bool
    field: str
    parts: tuple[str, ...]

    @property
    def entity(self) -> tuple[str, ...]:
        """What it groups by; without that, everything is one."""
        return self.groups or ("key",)


class _Made(ABCMeta):
    """Detectors that no module holds: pickled by their plan."""


class OfPlan(Detector, metaclass=_Made):
    """Scores a correlation's spans; the detector itself is made by `detector_of`."""

    plan: ClassVar[Plan]
    evidence = CORRELATED

    @classmethod
    def sql(cls) -> str:
        return cls.plan.sql

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        """Findings; score = 1 - 0.5^(metric / threshold), so that what just reaches it has 0.5."""
        return pd.DataFrame([_finding(self.plan, row) for row in features.to_dict("records")])


@cache
def detector_of(plan: Plan) -> type[OfPlan]:
    """The detector of a plan."""
    made = {
        "__doc__": f"The Sigma correlation “{plan.title}”.",
        "plan": plan,
        "name": plan.name,
        "reads": plan.reads,
        "window_s": plan.window_s,
        "every_s": plan.every_s,
        "entity": plan.entity,
        "shard_key": plan.shard_key,
    }
    return _Made("SigmaCorrelation", (OfPlan,), made)  # type: ignore[return-value]


def _again(kind: type[OfPlan]) -> tuple[Any, tuple[Plan]]:
    return detector_of, (kind.plan,)


copyreg.pickle(_Made, _again)  # type: ignore[arg-type]


def _finding(plan: Plan, row: Mapping[Hashable, Any]) -> dict[str, Any]:
    metric = float(row["metric"])
    ends = {c: row[one] for c, one in (("orig_h", "one_orig"), ("resp_h", "one_resp")) if c not in plan.entity}
    entity = {name: row[f"g{n}"] for n, name in enumerate(plan.groups)} or {"key": "all"}
    return {
        **entity,
        **ends,
        "score": _score(plan, metric),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            plan.kind: int(metric) if metric.is_integer() else metric,
            "rows": int(row["events"]),
            "timespan_s": plan.span_s,
            "least": plan.least,
            "rules": [plan.parts[slot] for slot in row["slots"]],
        },
        "reason": _reason(plan, row, metric, entity),
        "uids": list(row["uids"]),
    }


def _score(plan: Plan, metric: float) -> float:
    return float(1 - 0.5 ** (metric / plan.least)) if plan.least > 0 else 0.5


def _reason(plan: Plan, row: Mapping[Hashable, Any], metric: float, entity: Mapping[str, Any]) -> str:
    of = "" if not plan.groups else " of " + ", ".join(f"{c} {v}" for c, v in entity.items())
    least = f"{'more than' if plan.strictly else 'at least'} {plan.least:g}"
    rules = ", ".join(f"“{part}”" for part in dict.fromkeys(plan.parts[slot] for slot in row["slots"]))
    within = f"within {plan.span_s:,} s"
    if plan.kind == "temporal_ordered":
        return f"Rows{of} match in this order {rules} {within}"
    if plan.kind == "temporal":
        return f"Rows{of} match {metric:g} of {len(plan.parts)} rules {within}, {least} of which are needed: {rules}"
    counted = f"{int(row['events']):,} rows"
    if plan.field:
        counted += f" with {plan.kind.replace('_', ' ')} {metric:g} of {plan.field}"
    return f"{counted}{of} match {rules} {within} ({least})"
