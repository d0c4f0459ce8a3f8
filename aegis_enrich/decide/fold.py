"""Findings to one alert, by operations in which order does not matter: counts add up, times and scores are extremes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

UIDS = 20


@dataclass(frozen=True)
class Fold:
    """What an alert knows so far. `count`: windows of a detector, rows of a row rule; times in µs.

    `best` is the finding (or row) that speaks for the alert: the highest score, of equal ones the earliest, of those
    the least in its canonical JSON. `uids`: [ts or 0, uid], the first 20.
    """

    count: int
    first_us: int
    last_us: int
    start_us: int
    end_us: int
    severity: int
    score: float
    sensors: tuple[str, ...]
    best: Mapping[str, Any]
    uids: tuple[tuple[int, str], ...] = ()

    def __add__(self, other: Fold) -> Fold:
        return Fold(
            self.count + other.count,
            min(self.first_us, other.first_us),
            max(self.last_us, other.last_us),
            min(self.start_us, other.start_us),
            max(self.end_us, other.end_us),
            max(self.severity, other.severity),
            max(self.score, other.score),
            tuple(sorted({*self.sensors, *other.sensors})),
            min((self.best, other.best), key=rank),
            tuple(sorted({*self.uids, *other.uids})[:UIDS]),
        )

    def text(self) -> str:
        return canonical(vars(self))

    @classmethod
    def of(cls, text: str) -> Fold:
        data = json.loads(text)
        data["sensors"] = tuple(data["sensors"])
        data["uids"] = tuple((int(t), str(u)) for t, u in data["uids"])
        return cls(**data)


def rank(best: Mapping[str, Any]) -> tuple[float, float, int, str]:
    """The least ranks first: score and severity high, then early, then the least text."""
    return (-best["score"], -best["severity"], best["time_us"], canonical(best))


def of_windows(folds: Iterable[tuple[int, Fold]]) -> Fold:
    """The fold of findings, each with the end of its window: what several sensors found in one window counts once."""
    by_window: dict[int, Fold] = {}
    for end_us, fold in folds:
        known = by_window.get(end_us)
        by_window[end_us] = fold if known is None else _one_window(known, fold)
    return reduce(Fold.__add__, by_window.values())


def _one_window(a: Fold, b: Fold) -> Fold:
    """What two sensors found of one entity in one window: one finding, the higher-scoring one, that names both."""
    winner = min(a, b, key=lambda f: (rank(f.best), f.uids))
    return replace(a + b, count=max(a.count, b.count), uids=winner.uids)


def canonical(value: Any) -> str:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
