"""All saved objects, those first that others refer to, and the file of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .boards import BOARDS, SEARCHES
from .dashboards import board_id, dashboard, search_id, text
from .description import Search, View
from .filters import filters
from .views import VIEWS, Fields

Json = dict[str, Any]
CORE = "8.8.0"
# The versions of the objects' form that Kibana 8.9 wrote: newer ones read them, older ones refuse them.
STAMPS = {"dashboard": "8.9.0", "index-pattern": "8.0.0", "search": "8.0.0"}
_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
_FILTERED = "kibanaSavedObjectMeta.searchSourceJSON.filter[{}].meta.index"


def saved_objects(fields: Fields) -> list[Json]:
    """`fields`: those behind each view (views.fields)."""
    titles = {board.key: board.title for board in BOARDS}
    made = [_object("index-pattern", view.key, _view(view), []) for view in VIEWS]
    made += [_object("search", search_id(s.key), *_search(s)) for s in SEARCHES]
    return made + [_object("dashboard", board_id(b.key), *dashboard(b, fields, titles)) for b in BOARDS]


def ndjson(objects: Sequence[Json]) -> str:
    """The file that Kibana imports: an object a line, then what an export says of itself."""
    summary = {
        "excludedObjects": [],
        "excludedObjectsCount": 0,
        "exportedCount": len(objects),
        "missingRefCount": 0,
        "missingReferences": [],
    }
    return "".join(f"{text(line)}\n" for line in (*objects, summary))


def _object(kind: str, ident: str, attributes: Mapping[str, Any], references: Sequence[Json]) -> Json:
    return {
        "attributes": attributes,
        "coreMigrationVersion": CORE,
        "id": ident,
        "managed": False,
        "references": list(references),
        "type": kind,
        "typeMigrationVersion": STAMPS[kind],
    }


def _view(view: View) -> Json:
    formats = {name: {"id": kind, "params": params} for name, (kind, params) in view.formats.items()}
    return {
        "allowNoIndex": True,
        "fieldAttrs": "{}",
        "fieldFormatMap": text(formats),
        "fields": "[]",
        "name": view.name,
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
        "timeFieldName": "@timestamp",
        "title": view.pattern,
    }


def _search(search: Search) -> tuple[Json, list[Json]]:
    found = filters({**search.view.where, **search.where}, "")
    names = [_FILTERED.format(n) for n in range(len(found))]
    for kept, name in zip(found, names, strict=True):
        del kept["meta"]["index"]
        kept["meta"]["indexRefName"] = name
    source = {"filter": found, "indexRefName": _SOURCE, "query": {"language": "kuery", "query": ""}}
    attributes = {
        "columns": list(search.columns),
        "description": search.about,
        "grid": {},
        "hideChart": False,
        "isTextBasedQuery": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": text(source)},
        "sort": [["@timestamp", "desc"]],
        "timeRestore": False,
        "title": f"Aegis {search.title}",
    }
    return attributes, [{"id": search.view.key, "name": name, "type": "index-pattern"} for name in (_SOURCE, *names)]
