"""How a board is described: what its panels count, by what, and how they are drawn; `lens` and `dashboards` draw it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["number", "table", "cells", "bars", "rows", "line", "area", "donut", "heatmap"]
COLUMNS = 48  # of Kibana's grid


@dataclass(frozen=True)
class Not:
    """A condition that the field has none of these values."""

    values: tuple[Any, ...]


class Anything:
    """A condition that the field has a value."""


ANY: Final = Anything()
NONE: Final = Not((ANY,))

# Field to the value it must have, to a list of which it must have one, to ANY, to NONE or to Not(...).
Where = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """A data view: `pattern` of indices; panels over it see only documents for which `where` holds.

    `formats`: field to Kibana's formatter and its parameters.
    """

    key: str
    pattern: str
    name: str
    where: Where = dataclasses.field(default_factory=dict)
    formats: Mapping[str, tuple[str, Mapping[str, Any]]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """A figure of a bucket: `operation` of Lens over a field (count has none)."""

    label: str
    operation: str = "count"
    field: str = ""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def orders(self) -> bool:
        """Whether values can be ordered by it."""
        return self.operation not in ("last_value", "percentile")


@dataclass(frozen=True)
class Split:
    """What documents are put into buckets by: a field's values, time, or conditions that have names."""

    label: str
    field: str = ""
    size: int = 10
    only: tuple[str, ...] = ()  # values that count
    named: Mapping[str, str] = dataclasses.field(default_factory=dict)  # label to condition in KQL

    @property
    def operation(self) -> str:
        return "filters" if self.named else "date_histogram" if self.field == "@timestamp" else "terms"


@dataclass(frozen=True)
class Panel:
    """A panel of Lens: the first split is x, a heatmap's second y; `to`: boards that a click on a value leads to."""

    title: str
    kind: Kind
    view: View
    width: int
    metrics: Sequence[Metric]
    by: Sequence[Split] = ()
    where: Where = dataclasses.field(default_factory=dict)
    to: Sequence[str] = ()
    about: str = ""


@dataclass(frozen=True)
class Text:
    """A panel of Markdown."""

    title: str
    text: str
    width: int


@dataclass(frozen=True)
class Rows:
    """A panel with the documents of a saved search."""

    title: str
    search: str
    width: int


@dataclass(frozen=True)
class Search:
    """A saved search: documents of a view with these columns, the newest first."""

    key: str
    title: str
    view: View
    columns: Sequence[str]
    where: Where = dataclasses.field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True)
class Control:
    """A control above a board: a field's values to choose from, or (`range`) a span of numbers."""

    key: str
    title: str
    field: str
    view: View
    range: bool = False


@dataclass(frozen=True)
class Board:
    """A dashboard: rows of panels, each with its height; widths in a row make at most 48."""

    key: str
    title: str
    about: str
    rows: Sequence[tuple[int, Sequence[Panel | Text | Rows]]]
    controls: Sequence[Control]


def count(label: str = "Alerts") -> Metric:
    return Metric(label)


def highest(label: str, name: str) -> Metric:
    return Metric(label, "max", name)


def total(label: str, name: str) -> Metric:
    return Metric(label, "sum", name)


def different(label: str, name: str) -> Metric:
    return Metric(label, "unique_count", name)


def median(label: str, name: str) -> Metric:
    return Metric(label, "median", name)


def percentile(label: str, name: str, percent: int) -> Metric:
    return Metric(label, "percentile", name, {"percentile": percent})


def latest(label: str, name: str) -> Metric:
    """The value in the newest document of the bucket."""
    return Metric(label, "last_value", name)


def over_time(label: str = "Time") -> Split:
    return Split(label, "@timestamp")
