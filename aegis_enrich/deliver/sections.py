"""Which sinks the configuration names: those with a section of their own, and entries under `plugins`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Config
from ..errors import AegisError, ConfigError, Problems
from ..plugin import Sink
from ..registry import Registry

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
SECTIONS = ("elasticsearch", "opensearch")  # of the configuration, of sinks that come with AegisEnrich
KIND = "sink"  # in an entry under `plugins`: the sink that it is of, where that is not its name


@dataclass(frozen=True)
class Section:
    """A sink that is to be used: the name under which it is known here, its class, its settings."""

    name: str
    sink: type[Sink]
    settings: Mapping[str, Any]

    def made(self) -> Sink:
        """The sink; raises Problems that name the section."""
        try:
            return self.sink(self.settings)
        except AegisError as error:
            raise Problems([self._named(problem) for problem in error.problems]) from error

    def check(self) -> list[str]:
        """What keeps it from being used, a sentence each."""
        try:
            self.made().close()
        except AegisError as error:
            return [str(problem) for problem in error.problems]
        return list(self.sink.check(self.settings))

    def _named(self, problem: AegisError) -> AegisError:
        """A problem of an entry under `plugins` as one of that entry."""
        kind, dot, setting = problem.where.partition(".")
        if kind != self.sink.name or kind in SECTIONS:
            return problem
        return ConfigError(problem.what, where=f"plugins.{self.name}{dot}{setting}")


def sections(config: Config, registry: Registry, output: Path | None = None) -> list[Section]:
    """The sinks in use; `output`: the NDJSON file. Raises Problems where one is not installed."""
    problems: list[AegisError] = []
    found: list[Section] = []
    for name, kind, settings in _named(config, registry, output):
        if wrong := _wrong_name(name, [section.name for section in found]):
            problems.append(ConfigError(wrong, where=f"plugins.{name}"))
        elif kind in registry.sinks:
            found.append(Section(name, registry.sinks[kind], settings))
        else:
            what = f"the sink {kind} is not installed; `aegis-enrich plugins` lists those that are"
            problems.append(ConfigError(what, where=f"plugins.{name}" if name in config.plugins else name))
    if problems:
        raise Problems(problems)
    return found


def _wrong_name(name: str, others: Sequence[str]) -> str:
    """Names are parts of the keys under which the state keeps cursors."""
    if name in others:
        return "there is a sink of this name already; choose another"
    return "" if _NAME.fullmatch(name) else "is no name for a sink; use letters, digits, dots, dashes and underscores"


def _named(config: Config, registry: Registry, output: Path | None) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Name, kind and settings of each."""
    if output is not None:
        yield "ndjson", "ndjson", {"path": output, **dataclasses.asdict(config.rotate)}
    for name in SECTIONS:
        own: Any = getattr(config, name, None)
        if any(getattr(own, setting, "") for setting in ("url", "cloud_id")):
            yield name, name, dataclasses.asdict(own)
    others = {*registry.enrichers, *registry.tables, *registry.detectors}
    for name, entry in config.plugins.items():
        if name not in others:
            yield name, str(entry.get(KIND, name)), {k: v for k, v in entry.items() if k != KIND}


def make(chosen: Sequence[Section]) -> dict[str, Sink]:
    """The sinks by name; raises Problems with those of all of them."""
    made: dict[str, Sink] = {}
    problems: list[AegisError] = []
    for section in chosen:
        try:
            made[section.name] = section.made()
        except AegisError as error:
            problems += error.problems
    if problems:
        for sink in made.values():
            sink.close()
        raise Problems(problems)
    return made
