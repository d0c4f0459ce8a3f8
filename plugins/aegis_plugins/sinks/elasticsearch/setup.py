"""Puts templates (and a policy where asked for) into the server, and tells what is missing there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_enrich.errors import AegisError, Problems, SinkError
from aegis_enrich.tables import TABLES

from . import health
from .bulk import Later
from .server import NotThere, Server, Unknown
from .templates import ALERTS, COMPONENT, ILM, INCIDENTS, INDEX, ISM, LOGS, POLICY, Template, log_template_name

SETUP = "run `aegis-enrich setup {}`"


@dataclass(frozen=True)
class There:
    """What stands under one of our names on the server."""

    version: int
    digest: str
    held: str = ""  # what a change has to name, so that nobody else's is overwritten


Found = Mapping[tuple[str, str], There]  # kind and name


def setup(server: Server, wanted: Sequence[Template], pipeline: str = "") -> list[str]:
    """Makes or renews what is not as it should be; a line each of what was done.

    Raises SinkError, or Problems where they are several; what can be made is made before.
    """
    problems: list[AegisError] = []
    lines = []
    try:
        _require_pipeline(server, pipeline)
        there = _there(server, {t.kind for t in wanted})
        for template in wanted:
            try:
                lines.append(_put(server, template, there))
            except Unknown as error:
                what = f"{template.said}: {error.what}; this server has no such thing: choose another lifecycle"
                problems.append(SinkError(what, where=server.target))
            except SinkError as error:
                problems.append(error)
    except Later as error:
        raise SinkError(f"{error}; try again when it does") from error
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    return lines


def check(server: Server, wanted: Sequence[Template], tables: Iterable[str], name: str) -> list[str]:
    """What keeps documents from being delivered, a line each: the server, the credentials, the templates needed."""
    tables = list(tables)
    unknown = [f"{server.target}: {t!r} in index_logs is no table of rows" for t in tables if t not in TABLES]
    logs = {log_template_name(t) for t in tables if t in TABLES}
    needed = {ALERTS, INCIDENTS, health.TEMPLATE, f"{ALERTS}@settings", f"{LOGS}@settings", *logs}
    try:
        there = _there(server, {COMPONENT, INDEX})
    except (AegisError, Later) as error:
        return [*unknown, str(error)]
    seen = (t for t in wanted if t.name in needed and t.kind in (COMPONENT, INDEX))
    found = (_problem(server, t, there.get((t.kind, t.name)), SETUP.format(name)) for t in seen)
    return unknown + [problem for problem in found if problem]


def require(server: Server, template: str, name: str) -> None:
    """Raises SinkError where a template is missing: without it, documents would be mapped by guesses, for good."""
    try:
        server.get(f"/_index_template/{template}")
    except NotThere as error:
        what = f"the index template {template} is missing; {SETUP.format(name)}"
        raise SinkError(what, where=server.target) from error


def requests(wanted: Sequence[Template]) -> list[dict[str, Any]]:
    """What `setup` would send to a server that has nothing yet, in order."""
    return [{"method": "PUT", "path": template.path, "body": template.signed} for template in wanted]


def _require_pipeline(server: Server, pipeline: str) -> None:
    """Raises SinkError where the site's pipeline is missing; who may not see it is believed."""
    try:
        if pipeline:
            server.get(f"/_ingest/pipeline/{pipeline}")
    except NotThere as error:
        what = f"the ingest pipeline {pipeline} is missing; make it, or leave `pipeline` empty"
        raise SinkError(what, where=server.target) from error
    except SinkError as error:
        if "security_exception" not in str(error):
            raise


def _there(server: Server, kinds: Iterable[str]) -> Found:
    """What there is under our names."""
    paths = {
        COMPONENT: (f"{ALERTS}@*", f"{LOGS}@*"),
        INDEX: (ALERTS, INCIDENTS, f"{LOGS}.*"),
        ILM: (POLICY,),
        ISM: (POLICY,),
    }
    found: dict[tuple[str, str], There] = {}
    for kind in sorted(kinds):
        for name in paths[kind]:
            with contextlib.suppress(NotThere, Unknown):
                found |= _read(kind, server.get(Template(kind, name, {}).path))
    return found


def _read(kind: str, answer: Any) -> dict[tuple[str, str], There]:
    if kind == ILM:
        metas = {name: held["policy"].get("_meta") or {} for name, held in answer.items()}
        return {(kind, name): There(int(m.get("version") or 0), m.get("digest", "")) for name, m in metas.items()}
    if kind == ISM:
        *_, version, digest = ("", "0", *str(answer["policy"].get("description")).split())
        state = f"?if_seq_no={answer['_seq_no']}&if_primary_term={answer['_primary_term']}"
        return {(kind, answer["_id"]): There(int(version) if version.isdigit() else 0, digest, state)}
    held = {each["name"]: each[f"{kind}_template"] for each in answer[f"{kind}_templates"]}
    return {
        (kind, name): There(int(t.get("version") or 0), (t.get("_meta") or {}).get("digest", ""))
        for name, t in held.items()
    }


def _put(server: Server, template: Template, there: Found) -> str:
    before = there.get((template.kind, template.name))
    if before is not None and (template.once or before.digest == template.digest):
        return f"{template.said}: is there"
    if before is not None and before.version > template.version:
        what = f"{template.said} is of a newer AegisEnrich (version {before.version}); update this one"
        raise SinkError(what, where=server.target)
    server.put(template.path + (before.held if before else ""), template.signed)
    if template.kind == INDEX:
        _renew(server, template)
    return f"{template.said}: {'made' if before is None else 'renewed'}"


def _renew(server: Server, template: Template) -> None:
    """Adds new fields to indices that are there already: templates count for new ones only."""
    try:
        server.put(f"/{template.name}-*/_mapping", template.body["template"]["mappings"])
    except NotThere:
        return
    except SinkError as error:
        what = f"{error.what}; an index {template.name}-* was made by another template: delete or reindex it"
        raise SinkError(what, where=error.where) from error


def _problem(server: Server, wanted: Template, there: There | None, setup: str) -> str | None:
    where = f"{server.target}: the {wanted.said}"
    if there is None:
        return f"{where} is missing; {setup}"
    if there.digest == wanted.digest:
        return None
    if there.version > wanted.version:
        return f"{where} is of a newer AegisEnrich (version {there.version}); update this one"
    return f"{where} is not this AegisEnrich's (version {there.version} there, {wanted.version} here); {setup}"
