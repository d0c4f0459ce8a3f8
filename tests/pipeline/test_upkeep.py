"""Upkeep beside the reading: when it runs, and what it must leave alone."""

from __future__ import annotations

import logging
import threading
from typing import Any

from aegis_enrich.errors import StateError
from aegis_enrich.pipeline.upkeep import EVERY_S, NOTHING_SEALED_US, UpkeepBeside
from aegis_enrich.plugin import HOUR_US, MICROS
from aegis_enrich.registry import load
from aegis_enrich.store import Holds

BASE_US = 475_000 * HOUR_US


class Steps:
    """An upkeep whose steps do as they are told: there is more, there is none, or it fails."""

    def __init__(self, *outcomes: bool | Exception) -> None:
        self.left, self.ran = list(outcomes), 0

    def step(self, holds: Holds, *, now_us: int) -> bool:
        self.ran += 1
        outcome = self.left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def go_on(beside: UpkeepBeside) -> None:
    """Begins what is due and waits for it."""
    beside.go_on(lambda: Holds({}, {}, {}), now_us=0)
    if beside._step is not None:
        beside._step.exception(60)


def test_it_goes_on_at_once_while_there_is_more_and_else_once_a_minute() -> None:
    now = [0.0]
    steps = Steps(True, True, False, False)
    beside = UpkeepBeside(steps, clock=lambda: now[0])  # type: ignore[arg-type]
    for _ in range(5):
        go_on(beside)
    assert steps.ran == 3
    now[0] = EVERY_S - 1
    go_on(beside)
    assert steps.ran == 3
    now[0] = EVERY_S
    go_on(beside)
    assert steps.ran == 4
    beside.close()


def test_one_step_runs_at_a_time() -> None:
    going = threading.Event()

    class Slow(Steps):
        def step(self, holds: Holds, *, now_us: int) -> bool:
            going.wait(60)
            return super().step(holds, now_us=now_us)

    steps = Slow(True, True)
    beside = UpkeepBeside(steps, clock=lambda: 0.0)  # type: ignore[arg-type]
    for _ in range(3):
        beside.go_on(lambda: Holds({}, {}, {}), now_us=0)
    going.set()
    beside.close()
    assert steps.ran == 1


def test_a_full_disk_makes_it_wait(caplog) -> None:
    now = [0.0]
    steps = Steps(StateError("no space left"), False)
    beside = UpkeepBeside(steps, clock=lambda: now[0])  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        go_on(beside)
        go_on(beside)
    assert steps.ran == 1 and "the upkeep of the state waits" in caplog.text
    now[0] = EVERY_S
    go_on(beside)
    assert steps.ran == 2
    beside.close()


def needs(engine: Any) -> dict[tuple[str, str], int]:
    return dict(engine._holds().needs)


def test_what_the_next_windows_read_is_held(tmp_path, write, probes, start) -> None:
    write(tmp_path / "logs" / "conn.log", probes(1) + probes(1, first_s=3 * 3600))
    with start(tmp_path / "logs") as engine:
        engine.intake.marks.stream("sensor", "conn", "conn", now_s=0)
        assert needs(engine)["conn", "sensor"] == NOTHING_SEALED_US
        engine.run_to_end()
        held = needs(engine)
        sealed, watched = engine.store.sealed, [w.detector for w in engine.scheduler.watches.values()]
        tables = {t for d in watched for t in d.derived}

        def next_reads(detector: Any) -> int:
            span_s = detector.window_s - detector.every_s + detector.lookback_s
            return sealed("sensor", f"detector:{detector.name}") - span_s * MICROS

        hours = [sealed("sensor", f"hour:{t}") for t in tables if "conn" in load().tables[t].reads]
        least = min(hours + [next_reads(d) for d in watched if "conn" in d.reads])
        assert held["conn", "sensor"] == least < BASE_US + 3 * HOUR_US
        assert held["pair_hour", "sensor"] == min(next_reads(d) for d in watched if "pair_hour" in d.derived)
        baseline = next(d for d in watched if d.past_s)
        farther = next_reads(baseline) - (baseline.past_s - baseline.lookback_s) * MICROS
        assert held[baseline.derived[0], "sensor"] == farther


def test_cursors_of_sinks_that_are_not_there_hold_log_rows(tmp_path, write, probes, start) -> None:
    with start(tmp_path) as engine:
        with engine.store.transaction() as tx:
            tx.execute("INSERT INTO cursors (sink, position) VALUES ('elasticsearch:a#conn', 7)")
            tx.execute("INSERT INTO cursors (sink, position) VALUES ('elasticsearch:b#conn', 5)")
            tx.execute("INSERT INTO cursors (sink, position) VALUES ('ndjson:/x', 1)")
        held = engine._holds()
    assert held.rows["conn"] == 5 and held.outbox == {}
