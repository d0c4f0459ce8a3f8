"""The features there are: each `Feature` that an installed derived table declares, and words to declare them with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .plugin import DerivedTable, Feature

FAMILIES = ("statistical", "timing", "dns", "tls", "quic")
LEVELS = ("flow", "pair", "host")

_MOORE = "Moore, Zuev, Crogan 2005, Discriminators for use in flow-based classification"
_QUANTILE = "Hyndman, Fan 1996, Sample quantiles in statistical packages, definition 7; " + _MOORE

# The numbers that describe a set of values x: what it is, formula, source.
_STATISTICS: Mapping[str, tuple[str, str, str]] = {
    "mean": ("mean", "Σx / n", _MOORE),
    "std": ("standard deviation", "√(Σx²/n - (Σx/n)²)", _MOORE),
    "min": ("least", "min x", _MOORE),
    "p10": ("10th percentile", "quantile 0.10 of x", _QUANTILE),
    "p25": ("first quartile", "quantile 0.25 of x", _QUANTILE),
    "median": ("median", "quantile 0.50 of x", _QUANTILE),
    "p75": ("third quartile", "quantile 0.75 of x", _QUANTILE),
    "p90": ("90th percentile", "quantile 0.90 of x", _QUANTILE),
    "p99": ("99th percentile", "quantile 0.99 of x", _QUANTILE),
    "max": ("greatest", "max x", _MOORE),
    "cv": (
        "coefficient of variation",
        "standard deviation / mean of x",
        "Pearson 1896, Regression, heredity and panmixia",
    ),
    "skew": (
        "quartile skewness",
        "(p25 + p75 - 2 median) / (p75 - p25) of x",
        "Bowley 1901, Elements of Statistics",
    ),
}
_RANGES: Mapping[str, tuple[float, float | None]] = {"skew": (-1.0, 1.0)}


def distribution(
    stem: str, what: str, unit: str, statistics: str, *, family: str, needs: tuple[str, ...]
) -> tuple[Feature, ...]:
    """A feature `<stem>_<statistic>` for each word of `statistics`; `what` names the values, which are 0 or more.

    `cv` is null where the mean is 0, `skew` where the quartiles are equal.
    """
    return tuple(_feature(stem, what, unit, word, family, needs) for word in statistics.split())


def _feature(stem: str, what: str, unit: str, word: str, family: str, needs: tuple[str, ...]) -> Feature:
    name, formula, source = _STATISTICS[word]
    least, most = _RANGES.get(word, (0.0, None))
    return Feature(
        f"{stem}_{word}",
        "double",
        f"{name} of {what}",
        "1" if word in ("cv", "skew") else unit,
        family=family,
        formula=formula,
        source=source,
        least=least,
        most=most,
        needs=needs,
    )


def catalogue(tables: Mapping[str, type[DerivedTable]]) -> list[dict[str, Any]]:
    """Every feature of these tables as JSON has it, by family, level (host first), table and declaration."""
    found = [_described(table, feature) for table, feature in _features(tables)]
    return sorted(found, key=lambda f: (_place(FAMILIES, f["family"]), -_place(LEVELS, f["level"]), f["table"]))


def span(least: float | None, most: float | None) -> str:
    """A range in words: `0 to 1`, `from 0`, `any`."""
    if least is None:
        return "any" if most is None else f"to {most:g}"
    return f"from {least:g}" if most is None else f"{least:g} to {most:g}"


def _features(tables: Mapping[str, type[DerivedTable]]) -> Iterator[tuple[type[DerivedTable], Feature]]:
    for name in sorted(tables):
        yield from ((tables[name], c) for c in tables[name].columns if isinstance(c, Feature))


def _described(table: type[DerivedTable], feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "family": feature.family,
        "level": table.level,
        "table": table.name,
        "unit": feature.unit,
        "range": [feature.least, feature.most],
        "doc": feature.doc,
        "formula": feature.formula,
        "source": feature.source,
        "needs": list(feature.needs),
    }


def _place(order: tuple[str, ...], word: str) -> int:
    """Words that are not of this project come last."""
    return order.index(word) if word in order else len(order)
