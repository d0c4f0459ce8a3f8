"""A log row as a document: ECS fields where ECS has a place, `aegis.<table>.<column>` for all else."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aegis_enrich.decide.fields import FIELDS
from aegis_enrich.prefixes import is_address
from aegis_enrich.tables import TABLES

from . import ecs

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Place:
    """Where a column's value stands in the document, and as what."""

    path: tuple[str, ...]
    convert: Convert | None = None
    many: bool = False  # values of several columns meet here, each once


def stream(table: str) -> str:
    """The data stream of a table's rows."""
    return f"logs-{dataset(table)}-{ecs.NAMESPACE}"


def dataset(table: str) -> str:
    return f"aegis.{table}"


def row_document(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a row (columns to Python values, as Arrow gives them); null and empty values are left out."""
    doc = _frame(table)
    places = _places(table)
    for column, value in row.items():
        if value is None or value == []:
            continue
        for place in places.get(column) or (Place(own(table, column)),):
            converted = place.convert(value) if place.convert else _plain(value)
            if converted is not None:
                _put(doc, place, converted)
    return doc


def own(table: str, column: str) -> tuple[str, ...]:
    """The path of a column that ECS has no place for; snapshots of open connections share those of closed ones."""
    return ("aegis", table.removeprefix("open_"), column)


def fields(table: str, added: Mapping[str, str]) -> dict[str, str]:
    """Every field (dotted) of a table's documents with its type; `added`: the enrichers' columns and their kinds."""
    kinds = {**TABLES[table].kinds, **added}
    found = dict(ecs.FRAME)
    for column, kind in kinds.items():
        for place in _places(table).get(column) or (Place(own(table, column)),):
            path = ".".join(place.path)
            found[path] = FIELDS.get(path) or ecs.TYPES.get(path) or ecs.OF_KIND[kind]
    return dict(sorted(found.items()))


def _frame(table: str) -> dict[str, Any]:
    """What every document of a table has."""
    category, kind = ecs.CATEGORIES.get(table.removeprefix("open_"), ecs.CATEGORY)
    return {
        "ecs": {"version": ecs.VERSION},
        "data_stream": {"type": "logs", "dataset": dataset(table), "namespace": ecs.NAMESPACE},
        "event": {
            "kind": "event",
            "category": list(category),
            "type": list(kind),
            "module": "aegis",
            "dataset": dataset(table),
        },
    }


@functools.cache
def _places(table: str) -> dict[str, tuple[Place, ...]]:
    """The places of a table's columns, and of those that the shipped enrichers add."""
    kinds = TABLES[table].kinds
    names = {**ecs.EVERY, **ecs.TABLE.get(table.removeprefix("open_"), {})}
    places: dict[str, list[Place]] = {}
    for column in {**kinds, **names}:
        paths = names.get(column)
        if paths is None:
            paths = ".".join(own(table, column))
        for path in paths.split():
            convert = _CONVERT.get(path) or (str if _is_text(path, kinds.get(column)) else None)
            places.setdefault(column, []).append(Place(tuple(path.split(".")), convert, path in ecs.MANY))
        if kinds.get(column) in ("addr", "addrs"):
            places[column].append(Place(("related", "ip"), None, many=True))
    return {column: tuple(found) for column, found in places.items()}


def _is_text(path: str, kind: str | None) -> bool:
    """Whether a number becomes a text in ECS, such as dns.id."""
    return kind == "count" and (FIELDS.get(path) or ecs.TYPES.get(path)) == "keyword"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _put(doc: dict[str, Any], place: Place, value: Any) -> None:
    here = doc
    for key in place.path[:-1]:
        here = here.setdefault(key, {})
    if not place.many:
        here[place.path[-1]] = value
        return
    there = here.setdefault(place.path[-1], [])
    there += [v for v in (value if isinstance(value, list) else (value,)) if v not in there]


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1_000_000) * 1_000


def _locality(internal: bool) -> str:
    return "internal" if internal else "external"


def _mac(text: str) -> str:
    return text.upper().replace(":", "-")


def _host(text: str) -> str:
    """A Host header without its port."""
    name, colon, port = text.rpartition(":")
    return name if colon and port.isdigit() and (":" not in name or name.endswith("]")) else text


def _tls_version(text: str) -> str:
    """`TLSv12` as `1.2`."""
    digits = text.lower().removeprefix("dtls").removeprefix("tls").removeprefix("ssl").removeprefix("v")
    return f"{digits[0]}.{digits[1:] or '0'}" if digits.isdigit() else text


def _addresses(answers: list[str]) -> list[str] | None:
    """Those of a DNS answer's values that are addresses."""
    return [a for a in answers if _is_address(a)] or None


def _is_address(text: str) -> bool:
    return bool(text) and (text[0].isdigit() or ":" in text) and is_address(text)  # most answers are names


def _object(text: str) -> Any:
    """JSON text as what it says; as it is where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": text}


_CONVERT: dict[str, Convert] = {
    "event.duration": _nanoseconds,
    "aegis.source.locality": _locality,
    "aegis.destination.locality": _locality,
    "source.mac": _mac,
    "destination.mac": _mac,
    "destination.domain": _host,
    "url.domain": _host,
    "related.hosts": _host,
    "tls.version": _tls_version,
    "dns.resolved_ip": _addresses,
    "aegis.extra": _object,
}
