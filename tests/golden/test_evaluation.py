"""The figures of the evaluation, held against the golden alerts: no find may get lost, no false alert come.

`docs/evaluate.py` writes the figures; the golden files are what test_golden.py finds.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis_enrich import registry
from aegis_enrich.evaluate import load_truth, measure, totals

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "data" / "lab"
FIGURES = json.loads((ROOT / "docs" / "evaluation.json").read_text(encoding="utf-8"))["lab"]


@pytest.fixture(scope="module")
def results():
    truths = load_truth(LAB / "truth.yml")
    delays = {name: d.window_s + d.lateness_s for name, d in registry.load().detectors.items()}
    scenarios = sorted(p.name for p in LAB.iterdir() if (p / "tsv").is_dir())
    golden = {name: Path(__file__).parent / f"{name}.json" for name in scenarios}
    alerts = {name: json.loads(p.read_text(encoding="utf-8")) if p.exists() else [] for name, p in golden.items()}
    return [measure(truths[name], alerts[name], lambda rule: delays.get(rule, 0.0)) for name in scenarios]


def test_the_figures_are_those_of_the_golden_alerts(results):
    found = totals(results)
    for figures in (found, FIGURES["rules"]):
        for told in figures.values():
            told.pop("loud_false_per_host_day", None)
    assert found == FIGURES["rules"], "run `.venv/bin/python docs/evaluate.py` and look at what changed"


def test_nothing_is_missed(results):
    assert {r.name: dict(r.missed) for r in results if r.missed} == {}


def test_nothing_false_is_loud(results):
    assert [(r.name, *alert) for r in results for alert in r.false if alert[1] >= 47] == []


def test_every_scenario_is_in_the_figures(results):
    assert {r.name for r in results} == set(FIGURES["scenarios"])
