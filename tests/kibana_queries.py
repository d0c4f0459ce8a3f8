"""What Kibana would ask Elasticsearch for a panel of Lens: the search of its filters and columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

INTERVAL = "1h"
_KQL = re.compile(r'"?([\w@.]+)"?\s*:\s*(?:"([^"]*)"|(\S+))')
_FIGURES = {"max": "max", "median": "percentiles", "percentile": "percentiles", "sum": "sum", "average": "avg"}


def panels(board: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Index, attributes and references (name to id) of each panel of Lens of a dashboard."""
    for panel in json.loads(board["attributes"]["panelsJSON"]):
        if panel["type"] == "lens":
            attributes = panel["embeddableConfig"]["attributes"]
            yield panel["panelIndex"], attributes, {r["name"]: r["id"] for r in attributes["references"]}


def search(attributes: dict[str, Any]) -> dict[str, Any]:
    """The body of `_search` for a panel."""
    state = attributes["state"]
    (layer,) = state["datasourceStates"]["formBased"]["layers"].values()
    return {"size": 0, "track_total_hits": True, "query": kept(state["filters"]), "aggs": _aggregations(layer)}


def kept(filters: list[dict[str, Any]]) -> dict[str, Any]:
    """Filters as one query."""
    asked: dict[str, list[Any]] = {"filter": [], "must_not": []}
    for each in filters:
        asked["must_not" if each["meta"]["negate"] else "filter"].append(each["query"])
    return {"bool": asked}


def rows(answer: dict[str, Any], attributes: dict[str, Any]) -> int:
    """How many innermost buckets (without any: the whole) have documents and a first figure."""
    (layer,) = attributes["state"]["datasourceStates"]["formBased"]["layers"].values()
    depth = sum(bool(c["isBucketed"]) for c in layer["columns"].values())
    whole = {"doc_count": answer["hits"]["total"]["value"], **answer.get("aggregations", {})}
    return _filled(whole, depth)


def _filled(node: dict[str, Any], depth: int) -> int:
    if not depth:
        return int(node["doc_count"] > 0 and _has_value(node.get("figure0", {"value": node["doc_count"]})))
    buckets = node["bucket"]["buckets"]
    inner = list(buckets.values()) if isinstance(buckets, dict) else buckets
    return sum(_filled(bucket, depth - 1) for bucket in inner)


def _has_value(figure: dict[str, Any]) -> bool:
    found = [figure["value"]] if "value" in figure else figure.get("values", figure.get("newest"))
    return any(v is not None for v in (found.values() if isinstance(found, dict) else found))


def _aggregations(layer: dict[str, Any]) -> dict[str, Any]:
    """Buckets within buckets, each with the figures, for its values may be ordered by one."""
    columns = [layer["columns"][name] for name in layer["columnOrder"]]
    figures = {n: _figure(c) for n, c in layer["columns"].items() if not c["isBucketed"] and "sourceField" in c}
    figures = {n: f for n, f in figures.items() if f}
    found = figures
    for column in reversed([c for c in columns if c["isBucketed"]]):
        found = {**figures, "bucket": {**_bucket(column, layer["columns"]), "aggs": found}}
    return found


def _figure(column: dict[str, Any]) -> dict[str, Any]:
    source, operation = column["sourceField"], column["operationType"]
    if operation == "count":
        return {}
    if operation == "unique_count":
        return {"cardinality": {"field": source}}
    if operation == "last_value":
        newest = {
            "size": 1,
            "sort": [{column["params"]["sortField"]: "desc"}],
            "docvalue_fields": [source],
            "_source": False,
        }
        return {"filter": _kql(column["filter"]["query"]), "aggs": {"newest": {"top_hits": newest}}}
    percents = {"median": [50]}.get(operation) or [column["params"].get("percentile")]
    extra = {"percents": percents} if _FIGURES[operation] == "percentiles" else {}
    return {_FIGURES[operation]: {"field": source, **extra}}


def _bucket(column: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    params, operation = column["params"], column["operationType"]
    if operation == "filters":
        return {"filters": {"filters": {f["label"]: _kql(f["input"]["query"]) for f in params["filters"]}}}
    if operation == "date_histogram":
        return {"date_histogram": {"field": column["sourceField"], "fixed_interval": INTERVAL, "min_doc_count": 1}}
    by = params["orderBy"].get("columnId")
    key = _order_key(by, columns[by]) if by else "_key"
    found = {"field": column["sourceField"], "size": params["size"], "order": {key: params["orderDirection"]}}
    return {"terms": found | ({"include": params["include"]} if params["include"] else {})}


def _order_key(name: str, column: dict[str, Any]) -> str:
    return {"count": "_count", "median": f"{name}.50"}.get(column["operationType"], name)


def _kql(query: str) -> dict[str, Any]:
    """`field: value` and `field: *`, all that the boards use."""
    found = _KQL.fullmatch(query.strip())
    assert found, f"this reads only 'field: value': {query}"
    name, quoted, bare = found.groups()
    if bare == "*":
        return {"exists": {"field": name}}
    return {"term": {name: quoted if bare is None else bare}}
