"""The list of metrics: Prometheus's conventions, and the page that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis_enrich.observe.metrics import METRICS, table

ROOT = Path(__file__).parents[2]
BOUNDED = {"sensor", "log", "table", "detector", "kind", "rule", "severity", "sink", "lane", "outcome", "enricher"}
BOUNDED |= {"step", "version", "python"}  # no address, name or path of the wire is ever a label


@pytest.mark.parametrize("name", METRICS)
def test_names_follow_the_conventions(name):
    metric = METRICS[name]
    assert re.fullmatch(r"aegis_[a-z][a-z0-9_]*", name)
    assert name.endswith("_total") == (metric.kind == "counter")
    if metric.kind == "histogram":
        assert name.endswith("_seconds")
    assert not re.search(r"_(ms|us|kb|mb|minutes|hours|count|sum|bucket)(_|$)", name)  # base units, no reserved ending
    assert metric.doc.endswith(".")
    assert set(metric.labels) <= BOUNDED


def test_the_page_is_the_list():
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert table() in page, 'put aegis_enrich.observe.metrics.table() between the headings "The process" and the end'
    assert page.count("| `aegis_") == len(METRICS)
