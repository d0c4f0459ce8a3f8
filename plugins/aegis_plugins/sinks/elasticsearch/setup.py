"""Puts the index templates into Elasticsearch, and tells what is missing there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from aegis_enrich.errors import AegisError, SinkError
from aegis_enrich.registry import load
from aegis_enrich.tables import TABLES

from .bulk import Later
from .connection import Connection, NotThere
from .templates import ALERTS, COMPONENT, INCIDENTS, INDEX, LOGS, Template, log_template_name, templates

SETUP = "run `aegis-enrich setup elasticsearch`"


There = Mapping[tuple[str, str], Mapping[str, Any]]  # kind and name to template


def setup(connection: Connection, settings: Mapping[str, Any]) -> list[str]:
    """Makes or renews what is not as it should be; a line each of what was done. Raises SinkError."""
    try:
        there = _there(connection)
        return [_put(connection, template, there) for template in _wanted(settings)]
    except Later as error:
        raise SinkError(f"{error}; try again when it does") from error


def check(connection: Connection, settings: Mapping[str, Any]) -> list[str]:
    """What keeps documents from being delivered, a line each: the server, the credentials, the templates needed."""
    tables = settings.get("index_logs") or ()
    unknown = [f"{connection.target}: {t!r} in index_logs is no table of rows" for t in tables if t not in TABLES]
    logs = {log_template_name(t) for t in tables if t in TABLES}
    needed = {ALERTS, INCIDENTS, f"{ALERTS}@settings", *logs, *([f"{LOGS}@settings"] if logs else ())}
    try:
        there = _there(connection)
    except (AegisError, Later) as error:
        return [*unknown, str(error)]
    found = (_problem(connection, t, there.get((t.kind, t.name))) for t in _wanted(settings) if t.name in needed)
    return unknown + [problem for problem in found if problem]


def require(connection: Connection, name: str) -> None:
    """Raises SinkError where a template is missing: without it, documents would be mapped by guesses, for good."""
    try:
        connection.get(f"/_index_template/{name}")
    except NotThere as error:
        raise SinkError(f"the index template {name} is missing; {SETUP}", where=connection.target) from error


def _wanted(settings: Mapping[str, Any]) -> list[Template]:
    return templates(str(settings.get("log_retention") or "30d"), load().enrichers)


def _there(connection: Connection) -> There:
    """The templates under our names."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    patterns = (
        (INDEX, ALERTS),
        (INDEX, INCIDENTS),
        (INDEX, f"{LOGS}.*"),
        (COMPONENT, f"{ALERTS}@*"),
        (COMPONENT, f"{LOGS}@*"),
    )
    for kind, pattern in patterns:
        with contextlib.suppress(NotThere):
            answer = connection.get(f"/_{kind}_template/{pattern}")
            found |= {(kind, e["name"]): e[f"{kind}_template"] for e in answer[f"{kind}_templates"]}
    return found


def _put(connection: Connection, template: Template, there: There) -> str:
    before = there.get((template.kind, template.name))
    said = f"{template.kind} template {template.name}"
    if before is not None and _same(before, template):
        return f"{said}: is there"
    connection.put(f"/_{template.kind}_template/{template.name}", template.signed)
    if template.kind == INDEX:
        _renew(connection, template)
    return f"{said}: {'made' if before is None else 'renewed'}"


def _renew(connection: Connection, template: Template) -> None:
    """Adds new fields to indices that are there already: templates count for new ones only."""
    try:
        connection.put(f"/{template.name}-*/_mapping", template.body["template"]["mappings"])
    except NotThere:
        return
    except SinkError as error:
        what = f"{error.what}; an index {template.name}-* was made by another template: delete or reindex it"
        raise SinkError(what, where=error.where) from error


def _same(there: Mapping[str, Any], wanted: Template) -> bool:
    return bool((there.get("_meta") or {}).get("digest") == wanted.digest)


def _problem(connection: Connection, wanted: Template, there: Mapping[str, Any] | None) -> str | None:
    where = f"{connection.target}: the {wanted.kind} template {wanted.name}"
    if there is None:
        return f"{where} is missing; {SETUP}"
    if _same(there, wanted):
        return None
    version = there.get("version") or 0
    if version > wanted.version:
        return f"{where} is of a newer AegisEnrich (version {version}); update this one"
    return f"{where} is not this AegisEnrich's (version {version} there, {wanted.version} here); {SETUP}"
