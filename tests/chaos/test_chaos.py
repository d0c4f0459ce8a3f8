"""Some kills of a `watch` in the ordinary suite; `make chaos` does hundreds."""

from __future__ import annotations

import contextlib
import os

import pytest
from chaos.campaign import Round, Setting
from chaos.faults import small_disk
from chaos.node import Node
from chaos.processes import Nursery
from elasticsearch_server import JDKS

from aegis_plugins.sinks.elasticsearch import Elasticsearch

KILLS = int(os.environ.get("AEGIS_KILLS", "12"))
SEED = int(os.environ.get("AEGIS_SEED", "7"))
HOURS = 1.3


@pytest.mark.slow
@pytest.mark.elasticsearch
@pytest.mark.parametrize("elasticsearch", [min(JDKS)], indirect=True)
def test_nothing_is_lost_and_nothing_doubles(elasticsearch, tmp_path):
    """With growing and rotating logs, a disk that fills, a server that fails, and clocks that step."""
    elasticsearch.forget_alerts()
    Elasticsearch.setup(elasticsearch.settings())
    with small_disk(tmp_path / "disk", 256) as disk, contextlib.closing(Nursery()) as nursery:
        one = Round(Setting(tmp_path, disk, Node(elasticsearch)), SEED, KILLS, HOURS, lambda text: None, nursery)
        found = one.run()
    assert found.said == [], f"AEGIS_SEED={SEED}"
    assert found.good
    assert one.total == KILLS
    assert one.summary.alerts >= 8
    assert one.summary.bad >= 10
