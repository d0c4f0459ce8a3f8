"""Kinds of evidence."""

from __future__ import annotations

import pytest

from aegis_enrich.evidence import KINDS, misfits, typed
from aegis_enrich.registry import load


def test_names_of_a_kind_stand_in_one_text() -> None:
    assert typed(count="rows hours", bool="new") == {"rows": "count", "hours": "count", "new": "bool"}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("count", 3),
        ("count", [1, 2]),
        ("double", 3),
        ("double", 2.5),
        ("bool", False),
        ("string", "a"),
        ("string", ["a", "b"]),
        ("addr", "10.0.0.1"),
        ("addr", ["fd00::1"]),
        ("addr", []),
        ("count", None),
    ],
)
def test_what_fits(kind, value) -> None:
    assert misfits({"x": value}, {"x": kind}) == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("count", 2.5),
        ("count", True),
        ("double", "2.5"),
        ("bool", 1),
        ("string", 1),
        ("string", ["a", 1]),
        ("string", {"a": 1}),
        ("addr", "host"),
        ("addr", ["10.0.0.1", "host"]),
    ],
)
def test_what_does_not(kind, value) -> None:
    (said,) = misfits({"x": value}, {"x": kind})
    assert said == f"evidence 'x' is {value!r}, which is no {kind}"


def test_what_is_not_declared_is_told_with_what_to_do() -> None:
    (said,) = misfits({"y": 1}, {"x": "count"})
    assert said.startswith("evidence 'y' is not declared; declare it in `evidence` as one of addr, bool")


def test_the_detectors_declare_kinds_that_there_are_and_one_each() -> None:
    kinds: dict[str, set[str]] = {}
    for detector in load().detectors.values():
        assert detector.evidence, detector.name
        for name, kind in detector.evidence.items():
            kinds.setdefault(name, set()).add(kind)
    assert {kind for found in kinds.values() for kind in found} <= set(KINDS)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}
