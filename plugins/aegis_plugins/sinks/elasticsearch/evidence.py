"""Which type each name of an alert's evidence is of: as detectors declare it, else as the tables have the column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import Detector
from aegis_enrich.sigma.detector import CORRELATED
from aegis_enrich.tables import TABLES

from . import ecs

PREFIX = "aegis.evidence."
SIGMA = "Sigma's correlations"
# Detectors declare it in these words; a number that does not fit its field is kept and not found by it.
_OF_KIND = {"addr": "ip", "bool": "boolean", "count": "long", "double": "double", "string": "keyword"}
_LEFT_OUT = frozenset({"extra"})  # JSON, of which each log has its own


def fields(detectors: Mapping[str, type[Detector]]) -> dict[str, str]:
    """Fields (dotted) and their types; raises ConfigError where two detectors declare a name as different things."""
    return {PREFIX + name: kind for name, kind in sorted({**_of_rows(), **_of_detectors(detectors)}.items())}


def _of_detectors(detectors: Mapping[str, type[Detector]]) -> dict[str, str]:
    kinds: dict[str, str] = {}
    by: dict[str, str] = {}
    for detector, name, kind in _declared(detectors):
        if kinds.setdefault(name, kind) != kind:
            what = f"evidence {name!r} is {kind} here and {kinds[name]} in {by[name]}; one of them has to rename it"
            raise ConfigError(what, where=f"detector {detector}")
        by.setdefault(name, detector)
    return {name: _OF_KIND[kind] for name, kind in kinds.items()}


def _declared(detectors: Mapping[str, type[Detector]]) -> Iterator[tuple[str, str, str]]:
    """Detector, name and kind."""
    for name, kind in CORRELATED.items():
        yield SIGMA, name, kind
    for detector in sorted(detectors):
        for name, kind in detectors[detector].evidence.items():
            yield detector, name, kind


def _of_rows() -> dict[str, str]:
    """What rules for rows take into the evidence: any column; a text where tables do not agree on what it is."""
    kinds: dict[str, set[str]] = {}
    for table in TABLES.values():
        for column, kind in table.kinds.items():
            kinds.setdefault(column, set()).add(ecs.OF_KIND[kind])
    return {c: kind.pop() if len(kind) == 1 else "keyword" for c, kind in kinds.items() if c not in _LEFT_OUT}
