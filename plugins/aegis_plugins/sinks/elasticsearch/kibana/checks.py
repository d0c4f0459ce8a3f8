"""What Kibana would refuse or show broken, found without one: envelopes, attributes, references, the grid."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .description import COLUMNS
from .lens_checks import check_control, check_filters, check_lens, check_names
from .objects import CORE, STAMPS
from .views import Fields

Json = Mapping[str, Any]
ENVELOPE = {"attributes", "coreMigrationVersion", "id", "managed", "references", "type", "typeMigrationVersion"}
ORDER = ("index-pattern", "search", "dashboard")
ID = re.compile(r"[A-Za-z0-9._~-]+")
# What the servers' schemas of 8.9 know: `dashboard` and `search` refuse all else.
ATTRIBUTES = {
    "dashboard": "controlGroupInput description hits kibanaSavedObjectMeta optionsJSON panelsJSON refreshInterval "
    "timeFrom timeRestore timeTo title version",
    "index-pattern": "allowHidden allowNoIndex fieldAttrs fieldFormatMap fields name runtimeFieldMap sourceFilters "
    "timeFieldName title type typeMeta",
    "search": "breakdownField columns description grid hideAggregatedPreview hideChart hits isTextBasedQuery "
    "kibanaSavedObjectMeta refreshInterval rowHeight rowsPerPage sort timeRange timeRestore title usesAdHocDataView "
    "version viewMode",
}
REQUIRED = {
    "dashboard": "kibanaSavedObjectMeta optionsJSON panelsJSON title",
    "index-pattern": "timeFieldName title",
    "search": "columns kibanaSavedObjectMeta sort title",
}
CONTROL_GROUP = {"chainingSystem", "controlStyle", "ignoreParentSettingsJSON", "panelsJSON"}
GRID = {"h", "i", "w", "x", "y"}
PANELS = {"lens", "search", "visualization"}


def check_file(text: str, fields: Fields) -> list[str]:
    """What is wrong with an NDJSON file of saved objects, a line each, by object and panel."""
    try:
        *objects, summary = [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        return [f"no line of JSON each: {error}"]
    counted = [] if summary.get("exportedCount") == len(objects) else ["the summary counts other objects"]
    return counted + check(objects, fields)


def check(objects: Sequence[Json], fields: Fields) -> list[str]:
    """What is wrong with these objects."""
    keys = Counter((o.get("type"), o.get("id")) for o in objects)
    found = [f"{kind} {ident}: {n} objects of this id" for (kind, ident), n in keys.items() if n > 1]
    order = [ORDER.index(o["type"]) for o in objects if o.get("type") in ORDER]
    if order != sorted(order):
        found.append("views come first, then searches, then dashboards, for each refers to those before it")
    for each in objects:
        where = f"{each.get('type')} {each.get('id')}"
        try:
            found += [f"{where}: {what}" for what in _object(each, set(keys), fields)]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found.append(f"{where}: its form is wrong ({error!r})")
    return found


def _object(each: Json, keys: set[tuple[Any, Any]], fields: Fields) -> Iterator[str]:
    yield from _envelope(each)
    if each["type"] not in STAMPS:
        return
    yield from _attributes(each)
    names = Counter(r["name"] for r in each["references"])
    yield from (f"{n} references {name}" for name, n in names.items() if n > 1)
    for reference in each["references"]:
        if (reference["type"], reference["id"]) not in keys:
            yield f"reference {reference['name']}: there is no {reference['type']} {reference['id']}"
    by_name = {r["name"]: r["id"] for r in each["references"]}
    if each["type"] == "dashboard":
        yield from _dashboard(each["attributes"], by_name, fields)
    elif each["type"] == "search":
        yield from _search(each["attributes"], by_name, fields)
    else:
        yield from check_names(json.loads(each["attributes"]["fieldFormatMap"]), fields[each["id"]])


def _envelope(each: Json) -> Iterator[str]:
    if wrong := set(each) ^ ENVELOPE:
        yield f"keys of the envelope: {sorted(wrong)}"
    if each["type"] not in STAMPS:
        yield f"a type that is not among {', '.join(STAMPS)}"
    elif (each["coreMigrationVersion"], each["typeMigrationVersion"]) != (CORE, STAMPS[each["type"]]):
        yield f"stamped with other versions than {CORE} and {STAMPS[each['type']]}"
    if not ID.fullmatch(str(each["id"])):
        yield "an id that no URL can hold as it is"


def _attributes(each: Json) -> Iterator[str]:
    given, kind = set(each["attributes"]), each["type"]
    yield from (f"unknown attribute {name}" for name in sorted(given - set(ATTRIBUTES[kind].split())))
    yield from (f"no attribute {name}" for name in sorted(set(REQUIRED[kind].split()) - given))
    for path, value in _texts(each["attributes"]):
        try:
            json.loads(value)
        except (TypeError, ValueError):
            yield f"{path} holds no JSON in a text"


def _texts(attributes: Json) -> Iterator[tuple[str, Any]]:
    """The attributes that are JSON in texts."""
    for name, value in attributes.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{path}", text) for path, text in _texts(value))
        elif name.endswith("JSON") or name in ("fieldAttrs", "fieldFormatMap", "runtimeFieldMap", "sourceFilters"):
            yield name, value


def _search(attributes: Json, references: Mapping[str, str], fields: Fields) -> Iterator[str]:
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    used = {source["indexRefName"], *(f["meta"]["indexRefName"] for f in source["filter"])}
    yield from _alike(used, set(references))
    known = fields[references[source["indexRefName"]]]
    yield from check_names([*attributes["columns"], *(name for name, _ in attributes["sort"])], known)
    yield from check_filters(source["filter"], known)


def _dashboard(attributes: Json, references: Mapping[str, str], fields: Fields) -> Iterator[str]:
    panels = json.loads(attributes["panelsJSON"])
    used: set[str] = set()
    for panel in panels:
        index = panel["panelIndex"]
        own = {n.removeprefix(f"{index}:"): i for n, i in references.items() if n.startswith(f"{index}:")}
        wanted = set(_wanted(panel))
        used |= {f"{index}:{name}" for name in wanted}
        found = itertools.chain(_panel(panel), check_lens(panel, own, fields) if panel["type"] == "lens" else ())
        yield from (f"panel {index}: {what}" for what in found)
    yield from _grid(panels)
    if set(attributes["controlGroupInput"]) != CONTROL_GROUP:
        yield f"controlGroupInput has other keys than {sorted(CONTROL_GROUP)}"
    for key, control in json.loads(attributes["controlGroupInput"]["panelsJSON"]).items():
        name = f"controlGroup_{key}:{control['type'].removesuffix('Control')}DataView"
        used.add(name)
        if name in references:
            yield from check_control(key, control, fields[references[name]])
    yield from _alike(used, set(references))


def _alike(used: set[str], there: set[str]) -> Iterator[str]:
    yield from (f"no reference {name}" for name in sorted(used - there))
    yield from (f"reference {name} belongs to nothing" for name in sorted(there - used))


def _wanted(panel: Json) -> Iterator[str]:
    """Names of the references that a panel needs, without its own."""
    if "panelRefName" in panel:
        yield panel["panelRefName"]
    config = panel["embeddableConfig"]
    yield from (r["name"] for r in config.get("attributes", {}).get("references", ()))
    for event in config["enhancements"].get("dynamicActions", {}).get("events", ()):
        yield f"drilldown:{event['action']['factoryId']}:{event['eventId']}:dashboardId"


def _panel(panel: Json) -> Iterator[str]:
    if panel["type"] not in PANELS:
        yield f"a type that is not among {', '.join(sorted(PANELS))}"
    if panel["type"] == "search" and panel.get("panelRefName") != f"panel_{panel['panelIndex']}":
        yield "its panelRefName is not panel_<panelIndex>"
    if panel["type"] == "visualization" and panel["embeddableConfig"]["savedVis"]["type"] != "markdown":
        yield "a visualization that is no Markdown: Kibana 9 makes none such"


def _grid(panels: Sequence[Json]) -> Iterator[str]:
    for index, n in Counter(p["panelIndex"] for p in panels).items():
        if n > 1:
            yield f"panel {index}: {n} panels of this name"
    for panel in panels:
        at, index = panel["gridData"], panel["panelIndex"]
        if set(at) != GRID or at["i"] != index:
            yield f"panel {index}: its place on the grid is of another panel, or has other keys"
        if at["x"] < 0 or at["y"] < 0 or at["w"] < 1 or at["h"] < 1 or at["x"] + at["w"] > COLUMNS:
            yield f"panel {index}: out of the grid of {COLUMNS} columns"
    for one, other in itertools.combinations(panels, 2):
        if _overlap(one["gridData"], other["gridData"]):
            yield f"panel {one['panelIndex']}: overlaps {other['panelIndex']}"


def _overlap(a: Json, b: Json) -> bool:
    return bool(
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )
