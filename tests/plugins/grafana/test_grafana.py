"""The Grafana board and the alerting rules: what they ask for is exported, and their form is right."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from aegis_enrich.observe.metrics import METRICS

FOLDER = Path(__file__).parents[3] / "plugins" / "grafana"
BOARD = json.loads((FOLDER / "aegis-enrich.json").read_text(encoding="utf-8"))
RULES = [r for g in yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"] for r in g["rules"]]
# Prometheus's own: of the scrape, and of prometheus_client's process collector.
OTHERS = {
    "up": {"job", "instance"},
    "process_cpu_seconds_total": {"job", "instance"},
    "process_resident_memory_bytes": {"job", "instance"},
    "process_start_time_seconds": {"job", "instance"},
}
NAME = re.compile(r"\b(aegis_[a-z_]+|process_[a-z_]+|up)\b(?:\{([^}]*)\})?")
BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")
OF_ALL = {"instance", "job", "le"}


def panels() -> list[dict]:
    return [p for p in BOARD["panels"] if p["type"] != "row"]


def queries() -> list[str]:
    return [t["expr"] for p in panels() for t in p["targets"]] + [r["expr"] for r in RULES]


def labels(name: str) -> set[str]:
    """Of a series, by its name as a query has it."""
    if name in OTHERS:
        return OTHERS[name]
    for ending in ("_bucket", "_sum", "_count"):
        base = name.removesuffix(ending)
        if base != name and base in METRICS and METRICS[base].kind == "histogram":
            return {*METRICS[base].labels, *OF_ALL}
    metric = METRICS[name]
    assert metric.kind != "histogram", f"{name} has no samples of its own name"
    return {*metric.labels, "instance", "job"}


def asked(query: str) -> Iterator[tuple[str, set[str]]]:
    """The series of a query, each with the labels by which it chooses."""
    for found in NAME.finditer(query):
        yield found[1], {m[1] for m in re.finditer(r"(\w+)\s*(?:=~|!~|!=|=)", found[2] or "")}


@pytest.mark.parametrize("query", queries())
def test_each_series_is_exported_with_the_labels_by_which_it_is_chosen(query):
    series = list(asked(query))
    assert series
    for name, chosen in series:
        assert chosen <= labels(name), name
    known = set.union(*(labels(name) for name, _ in series))
    for group in BY.findall(query):
        assert {label.strip() for label in group.split(",")} <= known
    for opened, closed in ("()", "[]", "{}"):
        assert query.count(opened) == query.count(closed)
    for name, _ in series:  # what rises is asked for its rise, what does not is not
        if name.endswith("_total"):
            risen = rf"\b(?:rate|increase|sum)\((?:rate\(|increase\()?{name}"
            assert re.search(risen, query) or f'{name}{{instance=~"$instance"}} offset 1h' in query, name


def test_the_board_is_made_by_its_program():
    made = (FOLDER / "aegis-enrich.json").read_text(encoding="utf-8")
    program = runpy.run_path(str(FOLDER / "board.py"))
    assert made == program["text"](), "run `python plugins/grafana/board.py`"


def test_the_board_has_the_form_that_grafana_imports():
    assert BOARD["schemaVersion"] >= 36 and BOARD["uid"] == "aegis-enrich" and "id" not in BOARD
    idents = [p["id"] for p in BOARD["panels"]]
    assert len(set(idents)) == len(idents)
    for panel in panels():
        assert panel["type"] in ("timeseries", "stat") and panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        refs = [t["refId"] for t in panel["targets"]]
        assert refs == sorted(set(refs))
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert any(label in labels(name) for name, _ in asked(target["expr"])), (panel["title"], label)
    used = set(re.findall(r"\$(?:\{)?(\w+)", " ".join(queries()))) - {"__rate_interval", "labels", "value"}
    assert used <= {v["name"] for v in BOARD["templating"]["list"]}


def test_no_panel_lies_over_another_or_beside_the_grid():
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24
    for a, b in combinations([p["gridPos"] for p in BOARD["panels"]], 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]


def test_each_rule_says_how_bad_it_is_and_what_to_do():
    assert len({r["alert"] for r in RULES}) == len(RULES)
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
        for label in re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())):
            assert any(label in labels(name) for name, _ in asked(rule["expr"])), (rule["alert"], label)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("arguments", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_promtool_takes_them(arguments):
    ran = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
