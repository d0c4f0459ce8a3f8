"""Enrichers' files, sensors that read captures, and the index."""

from __future__ import annotations

from collections.abc import Iterator

from .. import capture
from ..config import Config
from ..deliver.sections import SECTIONS, Section, sections
from ..errors import AegisError
from ..registry import Registry
from .check import Check


def enrichers(config: Config, registry: Registry, now_s: float) -> Iterator[Check]:
    """Whether each enricher has what it needs, and whether its files are fresh."""
    settings = config.enricher_settings()
    for name, kind in registry.enrichers.items():
        try:
            said = kind(settings.get(name, {})).health(now_s)
        except AegisError as error:
            yield from (Check(name, "problem", str(p)) for p in error.problems)
            continue
        yield from (Check(name, "note", text) for text in said)
        if not said:
            yield Check(name, "ok", "has what it needs")


def sensors() -> Iterator[Check]:
    """Which sensors `analyze` could let read a capture."""
    found = capture.installed()
    for sensor in found:
        version = sensor.version()
        said = f"{sensor.title} {version} ({sensor.path}) reads captures for `aegis-enrich analyze`"
        broken = f"{sensor.path} is there and does not run; install {sensor.title} anew"
        yield Check("captures", "ok" if version else "problem", said if version else broken)
    if not found:
        what = "neither Zeek nor Suricata is installed here; logs are read without them, captures are not"
        yield Check("captures", "note", what)


def delivered(config: Config, registry: Registry) -> Iterator[Check]:
    """Whether the sinks that are configured can be used."""
    try:
        chosen = sections(config, registry)
    except AegisError as error:
        yield from (Check("sinks", "problem", str(p)) for p in error.problems)
        return
    if not any(section.name in SECTIONS for section in chosen):
        yield Check("elasticsearch", "note", "none is configured; alerts stay in the state and in the NDJSON file")
    for section in chosen:
        problems = section.check()
        yield from (Check(section.name, "problem", text) for text in problems)
        if not problems:
            yield Check(section.name, "ok", _works(section))


def _works(section: Section) -> str:
    if section.name in SECTIONS:
        return f"{section.settings.get('url') or 'the cloud'} answers and has the templates"
    return f"a sink of the kind {section.sink.name} whose settings check"
