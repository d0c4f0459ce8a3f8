"""Finds the plugins that are installed: classes named by the entry points of the group `aegis_enrich.plugins`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from .errors import ConfigError
from .plugin import DerivedTable, Detector, Enricher, Plugin, Sink

GROUP = "aegis_enrich.plugins"
P = TypeVar("P", bound=Plugin)


@dataclass(frozen=True)
class Registry:
    """The plugins by kind and name, in the order of their names."""

    enrichers: dict[str, type[Enricher]]
    tables: dict[str, type[DerivedTable]]
    detectors: dict[str, type[Detector]]
    sinks: dict[str, type[Sink]]


def load(points: Iterable[EntryPoint] | None = None) -> Registry:
    """All installed plugins; raises ConfigError for one that does not load, has no kind or bears another name."""
    classes = {}
    for point in entry_points(group=GROUP) if points is None else points:
        try:
            plugin = point.load()
        except ImportError as error:
            raise ConfigError(
                f"plugin {point.name!r} does not load: {error}; reinstall or remove its package", where=point.value
            ) from error
        if getattr(plugin, "name", None) != point.name:
            raise ConfigError(
                f"the class is {getattr(plugin, 'name', None)!r}; name it {point.name!r} like its entry point",
                where=point.value,
            )
        classes[point.name] = plugin
    registry = Registry(*(_of(kind, classes) for kind in (Enricher, DerivedTable, Detector, Sink)))  # type: ignore[arg-type]
    known = {*registry.enrichers, *registry.tables, *registry.detectors, *registry.sinks}
    for name in sorted(set(classes) - known):
        raise ConfigError(f"{name!r} is no enricher, derived table, detector or sink", where=classes[name].__module__)
    return registry


def _of(kind: type[P], classes: dict[str, type]) -> dict[str, type[P]]:
    return {name: plugin for name, plugin in sorted(classes.items()) if issubclass(plugin, kind)}
