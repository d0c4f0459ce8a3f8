"""docs/detections.md and docs/features.md say what plugins and rules say now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from aegis_enrich import registry
from aegis_enrich.features import catalogue

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_fresh(generate: ModuleType) -> None:
    there = (ROOT / "docs" / "detections.md").read_text(encoding="utf-8")
    assert there == generate.page(), "stale: run `.venv/bin/python docs/generate.py`"


def test_it_tells_of_every_rule(generate: ModuleType) -> None:
    page = generate.page()
    names = [p.stem for folder in ("detectors", "rows") for p in sorted((ROOT / "rules" / folder).glob("*.yml"))]
    assert [n for n in names if f"### {n}\n" not in page] == []


def test_the_page_of_features_is_fresh_and_tells_of_each(generate: ModuleType) -> None:
    there = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    assert there == generate.features_page(), "stale: run `.venv/bin/python docs/generate.py`"
    names = [f["name"] for f in catalogue(registry.load().tables)]
    assert [n for n in names if there.count(f"| `{n}` |") != 1] == []
