"""The tree holds to its layout: what imports what, that everything is tested, and what is in the wheel."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from aegis_enrich.registry import GROUP

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "aegis_enrich"
PLUGINS = ROOT / "plugins" / "aegis_plugins"
KINDS = ("detectors", "enrichers", "sinks", "tables")

# Modules that are tested through another, since they mean nothing without it; with the file of tests that does so.
KIBANA = "plugins/aegis_plugins/sinks/elasticsearch/kibana"
BOARDS = ("alerts", "attack", "beacons", "common", "dns", "host", "incidents", "network", "overview", "sensors", "tls")
OF_CLASSIFIER = "tests/plugins/detectors/test_threat_classifier.py"
OF_SPARK = "tests/hunt/spark/test_conformance.py"
OF_ANSWERS = ("advice", "alerts", "health", "incidents", "lookups", "periods")
OF_ANSWERS += ("techniques", "timeline", "traffic", "verdict")
THROUGH = {
    **{f"aegis_enrich/ask/answers/{part}.py": "tests/ask/test_questions.py" for part in OF_ANSWERS},
    "aegis_enrich/__main__.py": "tests/cli/test_main.py",
    "aegis_enrich/cli/__init__.py": "tests/cli/test_main.py",
    "aegis_enrich/cli/rules/__init__.py": "tests/cli/rules/test_check.py",
    "aegis_enrich/cli/rules/options.py": "tests/cli/rules/test_explain.py",
    "aegis_enrich/cli/run.py": "tests/cli/test_analyze.py",
    "aegis_enrich/cli/said.py": "tests/observe/test_logs.py",
    "aegis_enrich/decide/columns.py": "tests/decide/test_load.py",
    "aegis_enrich/decide/rule_file.py": "tests/decide/test_load.py",
    "aegis_enrich/decide/severities.py": "tests/decide/test_rules.py",
    "aegis_enrich/decide/suppression.py": "tests/decide/test_load.py",
    "aegis_enrich/decide/tuning.py": "tests/decide/test_load.py",
    "aegis_enrich/doctor/check.py": "tests/cli/test_doctor.py",
    "aegis_enrich/doctor/installation.py": "tests/cli/test_doctor.py",
    "aegis_enrich/doctor/logs.py": "tests/cli/test_doctor.py",
    "aegis_enrich/doctor/state.py": "tests/cli/test_doctor.py",
    "aegis_enrich/follow/finder.py": "tests/follow/test_follower.py",
    "aegis_enrich/pipeline/parts.py": "tests/pipeline/test_engine.py",
    "aegis_enrich/hunt/away.py": "tests/hunt/test_hunt.py",
    "aegis_enrich/hunt/plan.py": "tests/hunt/test_hunt.py",
    "aegis_enrich/hunt/rows.py": "tests/hunt/test_hunt.py",
    **{f"aegis_enrich/hunt/spark/{part}.py": OF_SPARK for part in ("__init__", "frames", "query", "score")},
    "aegis_enrich/kafka/member.py": "tests/kafka/test_source.py",
    "aegis_enrich/sigma/asked.py": "tests/sigma/test_matcher.py",
    "aegis_enrich/sigma/compiled.py": "tests/sigma/test_backend.py",
    "aegis_enrich/sigma/detector.py": "tests/sigma/test_correlation.py",
    "aegis_enrich/sigma/fields.py": "tests/sigma/test_taxonomy.py",
    "aegis_enrich/sigma/network.py": "tests/sigma/test_backend.py",
    "aegis_enrich/sigma/read.py": "tests/decide/test_sigma.py",
    "aegis_enrich/sigma/sequence.py": "tests/sigma/test_correlation.py",
    "aegis_enrich/sigma/settings.py": "tests/decide/test_sigma.py",
    "aegis_enrich/sigma/text.py": "tests/sigma/test_backend.py",
    "aegis_enrich/sigma/values.py": "tests/sigma/test_matcher.py",
    "aegis_enrich/store/database.py": "tests/store/test_state.py",
    "plugins/aegis_plugins/detectors/anomaly_ensemble/ensemble.py": "tests/plugins/detectors/test_anomaly_ensemble.py",
    "plugins/aegis_plugins/detectors/anomaly_ensemble/example.py": "tests/plugins/detectors/test_anomaly_ensemble.py",
    "plugins/aegis_plugins/detectors/anomaly_ensemble/measures.py": "tests/plugins/detectors/test_anomaly_ensemble.py",
    "plugins/aegis_plugins/detectors/anomaly_ensemble/model.py": "tests/plugins/detectors/test_anomaly_ensemble.py",
    **{
        f"plugins/aegis_plugins/detectors/threat_classifier/{part}.py": OF_CLASSIFIER
        for part in ("classes", "example", "forest", "labelled", "measures", "model")
    },
    "plugins/aegis_plugins/detectors/dns_tunnel/lists.py": "tests/plugins/detectors/test_dns_tunnel.py",
    "plugins/aegis_plugins/enrichers/intel/indicators.py": "tests/plugins/enrichers/test_intel.py",
    "plugins/aegis_plugins/enrichers/networks/site.py": "tests/plugins/enrichers/test_networks.py",
    "plugins/aegis_plugins/sinks/elasticsearch/answers.py": "tests/plugins/sinks/test_elasticsearch_connection.py",
    "plugins/aegis_plugins/sinks/elasticsearch/health.py": "tests/plugins/sinks/test_elasticsearch_ecs.py",
    "plugins/aegis_plugins/sinks/elasticsearch/server.py": "tests/plugins/sinks/test_elasticsearch_connection.py",
    "plugins/aegis_plugins/sinks/opensearch/connection.py": "tests/plugins/sinks/test_opensearch.py",
    **{
        f"{KIBANA}/{part}.py": "tests/plugins/sinks/test_elasticsearch_checks.py"
        for part in ("dashboards", "lens_checks", "objects", "views")
    },
    **{f"{KIBANA}/{part}.py": "tests/plugins/sinks/test_elasticsearch_lens.py" for part in ("description", "filters")},
    **{f"{KIBANA}/boards/{board}.py": "tests/plugins/sinks/test_elasticsearch_kibana.py" for board in BOARDS},
    "plugins/aegis_plugins/sinks/ndjson/rotation.py": "tests/plugins/sinks/test_ndjson.py",
}


def modules(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def stage(module: Path) -> str:
    """The part of the engine in which a module lies; "" for those of all parts."""
    return module.relative_to(ENGINE).parts[0] if module.parent != ENGINE else ""


def imported_stages(module: Path) -> Iterator[str]:
    """The other parts of the engine that a module imports."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = module.parent
            for _ in range(node.level - 1):
                base = base.parent
            names = (node.module or "").split(".") if node.module else [a.name for a in node.names]
            target = base / names[0]
            if base == ENGINE and target.is_dir():
                yield names[0]


@pytest.mark.parametrize("module", modules(ENGINE), ids=lambda m: str(m.relative_to(ROOT)))
def test_the_engine_imports_no_plugin(module: Path) -> None:
    assert [name for name in imported(module) if name.split(".")[0] == "aegis_plugins"] == []


# What each part of the engine may use of the others: data flows one way.
USES = {
    "follow": set(),
    "decode": set(),
    "store": {"follow"},
    "detect": {"store"},
    "sigma": set(),
    "decide": {"detect", "store", "sigma"},
    "correlate": {"store", "decide"},
    "ask": {"store", "detect", "decide", "correlate"},
    "report": {"store", "detect", "decide", "correlate"},
    "deliver": {"store"},
    "observe": {"store", "deliver"},
    "pipeline": {"follow", "decode", "store", "detect", "decide", "correlate", "deliver", "observe"},
    "hunt": {"store", "detect", "decide", "correlate", "pipeline", "ship"},
    "capture": set(),
    "kafka": {"follow", "decode"},
    "ship": {"store"},
    "doctor": {"capture", "follow", "decode", "store", "correlate", "decide", "pipeline", "deliver", "observe"},
    "evaluate": set(),
    "cli": {"capture", "follow", "decode", "store", "detect", "decide", "deliver", "pipeline", "doctor", "evaluate"}
    | {"kafka", "ship"}
    | {"ask", "correlate", "report", "hunt", "observe"},
    "": {"cli"},  # __main__
}


def test_each_part_uses_only_those_before_it() -> None:
    assert {p.name for p in ENGINE.iterdir() if (p / "__init__.py").is_file()} == set(USES) - {""}
    wrong = [
        f"{module.relative_to(ROOT)} imports {other}"
        for module in modules(ENGINE)
        for other in imported_stages(module)
        if other not in USES[stage(module)] | {stage(module)}
    ]
    assert wrong == []


def test_a_plugin_imports_no_plugin_of_another_folder() -> None:
    wrong = []
    for module in modules(PLUGINS):
        own = ".".join(["aegis_plugins", *module.relative_to(PLUGINS).parts[:2]])
        allowed = (own, "aegis_plugins.models")  # what detectors with a model share
        names = (n for n in imported(module) if n.startswith("aegis_plugins"))
        wrong += [f"{module}: {n}" for n in names if not n.startswith(allowed)]
    assert wrong == []


def test_only_the_command_line_prints_and_exits() -> None:
    wrong = []
    for module in modules(ENGINE) + modules(PLUGINS):
        if module.is_relative_to(ENGINE / "cli"):
            continue
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit", "exit", "click.echo"):
                wrong.append(f"{module.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def files_of_tests(module: Path) -> list[Path]:
    """The files of tests that a module may have."""
    if module.is_relative_to(ENGINE):
        folder = ROOT / "tests" / module.relative_to(ENGINE).parent
        return [folder / f"test_{module.parent.name if module.stem == '__init__' else module.stem}.py"]
    if module.parent == PLUGINS / "models":
        return [ROOT / "tests" / "plugins" / "models" / f"test_{module.stem}.py"]
    kind, name, *_ = module.relative_to(PLUGINS).parts
    own = f"test_{name}.py" if module.stem == "__init__" else f"test_{name}_{module.stem}.py"
    return [ROOT / "tests" / "plugins" / kind / own]


def needs_tests(module: Path) -> bool:
    """All modules but the `__init__` that only names what is beside it."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return module.stem != "__init__" or any(isinstance(n, (ast.FunctionDef, ast.ClassDef)) for n in tree.body)


def test_each_module_has_tests() -> None:
    missing = [
        str(module.relative_to(ROOT))
        for module in modules(ENGINE) + modules(PLUGINS)
        if needs_tests(module) and not any(t.is_file() for t in files_of_tests(module))
    ]
    assert sorted(set(missing) - set(THROUGH)) == [], "write tests, or name in THROUGH the file that has them"
    assert sorted(set(THROUGH) - set(missing)) == [], "these have tests of their own, or are no more"
    assert [t for t in THROUGH.values() if not (ROOT / t).is_file()] == []


def test_each_plugin_s_name_is_its_folder_and_its_entry_point() -> None:
    folders = {
        (kind, f.name) for kind in KINDS for f in (PLUGINS / kind).iterdir() if f.is_dir() and f.name[0].isalpha()
    }
    points = {
        tuple(p.value.split(":")[0].split(".")[1:3])
        for p in entry_points(group=GROUP)
        if p.value.startswith("aegis_plugins.") and p.value.split(":")[0].endswith(f".{p.name}")
    }
    assert points == folders


@pytest.mark.parametrize("folder", KINDS)
def test_each_plugin_has_a_readme(folder: str) -> None:
    plugins = [f for f in (PLUGINS / folder).iterdir() if (f / "__init__.py").is_file()]
    assert plugins and [f.name for f in plugins if not (f / "README.md").is_file()] == []


def data_files(folder: Path) -> set[str]:
    return {
        str(p.relative_to(folder.parent if folder == ENGINE else PLUGINS.parent))
        for p in folder.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }


def test_the_wheel_holds_code_queries_rules_and_scripts(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    held = set(zipfile.ZipFile(wheel).namelist())
    assert data_files(ENGINE) | data_files(PLUGINS) <= held
    rules = {f"aegis_enrich/_data/rules/{p.relative_to(ROOT / 'rules')}" for p in (ROOT / "rules").rglob("*.*")}
    assert rules <= held
    assert "aegis_enrich/_data/zeek_scripts/__load__.zeek" in held
    assert "aegis_enrich/_data/suricata/aegis.yaml" in held
    for suffix in (".sql", ".csv", ".json", ".yml", "py.typed", "README.md"):
        assert any(name.endswith(suffix) for name in held), suffix
    assert {name.split("/")[0] for name in held if ".dist-info" not in name} == {"aegis_enrich", "aegis_plugins"}
