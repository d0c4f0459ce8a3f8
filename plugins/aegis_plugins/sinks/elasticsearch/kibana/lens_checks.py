"""What would be wrong with a panel of Lens, a control or a filter: columns, what is drawn, fields not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .lens import REFERENCE
from .views import Fields

Json = Mapping[str, Any]
NUMBERS = {"double", "float", "long"}
AGGREGATABLE = NUMBERS | {"boolean", "date", "ip", "keyword"}  # what Lens lets one choose: no flattened, no geo_point
FITTING = {
    "average": NUMBERS,
    "date_histogram": {"date"},
    "last_value": AGGREGATABLE,
    "max": NUMBERS,
    "median": NUMBERS,
    "percentile": NUMBERS,
    "sum": NUMBERS,
    "terms": AGGREGATABLE,
    "unique_count": AGGREGATABLE,
}
WITHOUT_FIELD = {"count", "filters"}
BUCKETED = {"date_histogram", "filters", "terms"}
CONTROLS = {"optionsListControl": {"boolean", "ip", "keyword"}, "rangeSliderControl": NUMBERS}
STATE = {"adHocDataViews", "datasourceStates", "filters", "internalReferences", "query", "visualization"}
VISUALIZATIONS = {"lnsDatatable", "lnsHeatmap", "lnsMetric", "lnsPie", "lnsXY"}
# Where a visualization names columns: buckets and figures.
_OF_BUCKETS = ("xAccessor", "yAccessor", "splitAccessor", "primaryGroups")
_OF_FIGURES = ("accessors", "metricAccessor", "metrics", "valueAccessor")
_NAMED = re.compile(r'"?([@A-Za-z_][\w@.]*)"?\s*:')


def check_lens(panel: Json, references: Mapping[str, str], fields: Fields) -> Iterator[str]:
    """`references`: those of the dashboard for this panel, to the ids that they name."""
    attributes = panel["embeddableConfig"]["attributes"]
    state = attributes["state"]
    if attributes["visualizationType"] not in VISUALIZATIONS:
        yield f"visualization {attributes['visualizationType']}, not one of {', '.join(sorted(VISUALIZATIONS))}"
    if wrong := set(state) ^ STATE:
        yield f"keys of the state: {sorted(wrong)}"
    inner = {r["name"]: r["id"] for r in attributes["references"]}
    yield from (f"reference {n} is another one outside" for n, i in inner.items() if references.get(n, i) != i)
    used = {REFERENCE, *(f["meta"]["index"] for f in state["filters"])}
    yield from (f"no reference {name} inside" for name in sorted(used - set(inner)))
    known = fields[inner[REFERENCE]] if REFERENCE in inner else {}
    yield from check_filters(state["filters"], known)
    layers = state["datasourceStates"]["formBased"]["layers"]
    drawn = {layer["layerId"] for layer in _layers(state["visualization"])}
    if drawn != set(layers):
        yield f"draws the layers {sorted(drawn)}, has {sorted(layers)}"
    for name, layer in layers.items():
        if f"indexpattern-datasource-layer-{name}" not in inner:
            yield f"no reference for the layer {name}"
        yield from _columns(layer, known)
        yield from _accessors(state["visualization"], layer["columns"])


def check_filters(filters: Sequence[Json], known: Mapping[str, str]) -> Iterator[str]:
    """One at least, each about a field that is there."""
    if not filters:
        yield "no filter: it would count what other panels leave out"
    for each in filters:
        (about,) = each["query"].values()
        if each["meta"]["key"] not in str(about):
            yield f"the filter on {each['meta']['key']} asks for something else"
    yield from check_names([f["meta"]["key"] for f in filters], known)


def check_names(names: Iterable[str], known: Mapping[str, str]) -> Iterator[str]:
    yield from (f"the view has no field {name}" for name in names if name not in known)


def check_control(key: str, control: Json, known: Mapping[str, str]) -> Iterator[str]:
    given = control["explicitInput"]
    if given["id"] != key:
        yield f"control {key}: has the id {given['id']}"
    kind = known.get(given["fieldName"])
    if kind not in CONTROLS.get(control["type"], ()):
        yield f"control {key}: {control['type']} does not take {given['fieldName']} ({kind or 'no such field'})"


def _layers(visualization: Json) -> Sequence[Json]:
    return list(visualization["layers"]) if "layers" in visualization else [visualization]


def _columns(layer: Json, known: Mapping[str, str]) -> Iterator[str]:
    columns = layer["columns"]
    if sorted(layer["columnOrder"]) != sorted(columns):
        yield "columnOrder names other columns than there are"
    bucketed = [bool(columns[name]["isBucketed"]) for name in layer["columnOrder"] if name in columns]
    if bucketed != sorted(bucketed, reverse=True):
        yield "a figure comes before what it is counted by"
    for name, column in columns.items():
        yield from (f"column {name}: {what}" for what in _column(column, columns, known))


def _column(column: Json, columns: Mapping[str, Json], known: Mapping[str, str]) -> Iterator[str]:
    operation, source = column["operationType"], column.get("sourceField")
    if operation not in FITTING and operation not in WITHOUT_FIELD:
        yield f"unknown operation {operation}"
        return
    if column["isBucketed"] != (operation in BUCKETED):
        yield f"{operation} is {'no ' if column['isBucketed'] else 'a '}bucket"
    if operation in FITTING and known.get(str(source)) not in FITTING[operation]:
        yield f"{operation} does not take {source} ({known.get(str(source), 'no such field')})"
    yield from check_names(_asked(column), known)
    if operation == "terms":
        yield from _order(column["params"]["orderBy"], columns)
    if operation == "last_value" and known.get(column["params"]["sortField"]) != "date":
        yield "last_value is sorted by no time"


def _asked(column: Json) -> Iterator[str]:
    """Fields that its conditions in KQL name."""
    asked = [f["input"]["query"] for f in column["params"].get("filters", ())]
    asked += [column["filter"]["query"]] if "filter" in column else []
    for query in asked:
        yield from _NAMED.findall(query)


def _order(by: Json, columns: Mapping[str, Json]) -> Iterator[str]:
    if by["type"] == "alphabetical":
        return
    column = columns.get(by["columnId"])
    if column is None or column["isBucketed"] or column["operationType"] in ("last_value", "percentile"):
        yield f"values are ordered by {by['columnId']}, which is no figure to order by"


def _accessors(visualization: Json, columns: Mapping[str, Json]) -> Iterator[str]:
    shown: set[str] = set()
    for part in _layers(visualization):
        for places, bucketed in ((_OF_BUCKETS, True), (_OF_FIGURES, False)):
            for name in (n for place in places for n in _list(part.get(place))):
                shown.add(name)
                if name not in columns or bool(columns[name]["isBucketed"]) != bucketed:
                    yield f"draws {name}, which is no {'bucket' if bucketed else 'figure'}"
        for name in (c["columnId"] for c in part.get("columns", ())):
            shown.add(name)
            if name not in columns:
                yield f"shows the column {name}, which is not there"
    yield from (f"column {name} is not shown" for name in sorted(set(columns) - shown))


def _list(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value] if value else []
