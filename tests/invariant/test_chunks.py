"""Alerts and rows do not depend on how many bytes are read at a time, nor on when what was read is committed."""

from __future__ import annotations

import random

import pytest

from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.engine import Engine
from aegis_enrich.store import Store


@pytest.mark.parametrize("seed", range(3))
def test_reads_from_one_byte_to_a_megabyte(tools, parts, day, tmp_path, seed):
    few = tools.with_flush(parts, rows=random.Random(seed).choice([1, 300, 4_000]))
    got = tools.one_pass(few, tmp_path / "s", day.folder, limits=tools.random_limits(seed))
    assert got == day.result


@pytest.mark.parametrize("seed", range(2))
def test_random_logs_committed_at_random_moments(tools, parts, day, tmp_path, seed):
    rng = random.Random(seed)
    with Store(tmp_path / "s") as store, Follower({"sensor": [day.folder]}, poll=True) as follower:
        engine = Engine(parts, store, follower, {}, live=False)
        while engine.intake.read(rng.choice([500, 5_000, 50_000])):
            waiting = list(engine.intake._waiting)
            if rng.random() < 0.3:
                engine.intake.flush(rng.sample(waiting, rng.randint(0, len(waiting))))
        engine.run_to_end()
        engine.delivery.close()
        got = tools.result_of(store, sum(engine.intake.counts.late.values()))
        assert tools.lake_rows(store) == tools.folder_rows(day.folder)
    assert got == day.result


@pytest.mark.parametrize("scenario", ["scan_udp", "beacon_http_60s", "scan_slow_1min"])
def test_a_byte_at_a_time(tools, parts, lab, tmp_path, scenario):
    want = tools.one_pass(parts, tmp_path / "whole", lab / scenario / "tsv")
    rows = tools.with_flush(parts, rows=50)
    assert tools.one_pass(rows, tmp_path / "s", lab / scenario / "tsv", limits=lambda: 1) == want
    assert want.alerts


@pytest.mark.parametrize("scenario", ["scan_vertical", "dns_tunnel", "beacon_http_60s"])
def test_eve_in_pieces(tools, parts, lab, tmp_path, scenario):
    eve = lab / scenario / "eve.json.gz"
    want = tools.one_pass(parts, tmp_path / "whole", eve)
    few = tools.with_flush(parts, rows=300)
    assert tools.one_pass(few, tmp_path / "s", eve, limits=tools.random_limits(1)) == want
    assert want.alerts


def test_two_sensors_in_pieces(tools, parts, lab, tmp_path):
    """What both saw is one alert that names both."""
    both = {"a": [lab / "dns_tunnel/tsv", lab / "beacon_http_60s/tsv"], "b": [lab / "dns_tunnel/json"]}
    want = tools.one_pass(parts, tmp_path / "whole", **both)
    few = tools.with_flush(parts, rows=100)
    assert tools.one_pass(few, tmp_path / "s", limits=tools.random_limits(2), **both) == want
    assert any('"sensors": ["a", "b"]' in text for text in want.alerts.values())
