"""docs/performance.md shows the figures that docs/performance.json holds."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def performance() -> ModuleType:
    spec = importlib.util.spec_from_file_location("performance", DOCS / "performance.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_fresh(performance: ModuleType) -> None:
    there = (DOCS / "performance.md").read_text(encoding="utf-8")
    kept = DOCS / "performance.json"
    figures = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    assert there == performance.page(there, figures), "stale: run `.venv/bin/python docs/performance.py`"


def test_each_table_has_its_place(performance: ModuleType) -> None:
    there = (DOCS / "performance.md").read_text(encoding="utf-8")
    assert {name for _, name, _ in performance.BLOCK.findall(there)} == set(performance.PARTS)


def test_a_part_that_was_not_run_says_so_and_another_shows_its_figures(performance: ModuleType) -> None:
    text = "<!-- figures: day -->\nold\n<!-- end -->\n<!-- figures: start -->\n<!-- end -->\n"
    filled = performance.page(text, {"day": {"zat_s": 4.0, "seconds": 9.1234, "of_zat": 2.28}})
    assert "9.12" in filled and "old" not in filled and "*Not measured.*" in filled
    assert performance.page(filled, {"day": {"zat_s": 4.0, "seconds": 9.1234, "of_zat": 2.28}}) == filled


def test_stages_are_summed_over_threads_and_plugins(performance: ModuleType) -> None:
    its = {"write": 0.1, "write (beside)": 0.4, "detect botnet (beside)": 0.2, "detect dga": 0.1, "whole": 1.0}
    kinds = {"stages": {"all": its}, "detect_of_ingest": {"all": 0.6}}
    table = performance.page("<!-- figures: stages -->\n<!-- end -->", kinds)
    assert "| write | 0.50 |" in table and "| detect | 0.30 |" in table and "botnet 0.20" in table
