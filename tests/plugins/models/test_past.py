"""The past of a state or of logs, as a detector's query sees it: every hour, in order, with whom and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_enrich import registry
from aegis_enrich.config import Config
from aegis_enrich.errors import ConfigError
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store import Store
from aegis_plugins.detectors.anomaly_ensemble import AnomalyEnsemble, Tuning
from aegis_plugins.models import past

LAB = Path(__file__).parents[2] / "data" / "lab"
PLUGINS = registry.load()


def features(paths, config=None, **options):
    with past.opened(config or Config(), PLUGINS, paths) as (store, enrichment):
        return past.features(store, enrichment, PLUGINS.tables, AnomalyEnsemble, Tuning(), **options)


def test_hours_of_logs() -> None:
    found = features([LAB / "multistage" / "tsv"])
    assert set(found["orig_h"]) >= {"10.10.0.11", "10.10.0.14"}
    assert set(found["sensor"]) == {"sensor"} and (found["hour_us"] % HOUR_US == 0).all()
    assert (found["window_end_us"] == found["hour_us"] + HOUR_US).all()
    assert found.equals(found.sort_values(["sensor", "hour_us", "orig_h"], ignore_index=True))


def test_several_logs_are_several_sensors() -> None:
    found = features([LAB / "benign" / "tsv", LAB / "benign_tls" / "tsv"])
    assert sorted(set(found["sensor"])) == ["sensor1", "sensor2"]


def test_days_count_back_from_the_newest_hour() -> None:
    whole = features([LAB / "latency_5h" / "tsv"])
    last = features([LAB / "latency_5h" / "tsv"], days=1 / 24)
    assert whole["hour_us"].nunique() > last["hour_us"].nunique() == 1
    assert last["hour_us"].max() == whole["hour_us"].max()


def test_nothing_of_enough_connections() -> None:
    assert features([LAB / "loss_0" / "tsv"]).empty


def test_a_state_is_read_and_not_changed(tmp_path) -> None:
    from aegis_enrich.follow import Follower
    from aegis_enrich.pipeline.engine import Engine, assemble

    parts = assemble(Config(), PLUGINS)
    with Store(tmp_path) as store, Follower({"sensor": [LAB / "benign" / "tsv"]}, poll=True) as follower:
        Engine(parts, store, follower, {}, live=False).run_to_end()
    before = sorted(p.name for p in tmp_path.rglob("*.parquet"))
    found = features([], Config(state=str(tmp_path)))
    assert found.equals(features([LAB / "benign" / "tsv"]))
    assert sorted(p.name for p in tmp_path.rglob("*.parquet")) == before


def test_where_nothing_is(tmp_path) -> None:
    with pytest.raises(ConfigError, match="holds no state"):
        features([], Config(state=str(tmp_path)))
    with pytest.raises(ConfigError, match="no log that AegisEnrich reads"):
        features([tmp_path])
