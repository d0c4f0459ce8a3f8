"""A described panel as Lens keeps it: columns of one layer, and the drawing that uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from .description import Metric, Panel, Split
from .filters import filters

Json = dict[str, Any]
LAYER = "layer"
REFERENCE = f"indexpattern-datasource-layer-{LAYER}"
FILTERED = "filtered-view"  # the reference by which filters name their data view
_TYPES = {"keyword": "string", "long": "number", "double": "number", "float": "number"}
_NUMBER = {"isBucketed": False, "scale": "ratio"}
_STEPS = (("#e6f1fa", 0), ("#b1d4ef", 2), ("#6da9d8", 5), ("#e7a94d", 20), ("#cc5642", 100))  # from how many on


def attributes(panel: Panel, types: Mapping[str, str]) -> Json:
    """The panel's Lens by value; `types`: those of its view's fields."""
    view = panel.view.key
    return {
        "title": panel.title,
        "description": panel.about,
        "type": "lens",
        "visualizationType": _KINDS[panel.kind][0],
        "references": references(view),
        "state": {
            "adHocDataViews": {},
            "datasourceStates": {"formBased": {"layers": {LAYER: _layer(panel, types)}}},
            "filters": filters({**panel.view.where, **panel.where}, FILTERED),
            "internalReferences": [],
            "query": {"language": "kuery", "query": ""},
            "visualization": _KINDS[panel.kind][1](panel),
        },
    }


def references(view: str) -> list[Json]:
    return [{"type": "index-pattern", "id": view, "name": name} for name in (REFERENCE, FILTERED)]


def _layer(panel: Panel, types: Mapping[str, str]) -> Json:
    buckets = {_x(n): _split(split, panel, types) for n, split in enumerate(panel.by)}
    figures = {_y(n): _metric(metric, types) for n, metric in enumerate(panel.metrics)}
    columns = {**buckets, **figures}
    return {"columnOrder": list(columns), "columns": columns, "incompleteColumns": {}, "sampling": 1}


def _x(n: int) -> str:
    return f"by{n}"


def _y(n: int) -> str:
    return f"figure{n}"


def _column(label: str, operation: str, kind: str, source: str = "") -> Json:
    named = {"sourceField": source} if source else {}
    return {"customLabel": True, "label": label, "operationType": operation, "dataType": kind, **named}


def _type(name: str, types: Mapping[str, str]) -> str:
    kind = types.get(name, "keyword")
    return _TYPES.get(kind, kind)


def _metric(metric: Metric, types: Mapping[str, str]) -> Json:
    if metric.operation == "count":
        return _column(metric.label, "count", "number", "___records___") | _NUMBER | {"params": {"emptyAsNull": False}}
    if metric.operation == "last_value":
        return _last(metric, _type(metric.field, types))
    params = {"params": {"emptyAsNull": True, **metric.params}}
    return _column(metric.label, metric.operation, "number", metric.field) | _NUMBER | params


def _last(metric: Metric, kind: str) -> Json:
    return _column(metric.label, "last_value", kind, metric.field) | {
        "filter": {"language": "kuery", "query": f'"{metric.field}": *'},
        "isBucketed": False,
        "params": {"showArrayValues": True, "sortField": "@timestamp"},
        "scale": "ordinal" if kind == "string" else "ratio",
    }


def _split(split: Split, panel: Panel, types: Mapping[str, str]) -> Json:
    if split.operation == "filters":
        named = [{"input": {"language": "kuery", "query": q}, "label": label} for label, q in split.named.items()]
        column = _column(split.label, "filters", "string")
        return column | {"isBucketed": True, "scale": "ordinal", "params": {"filters": named}}
    if split.operation == "date_histogram":
        column = _column(split.label, "date_histogram", "date", split.field)
        params = {"dropPartials": False, "includeEmptyRows": True, "interval": "auto"}
        return column | {"isBucketed": True, "scale": "interval", "params": params}
    column = _column(split.label, "terms", _type(split.field, types), split.field)
    return column | {"isBucketed": True, "scale": "ordinal", "params": _terms(split, panel)}


def _terms(split: Split, panel: Panel) -> Json:
    """The values with the greatest first figure that values can be ordered by."""
    by = next((_y(n) for n, metric in enumerate(panel.metrics) if metric.orders), "")
    return {
        "exclude": [],
        "excludeIsRegex": False,
        "include": list(split.only),
        "includeIsRegex": False,
        "missingBucket": False,
        "orderBy": {"type": "column", "columnId": by} if by else {"type": "alphabetical", "fallback": False},
        "orderDirection": "desc" if by else "asc",
        "otherBucket": False,
        "parentFormat": {"id": "terms"},
        "size": split.size,
    }


def _number(panel: Panel) -> Json:
    return {"layerId": LAYER, "layerType": "data", "metricAccessor": _y(0)}


def _table(panel: Panel) -> Json:
    columns: list[Json] = [{"columnId": _x(n), "isTransposed": False} for n in range(len(panel.by))]
    columns += [{"columnId": _y(n), "isTransposed": False} for n in range(len(panel.metrics))]
    return {"columns": columns, "layerId": LAYER, "layerType": "data", "paging": {"enabled": True, "size": 10}}


def _cells(panel: Panel) -> Json:
    """A table whose figures are coloured."""
    table = _table(panel)
    for column in table["columns"]:
        if column["columnId"] == _y(0):
            column |= {"colorMode": "cell", "palette": _palette()}
    return table


def _xy(series: str) -> Callable[[Panel], Json]:
    def drawn(panel: Panel) -> Json:
        layer = {
            "accessors": [_y(n) for n in range(len(panel.metrics))],
            "layerId": LAYER,
            "layerType": "data",
            "position": "top",
            "seriesType": series,
            "showGridlines": False,
            "xAccessor": _x(0),
        }
        if len(panel.by) > 1:
            layer["splitAccessor"] = _x(1)
        return {
            "fittingFunction": "None",
            "layers": [layer],
            "legend": {"isVisible": True, "position": "right"},
            "preferredSeriesType": series,
            "valueLabels": "hide",
        }

    return drawn


def _donut(panel: Panel) -> Json:
    layer = {
        "categoryDisplay": "default",
        "layerId": LAYER,
        "layerType": "data",
        "legendDisplay": "show",
        "metrics": [_y(0)],
        "nestedLegend": False,
        "numberDisplay": "value",
        "primaryGroups": [_x(n) for n in range(len(panel.by))],
    }
    return {"layers": [layer], "shape": "donut"}


def _heatmap(panel: Panel) -> Json:
    shown = {f"is{axis}Axis{part}Visible": part == "Label" for axis in "XY" for part in ("Label", "Title")}
    return {
        "gridConfig": {"type": "heatmap_grid", "isCellLabelVisible": True, **shown},
        "layerId": LAYER,
        "layerType": "data",
        "legend": {"isVisible": False, "position": "right", "type": "heatmap_legend"},
        "palette": {"accessor": _y(0), **_palette()},
        "shape": "heatmap",
        "valueAccessor": _y(0),
        "xAccessor": _x(0),
        "yAccessor": _x(1),
    }


def _palette() -> Json:
    """Colours by number, so that the same number has the same colour in every panel."""
    starts = [{"color": color, "stop": start} for color, start in _STEPS]
    ends = [{"color": color, "stop": end} for (color, _), (_, end) in pairwise(_STEPS)]
    params = {
        "colorStops": starts,
        "continuity": "above",
        "maxSteps": 5,
        "name": "custom",
        "progression": "fixed",
        "rangeMax": None,
        "rangeMin": 0,
        "rangeType": "number",
        "reverse": False,
        "steps": len(_STEPS),
        "stops": [*ends, {"color": _STEPS[-1][0], "stop": 10 * _STEPS[-1][1]}],
    }
    return {"name": "custom", "type": "palette", "params": params}


_KINDS: dict[str, tuple[str, Callable[[Panel], Json]]] = {
    "number": ("lnsMetric", _number),
    "table": ("lnsDatatable", _table),
    "cells": ("lnsDatatable", _cells),
    "bars": ("lnsXY", _xy("bar_stacked")),
    "rows": ("lnsXY", _xy("bar_horizontal_stacked")),
    "line": ("lnsXY", _xy("line")),
    "area": ("lnsXY", _xy("area_stacked")),
    "donut": ("lnsPie", _donut),
    "heatmap": ("lnsHeatmap", _heatmap),
}
