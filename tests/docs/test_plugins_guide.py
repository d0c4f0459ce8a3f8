"""The examples of docs/plugins.md are written out as the package that they are, and run."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pyarrow as pa
import pytest

from aegis_enrich import registry
from aegis_enrich.decide import load_rules
from aegis_enrich.decide.testing import Bench, run_tests
from aegis_enrich.decode import decode
from aegis_enrich.detect.conformance import declared
from aegis_enrich.detect.replay import Held, Replay
from aegis_enrich.detect.trial import CHECKS, Trial
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import Document
from aegis_enrich.registry import Registry
from aegis_plugins.enrichers.networks import Networks

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "data" / "lab"
BLOCK = re.compile(r"^```\w+\n(?:#|--|<!--) (\S+)(?: -->)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The guide's files in a folder of their own, which can be imported."""
    folder = tmp_path_factory.mktemp("guide")
    for name, text in BLOCK.findall((ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    for module in [m for m in sys.modules if m.split(".")[0] == "our_plugins"]:
        del sys.modules[module]


@pytest.fixture(scope="module")
def plugins(package: Path) -> Registry:
    """The guide's plugins, by the entry points that its pyproject.toml names."""
    named = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    points = [EntryPoint(name, value, registry.GROUP) for name, value in named[registry.GROUP].items()]
    return registry.load(points)


def read(scenario: str, log: str, enrichment: Enrichment) -> dict[str, pa.Table]:
    data = (LAB / scenario / "tsv" / f"{log}.log").read_bytes()
    tables = decode(log, data, offset=0, context="", sensor="sensor").tables
    return {name: enrichment.apply(name, table) for name, table in tables.items()}


def test_one_of_each_kind_is_shown(plugins: Registry) -> None:
    assert [list(kind) for kind in (plugins.enrichers, plugins.tables, plugins.detectors, plugins.sinks)] == [
        ["user_agent"],
        ["upload_hour"],
        ["ping_sweep"],
        ["spool"],
    ]


def test_the_detector_finds_the_sweep(plugins: Registry) -> None:
    enrichment = Enrichment([Networks({})])
    held = {name: Held(rows) for name, rows in read("icmp_sweep", "conn", enrichment).items()}
    found = Replay(enrichment.schema).findings(plugins.detectors["ping_sweep"], held)
    assert {(f.entity["orig_h"], f.evidence["hosts"], f.evidence["answered"]) for f in found} == {
        ("10.10.0.14", 80, 32)
    }


def test_the_detectors_rule_checks_and_its_tests_pass(plugins: Registry, package: Path) -> None:
    rules = load_rules(package / "rules", plugins.detectors)
    outcomes = list(run_tests(list(rules.detectors.values()), Bench(Enrichment([Networks({})]), {})))
    assert len(outcomes) == 3
    assert [p for o in outcomes for p in o.problems] == []


def test_the_guides_own_test_passes(package: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("guide_test", package / "tests" / "test_ping_sweep.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.LOG = LAB / "icmp_sweep" / "tsv" / "conn.log"
    module.test_it_is_declared_as_the_contract_says()
    for check in CHECKS:
        (tmp_path / check).mkdir()
        module.test_it_runs_as_the_contract_says(check, tmp_path / check)


def test_the_derived_table_holds_to_the_contract(plugins: Registry, tmp_path: Path) -> None:
    table = plugins.tables["upload_hour"]
    assert declared(table, plugins.tables) == []
    enrichment = Enrichment([Networks({})])
    trial = Trial(
        table, read("beacon_https_60s", "conn", enrichment), Replay(enrichment.schema, plugins.tables), tmp_path
    )
    wrong: Mapping[str, list[str]] = {name: check(trial) for name, check in CHECKS.items()}
    assert {name: problems for name, problems in wrong.items() if problems} == {}


def test_the_enricher_names_the_program(plugins: Registry) -> None:
    http = read("beacon_http_60s", "http", Enrichment([plugins.enrichers["user_agent"]({})]))["http"]
    pairs = dict(zip(http["user_agent"].to_pylist(), http["agent"].to_pylist(), strict=True))
    assert pairs and all(agent == text.split("/")[0].lower() for text, agent in pairs.items())


def test_the_sink_writes_each_revision_once(plugins: Registry, tmp_path: Path) -> None:
    sink = plugins.sinks["spool"]({"folder": str(tmp_path)})
    documents = [Document("alert", "a", revision, {"revision": revision}) for revision in (1, 2)]
    assert [o for o, _ in sink.deliver(documents)] == ["stored", "stored"]
    assert [o for o, _ in sink.deliver(documents[1:])] == ["there"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-1.json", "a-2.json"]
