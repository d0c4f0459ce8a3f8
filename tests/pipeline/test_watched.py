"""What a live engine tells of itself: samples, health documents for the sinks that take them, and no alert by them."""

from __future__ import annotations

import time
from typing import ClassVar

import pytest

from aegis_enrich.deliver import Delivery
from aegis_enrich.detect.executor import Beside
from aegis_enrich.observe.documents import KIND
from aegis_enrich.observe.notify import Notifier
from aegis_enrich.observe.vitals import Vitals
from aegis_enrich.pipeline import engine as engine_module
from aegis_enrich.pipeline.watched import Watched, lags
from aegis_enrich.plugin import MICROS, Sink


class Board(Sink):
    """Takes health documents."""

    name, target = "board", "board"
    kinds: ClassVar[tuple[str, ...]] = ("alert", "health")

    def deliver(self, documents):
        return [("stored", "")] * len(documents)


class Plain(Board):
    kinds: ClassVar[tuple[str, ...]] = ("alert",)


class Wall:
    """A wall clock that a test moves."""

    now_s = 1_795_307_520.0

    def __call__(self) -> float:
        return self.now_s


def test_lag_is_how_far_the_newest_row_is_behind_while_something_lies_unread():
    left = {("s", "conn"): 10, ("s", "dns"): 0, ("s", "new"): 5}
    found = lags(left, {("s", "conn"): 90 * MICROS, ("s", "dns"): 1}, 100 * MICROS)
    assert found["s", "conn"].seconds == 10
    assert (found["s", "dns"].bytes, found["s", "dns"].seconds) == (0, 0)
    assert (found["s", "new"].bytes, found["s", "new"].seconds) == (5, 0)


@pytest.mark.parametrize(("sink", "documents"), [(Board, 1), (Plain, 0)])
def test_each_minute_has_a_document_where_a_sink_takes_it(start, write, probes, tmp_path, sink, documents):
    write(tmp_path / "logs" / "conn.log", probes(20))
    wall = Wall()
    watched = Watched(Vitals(sources=("sensor",)), Notifier({}), wall_s=wall)
    rounds = []

    def on(engine) -> None:
        rounds.append(1)
        if engine.intake.counts.rows["conn"] == 20 and engine.store.query("SELECT 1 FROM segments"):
            wall.now_s += 60
        if wall.now_s > 1_795_307_570:
            engine.stopping.set()

    with start(tmp_path / "logs", live=True, progress=on) as engine:
        engine.watched, engine.vitals = watched, watched.vitals
        engine.intake.vitals = watched.vitals
        engine.delivery = Delivery(engine.store, {"board": sink({})})
        engine.run(until_s=time.monotonic() + 60)
        rows = engine.store.query("SELECT id, revision, body FROM outbox WHERE kind = ?", [KIND])
    assert [(i, r) for i, r, _ in rows] == [("sensor-2026-11-22T00:32:00Z", 1)] * documents
    assert all('"rows": 20' in body for _, _, body in rows)
    assert watched.vitals.phase == "stopping"
    assert watched.vitals.sample.lag["sensor", "conn"].bytes == 0
    assert watched.vitals.sample.free_bytes > 0
    assert "20 rows of 1 logs" in watched.status()


def test_a_reload_while_an_evaluation_runs_takes_up_rules_after_it_and_says_each_thing_once(
    start, tmp_path, monkeypatch
):
    told: list[str] = []
    rounds = iter(range(1_000_000))
    busy = [True]
    monkeypatch.setattr(engine_module, "RULES_S", 0.01)
    monkeypatch.setattr(Beside, "busy", property(lambda self: busy[0]))

    def on(engine) -> None:
        number = next(rounds)
        if number == 1:
            engine.tell = told.append
            engine.reload_asked.set()
        busy[0] = number < 8
        if any("are in force" in line for line in told):
            engine.stopping.set()

    (tmp_path / "logs").mkdir()
    with start(tmp_path / "logs", live=True, progress=on) as engine:
        since_s = engine.vitals.rules.since_s
        engine.run(until_s=time.monotonic() + 60)
        assert engine.vitals.rules.since_s == since_s  # the same rules as before
    assert [line.partition(":")[2].split()[0] for line in told] == [
        "lists",
        "rules",
        str(engine.vitals.rules.detectors),
    ]
    assert "once the evaluation that runs has ended" in told[1]


def test_the_status_says_what_is_wrong():
    watched = Watched(Vitals(), Notifier({}))
    assert watched.status() == "waiting for logs"
    watched.vitals.paused = True
    assert watched.status() == "waiting for logs; the disk is full, reading waits"
