"""A folder of logs through the whole pipeline, with the rules as they are shipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.cli.run import stored_alerts
from aegis_enrich.config import Config
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.engine import Engine, Parts, assemble
from aegis_enrich.registry import load
from aegis_enrich.store import Store

Alerts = list[dict[str, Any]]


@pytest.fixture(scope="session")
def shipped() -> Parts:
    """Everything as it is shipped."""
    return assemble(Config(), load())


@pytest.fixture
def analyze(shipped: Parts, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Alerts]:
    def run(*logs: Path, rules: Path | None = None, bad: bool = False) -> Alerts:
        parts = assemble(Config(rules=str(rules)), load()) if rules else shipped
        folder = tmp_path_factory.mktemp("state")
        with Store(folder) as store, Follower({"sensor": list(logs)}, poll=True) as follower:
            engine = Engine(parts, store, follower, {}, live=False)
            engine.run_to_end()
            assert store.query("SELECT * FROM windows_failed") == []
            assert bad or sum(engine.intake.counts.bad.values()) == 0
            return stored_alerts(store)

    return run
