"""Segments that are merged while others read them: nothing is found that was not there, and nothing is missed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from aegis_enrich.detect.jobs import Jobs
from aegis_enrich.pipeline import engine as engine_module
from aegis_enrich.pipeline import upkeep as upkeep_module
from aegis_enrich.store import Store, compact, retain

PATIENCE_S = 60.0


def merge_and_unlink(store: Store) -> None:
    """Merges all there is, and takes away at once what was replaced."""
    segments = store.segments("conn", "sensor")
    assert len(segments) > 1
    compact.put_in_place(store, segments, compact.merge(store.lake, segments), now_us=0, passed=None)
    assert retain.unlink_replaced(store, now_us=0, grace_us=0) == len(segments)


@pytest.mark.parametrize("where", ["here", "beside"])
def test_a_job_whose_files_are_gone_takes_the_manifest_again(where, tmp_path, write, probes, start, alerts) -> None:
    logs = tmp_path / "logs"
    for rows in (probes(20)[:10], probes(20)[10:] + probes(1, first_s=3 * 3600)):
        write(logs / "conn.log", rows)
        with start(logs) as engine:
            engine._read_all()
            engine.follower.finish()
            engine._read_all()
            engine.intake.flush()
    with start(logs) as engine:
        jobs = (job for group in engine.scheduler.finish(["sensor"]) for job in group)
        each = (job for several in jobs for job in (several.each() if isinstance(several, Jobs) else [several]))
        for number, job in enumerate(each):
            if not number:
                merge_and_unlink(engine.store)
            if number or where == "here":
                job.run_here()
                continue
            engine.beside.start(job)
            while engine.beside.busy:
                engine.beside.collect(PATIENCE_S)
        engine.beside.close()
        assert engine.store.query("SELECT * FROM windows_failed") == []
        assert [a["aegis"]["evidence"]["ports"] for a in alerts(engine)] == [20]


def test_a_watch_merges_while_it_reads_and_finds_the_same(tmp_path, write, probes, start, alerts, monkeypatch) -> None:
    monkeypatch.setattr(upkeep_module, "EVERY_S", 0.01)
    monkeypatch.setattr(engine_module, "IDLE_S", 0.01)
    monkeypatch.setattr(compact, "LEAST", 2)
    monkeypatch.setattr(retain, "TOMBSTONE_US", 0)
    logs, rows = tmp_path / "logs", probes(30)
    parts = [*(rows[n : n + 5] for n in range(0, 30, 5)), probes(1, first_s=3 * 3600)]
    given: list[Any] = []

    def feed(engine: Any) -> None:
        """Writes the next part once the last is committed, and ends when all is merged and closed."""
        engine._due_s.pop("upkeep", None)
        if sum(p.rows for p in engine.store.progress()) < sum(len(p) for p in given):
            return
        if len(given) < len(parts):
            given.append(parts[len(given)])
            write(logs / "conn.log", given[-1])
        elif len(files(engine)) == 2 and engine.store.query("SELECT 1 FROM alerts WHERE status = 'closed'"):
            engine.stopping.set()

    def files(engine: Any) -> list[Any]:
        return list((engine.store.root / "lake" / "conn").rglob("*.parquet"))

    logs.mkdir()
    with start(logs, live=True, progress=feed) as engine:
        engine.run(until_s=time.monotonic() + PATIENCE_S)
        assert len(files(engine)) == 2
        assert sorted(s.rows for s in engine.store.segments("conn")) == [1, 30]
        watched = alerts(engine)
    with start(logs, state="other") as engine:
        engine.run_to_end()
        analyzed = alerts(engine)
    assert len(watched) == 1
    assert contents(watched) == contents(analyzed)


def contents(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Alerts without status and revision."""
    return [{k: v for k, v in alert.items() if k not in ("status", "revision")} for alert in alerts]


def test_a_run_that_ends_by_itself_tidies_up(tmp_path, write, probes, start, monkeypatch) -> None:
    monkeypatch.setattr(compact, "LEAST", 2)
    for rows in (probes(20)[:10], probes(20)[10:] + probes(1, first_s=3 * 3600)):
        write(tmp_path / "logs" / "conn.log", rows)
        with start(tmp_path / "logs") as engine:
            engine.run_to_end()
    with start(tmp_path / "logs") as engine:
        assert len(engine.store.segments("conn")) == 2  # the later rows of three hours are one
        write(tmp_path / "logs" / "conn.log", probes(1, first_s=5 * 3600))
        engine.run_to_end()
        engine.tidy()
        assert sorted(s.rows for s in engine.store.segments("conn")) == [1, 21]
