"""Conditions as Kibana's filters, which hold Elasticsearch's queries."""

from __future__ import annotations

from typing import Any

from .description import ANY, Not, Where

Filter = dict[str, Any]


def filters(where: Where, index: str) -> list[Filter]:
    """A filter for each condition; `index` names the data view's reference."""
    return [_filter(name, wanted, index) for name, wanted in where.items()]


def _filter(name: str, wanted: Any, index: str) -> Filter:
    negate = isinstance(wanted, Not)
    values = list(wanted.values) if isinstance(wanted, Not) else wanted
    if isinstance(values, list) and len(values) == 1:
        (values,) = values
    kind, params, query = _query(name, values)
    meta = {"alias": None, "disabled": False, "field": name, "index": index, "key": name, "negate": negate}
    if params is not None:
        meta["params"] = params
    return {"$state": {"store": "appState"}, "meta": {**meta, "type": kind}, "query": query}


def _query(name: str, values: Any) -> tuple[str, Any, Filter]:
    """Kibana's word for the condition, its parameters and the query."""
    if values is ANY:
        return "exists", None, {"exists": {"field": name}}
    if isinstance(values, list):
        any_of = [{"match_phrase": {name: value}} for value in values]
        return "phrases", values, {"bool": {"minimum_should_match": 1, "should": any_of}}
    return "phrase", {"query": values}, {"match_phrase": {name: values}}
