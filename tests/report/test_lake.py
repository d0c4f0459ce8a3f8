import duckdb
import pytest

from aegis_enrich.detect.evaluate import Limits
from aegis_enrich.errors import StateError
from aegis_enrich.report import lake as module
from aegis_enrich.report.lake import Lake
from aegis_enrich.store import Store

SPAN = (0, 2**61)


@pytest.fixture
def lake(state):
    with Store(state, read_only=True) as store:
        yield Lake(store, Limits())


def test_the_hosts_that_moved_most(lake):
    rows = lake.ask("talkers", "sensor", *SPAN, most=5)
    assert rows[0]["host"] == "10.10.0.15"  # 6 MB uploaded
    assert rows[0]["inside"] and not rows[1]["inside"]
    assert [r["sent"] + r["got"] for r in rows] == sorted((r["sent"] + r["got"] for r in rows), reverse=True)
    assert len(rows) == 5


def test_a_sensor_that_is_not_there_has_no_rows(lake):
    assert lake.ask("talkers", "nobody", *SPAN, most=5) == []


def test_traffic_keeps_its_bytes_however_it_is_cut(lake, state):
    (whole,) = lake.store.query("SELECT min(min_us), max(max_us) FROM segments WHERE tbl = 'conn'")
    start, end = whole[0] - 600_000_000, whole[1] + 1
    sums = []
    for bucket in (1_000_000, 7_000_000, end - start):
        rows = lake.ask("traffic", "sensor", start, end, bucket_us=bucket)
        assert all(0 <= r["bucket"] <= (end - start) // bucket for r in rows)
        sums.append(sum(r["sent"] + r["got"] + r["within"] + r["past"] for r in rows))
    assert sums[0] == pytest.approx(sums[2], rel=0.001)
    assert sums[1] == pytest.approx(sums[2], rel=0.001)
    assert sums[2] > 6_000_000


@pytest.mark.parametrize("query", ["connections", "retransmission", "resolution", "capture_loss", "kernel_drops"])
def test_every_query_of_health_runs(lake, query):
    rows = lake.ask(query, "sensor", *SPAN, bucket_us=10**18)
    assert len(rows) == (query in ("connections", "resolution"))


def test_a_segment_that_goes_while_it_is_read_is_looked_for_again(lake, monkeypatch):
    tries = []

    def run(self, query, values):
        tries.append(1)
        raise duckdb.IOException("gone")

    monkeypatch.setattr(Lake, "_run", lambda self, query, sensor, values: run(self, query, values))
    with pytest.raises(StateError, match="rows cannot be read: gone; try again"):
        lake.ask("talkers", "sensor", *SPAN, most=5)
    assert len(tries) == 2


def test_too_little_memory_is_said(lake, monkeypatch):
    def run(self, query, sensor, values):
        raise duckdb.OutOfMemoryException("no")

    monkeypatch.setattr(Lake, "_run", run)
    with pytest.raises(StateError, match=r"more memory than memory_limit \(512MB\); name a --since or raise it"):
        lake.ask("talkers", "sensor", *SPAN, most=5)


def test_queries_are_files():
    assert module.text("talkers").startswith("-- The hosts that moved most")
