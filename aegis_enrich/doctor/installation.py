"""Enrichers' files, sensors that read captures, and the index."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from .. import capture
from ..config import Config
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


def indexed(config: Config, registry: Registry) -> Iterator[Check]:
    """Whether the sinks that are configured can be used."""
    if not config.elasticsearch.url:
        yield Check("elasticsearch", "note", "none is configured; alerts stay in the state and in the NDJSON file")
        return
    sink = registry.sinks.get("elasticsearch")
    if sink is None:
        yield Check("elasticsearch", "problem", "its sink is not installed; reinstall AegisEnrich")
        return
    problems = sink.check(dataclasses.asdict(config.elasticsearch))
    yield from (Check("elasticsearch", "problem", text) for text in problems)
    if not problems:
        yield Check("elasticsearch", "ok", f"{config.elasticsearch.url} answers and has the templates")
