"""The metrics of a real `watch` over the lab's logs, over HTTP, read by Prometheus's own parser."""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as families

from aegis_enrich import __version__
from aegis_enrich.observe.metrics import METRICS

from .conftest import starting

HOUR_S = 3600
OPEN = "application/openmetrics-text; version=1.0.0"


class Scrape:
    """What one scrape told, by name and labels."""

    def __init__(self, text: str) -> None:
        self.found = list(families(text))
        self.samples = {(s.name, frozenset(s.labels.items())): s.value for f in self.found for s in f.samples}

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.samples.get((f"aegis_{name}", frozenset(labels.items())))

    def all(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        return ((dict(labels), v) for (n, labels), v in self.samples.items() if n == f"aegis_{name}")


@pytest.fixture(scope="module")
def scan(lab) -> str:
    """A port scan's connections in JSON, and one two hours later, by which the scan's windows are sealed."""
    with gzip.open(lab / "scan_vertical" / "json" / "conn.log.gz", "rt", encoding="utf-8") as file:
        lines = file.readlines()
    last = json.loads(lines[-1])
    return "".join([*lines, json.dumps({**last, "ts": last["ts"] + 2 * HOUR_S, "uid": "Clater"}) + "\n"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def running(folder, scan):
    """A `watch` that has read the scan, a bad line and the other log, and has told of the scan."""
    with starting(folder) as start:
        yield told_of(start, folder, scan)


def told_of(watch, folder, scan):
    config = "flush: {seconds: 0.2, small_seconds: 0.2}\nidle_after_s: 0\n"
    running = watch("--metrics", "127.0.0.1:0", "-o", str(folder / "alerts"), config=config)
    running.until(lambda: running.get("/readyz")[0] == 200, "was ready")
    assert "no logs yet: waiting for the sensor to write" in json.loads(running.get("/readyz")[1])["beside"]
    assert Scrape(running.get("/metrics")[1])("followed_logs", sensor="sensor") == 0
    (running.logs / "conn.log").write_text(scan + "{no row\n", encoding="utf-8")
    (running.logs / "http.log").write_text('{"ts": 1795307533.5, "uid": "C1", "host": "x"}\n', encoding="utf-8")
    told = folder / "alerts"
    running.until(lambda: told.exists() and "port_scan" in told.read_text(encoding="utf-8"), "told of the scan")
    return running


def settled(running, true) -> Scrape:
    """The first scrape of which this holds: the state's part of one is up to 5 s old, a sample too."""
    seen: list[Scrape] = []

    def look() -> bool:
        seen.append(Scrape(running.get("/metrics")[1]))
        return bool(true(seen[-1]))

    running.until(look, "told what it ought to")
    return seen[-1]


def segments(running) -> tuple[int, int]:
    """How many hold rows, and their bytes."""
    with sqlite3.connect(f"file:{running.state / 'state.db'}?mode=ro", uri=True) as state:
        found = state.execute("SELECT count(*), sum(bytes) FROM segments WHERE derived = 0 AND tombstone_us IS NULL")
        whole: tuple[int, int] = found.fetchone()
    state.close()
    return whole


def test_what_it_tells_is_what_happened(running, scan, folder):
    conn = {"sensor": "sensor", "log": "conn"}
    text = (running.logs / "conn.log").read_text(encoding="utf-8")
    told = settled(
        running,
        lambda s: (
            list(s.all("alerts_opened_total"))
            and s("log_lag_bytes", **conn) == 0
            and s("waiting_rows") == 0
            and (s("lake_segments", kind="rows"), s("lake_bytes", kind="rows")) == segments(running)
        ),
    )
    assert told("read_rows_total", **conn) == text.count("\n") - 1 >= scan.count("\n")
    assert told("read_bytes_total", **conn) == len(text)
    assert told("bad_lines_total", **conn) == 1
    assert told("read_rows_total", sensor="sensor", log="http") == 1
    newest = json.loads(scan.splitlines()[-1])
    assert told("log_newest_row_timestamp_seconds", **conn) == pytest.approx(newest["ts"] + newest.get("duration", 0))
    assert told("log_lag_seconds", **conn) == 0
    assert told("followed_logs", sensor="sensor") == 2
    assert abs(told("log_last_read_timestamp_seconds", **conn) - time.time()) < 120
    with sqlite3.connect(f"file:{running.state / 'state.db'}?mode=ro", uri=True) as state:
        opened = state.execute("SELECT rule_id, count(*) FROM alerts GROUP BY rule_id").fetchall()
    state.close()
    by_rule: dict[str, float] = {}
    for labels, value in told.all("alerts_opened_total"):
        by_rule[labels["rule"]] = by_rule.get(labels["rule"], 0) + value
    assert by_rule == dict(opened) and by_rule["port_scan"] >= 1
    evaluated = told("evaluation_duration_seconds_count", detector="port_scan", kind="window")
    assert evaluated is not None and evaluated >= 1
    assert told("sealed_timestamp_seconds", sensor="sensor", detector="port_scan") > newest["ts"] - 2 * HOUR_S
    assert told("flush_duration_seconds_count", step="commit") >= 1
    delivered = (folder / "alerts").read_text(encoding="utf-8").count("\n")
    assert 1 <= told("deliveries_total", sink="ndjson", lane="documents", outcome="stored") <= delivered
    assert told("outbox_documents", sink="ndjson", lane="documents") is not None
    assert told("build_info", version=__version__, python=next(told.all("build_info"))[0]["python"]) == 1
    assert (told("ready"), told("scrape_state_ok"), told("rules_refused")) == (1, 1, 0)
    assert told("disk_free_bytes") > 0


def test_names_and_labels_are_those_that_are_declared(running):
    """In both formats; and what is not ours is the process's, as every exporter has it."""
    for text, parse in (
        (running.get("/metrics")[1], families),
        (running.get("/metrics", Accept=OPEN)[1], openmetrics),
    ):
        found = {f.name: f for f in parse(text)}
        ours = {n: f for n, f in found.items() if n.startswith("aegis_")}
        assert {n.removesuffix("_total") for n in METRICS} == set(ours)
        assert {n.partition("_")[0] for n in found} <= {"aegis", "process"}
        for family in ours.values():
            metric = METRICS.get(family.name) or METRICS[f"{family.name}_total"]
            assert family.type == metric.kind and family.documentation == metric.doc
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(metric.labels), sample


def test_counters_never_fall_and_scrapers_in_step_get_whole_answers(running, scan):
    """Ten scrapers at once while rows come: each answer parses, and the engine reads on."""
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(running.get("/metrics")[1])) for _ in range(10)]
    first = Scrape(running.get("/metrics")[1])
    before = (running.logs / "conn.log").read_text(encoding="utf-8").count("\n") - 1
    with (running.logs / "conn.log").open("a", encoding="utf-8") as log:
        log.write(scan)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    conn = {"sensor": "sensor", "log": "conn"}
    for text in texts:
        for (name, labels), value in first.samples.items():
            if name.endswith("_total"):
                assert Scrape(text).samples[name, labels] >= value
    settled(running, lambda s: s("read_rows_total", **conn) == before + scan.count("\n"))


def test_an_engine_that_hangs_is_told_of(watch, scan):
    """Its loop waits for the state, which another process holds; the listener waits for nothing."""
    config = "flush: {seconds: 0.2, small_seconds: 0.2}\nmetrics: {listen: 127.0.0.1:0, stall_s: 5}\n"
    running = watch(config=config)
    running.until(lambda: running.get("/readyz")[0] == 200, "was ready")
    with sqlite3.connect(running.state / "state.db", timeout=10, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        (running.logs / "conn.log").write_text(scan, encoding="utf-8")
        running.until(lambda: running.get("/healthz")[0] == 503, "told that it hangs")
        (why,) = json.loads(running.get("/healthz")[1])["because"]
        assert why.startswith("the engine's loop has not gone round for ")
        assert running.get("/readyz")[0] == 503
        told = Scrape(running.get("/metrics")[1])
        assert told("ready") == 0
        assert time.time() - told("loop_last_round_timestamp_seconds") >= 5
        other.execute("ROLLBACK")
    other.close()
    running.until(lambda: running.get("/healthz")[0] == 200, "went on")
    assert running.stop() == 0


def test_while_the_state_is_locked_a_scrape_says_what_the_run_knows(running):
    """Another process that holds the write lock: a reader of a write-ahead log does not wait for it."""
    with sqlite3.connect(running.state / "state.db", timeout=10, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        begun_s = time.monotonic()
        told = Scrape(running.get("/metrics")[1])
        assert time.monotonic() - begun_s < 5
        assert told("scrape_state_ok") == 1
        other.execute("ROLLBACK")
    other.close()
