"""Lakes of several sensors, and one Spark session for all tests that need one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich import registry
from aegis_enrich.config import Config
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.engine import Engine, Parts, assemble
from aegis_enrich.store import Store

IN_CI = bool(os.environ.get("CI") or os.environ.get("AEGIS_CI"))
SMALL = {"spark.driver.memory": "2g", "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need Spark run in one worker, so that there is one JVM."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("spark"))


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """What runs hunts on Spark, on this machine; skipped (in CI failed) without PySpark or Java."""
    missing = "" if shutil.which("java") else "no Java"
    try:
        from aegis_enrich.hunt.spark import on_spark
    except ImportError as error:
        missing = f"no {error.name}"
    if missing:
        (pytest.fail if IN_CI else pytest.skip)(f"Spark: {missing}")
    with on_spark("local[2]", **SMALL) as on:
        yield on


@pytest.fixture(scope="session")
def parts() -> Parts:
    return assemble(Config(threads=1), registry.load())


@pytest.fixture(scope="session")
def analyzed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The state of an analysis of these logs by sensor; the same logs are analyzed once."""
    known: dict[str, Path] = {}

    def state(sensors: Mapping[str, Sequence[Path]], **config: Any) -> Path:
        key = f"{sorted((s, *map(str, p)) for s, p in sensors.items())} {config}"
        if key not in known:
            root = tmp_path_factory.mktemp("analyzed")
            with Store(root) as store, Follower({s: list(p) for s, p in sensors.items()}, [], poll=True) as follower:
                chosen = replace(Config(threads=1), **config)
                engine = Engine(assemble(chosen, registry.load()), store, follower, {}, live=False)
                engine.run_to_end()
                engine.delivery.close()
            known[key] = root
        return known[key]

    return state
