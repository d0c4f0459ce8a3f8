"""A site's model: its training rows and the ensemble that is fitted to them, once per process."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_enrich import registry
from aegis_plugins.models import stored
from aegis_plugins.models.measures import schema_of

from . import example
from .ensemble import Ensemble
from .measures import MEASURES, TABLES

KIND = "anomaly"
MOST_ROWS = 5_000


@dataclass(frozen=True)
class Model:
    """What a detector judges by; `about` None: the made example of the rule's tests."""

    ensemble: Ensemble
    about: stored.About | None
    rows: int
    hash: str


def schema() -> str:
    tables = registry.load().tables
    return schema_of(MEASURES, [tables[name] for name in TABLES])


def _load(path: str) -> Model:
    if path == example.NAME:
        rows = example.rows()
        return Model(Ensemble.of(rows), None, len(rows), example.NAME)
    kept = stored.named(path, KIND, schema())
    return Model(Ensemble.of(kept.rows), kept.about, len(kept.rows), kept.hash)


def check(path: str) -> None:
    """Raises ModelError for a file that cannot be used."""
    if path != example.NAME:
        stored.named(path, KIND, schema())


load = stored.cached(_load)
