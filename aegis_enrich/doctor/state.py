"""The state: who writes it, what went wrong, what waits, and the disk below it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..config import Config, size_bytes
from ..errors import AegisError
from ..plugin import MICROS
from ..store import Store
from ..store.lock import holder
from .check import Check

AREA = "state"


def disk(config: Config) -> Iterator[Check]:
    """Whether there is room below the state's folder."""
    folder = config.state_dir
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    least = size_bytes(config.retention.min_free)
    said = f"{usage.free / 1e9:,.1f} GB of {usage.total / 1e9:,.0f} GB are free for {config.state_dir}"
    if usage.free < least:
        yield Check("disk", "problem", f"nearly full: {said}, less than retention.min_free; reading waits for room")
    elif usage.free < 2 * least:
        yield Check("disk", "problem", f"nearly full: {said}; make room, or lower retention.max_size")
    else:
        yield Check("disk", "ok", said)


def state(config: Config, now_us: int) -> Iterator[Check]:
    """What the state remembers of its runs."""
    folder = config.state_dir
    if not (folder / "state.db").exists():
        yield Check(AREA, "note", f"{folder} holds none yet; `aegis-enrich watch` makes it")
        return
    try:
        with Store(folder, read_only=True) as store:
            yield from _running(folder, store, now_us)
            yield from _lost(store)
            yield from _failed(store)
            yield from _late(store)
            yield from _waiting(store)
    except AegisError as error:
        yield Check(AREA, "problem", str(error))


def _running(folder: Path, store: Store, now_us: int) -> Iterator[Check]:
    by = holder(folder)
    if by:
        yield Check(AREA, "ok", f"written by {by}")
    else:
        yield Check(AREA, "note", f"{folder}: no watch is running on it")
    reached = [r for p in store.progress() for r in p.reached.values()]
    if reached:
        yield Check(AREA, "ok", f"rows up to {_time(max(reached))}, {(now_us - max(reached)) // MICROS:,} s ago")


def _lost(store: Store) -> Iterator[Check]:
    counters = store.counters()
    for (name, sensor), value in sorted(counters.items()):
        if name == "lost_bytes" and value:
            what = f"{sensor}: {value:,} bytes of logs were gone before they were read"
            yield Check(AREA, "problem", f"{what}; keep archives longer, or watch more often")
        elif name == "future_rows" and value:
            what = f"{sensor}: {value:,} rows came from more than an hour ahead of this machine's clock"
            yield Check(AREA, "problem", f"clock skew: {what}; set the time of both (NTP)")
        elif name == "retention_lost_windows" and value:
            what = f"{sensor}: {value:,} windows lost rows to retention.max_size before they were evaluated"
            yield Check(AREA, "problem", f"{what}; raise it")
        elif name == "suppressed" and value:
            yield Check(AREA, "note", f"{sensor}: {value:,} findings were suppressed by rules")
    for origin, number, reason in store.query(
        "SELECT origin, count(*), min(reason) FROM dead_letters GROUP BY origin ORDER BY count(*) DESC, origin LIMIT 10"
    ):
        yield Check(AREA, "note", f"{origin}: {number:,} dead letters, such as: {reason}")


def _failed(store: Store) -> Iterator[Check]:
    for sensor, detector, number, last_us, error in store.query(
        "SELECT sensor, detector, count(*), max(end_us), max(error) FROM windows_failed GROUP BY sensor, detector"
    ):
        what = f"{sensor}: {number} windows of {detector} failed, the last that ends {_time(last_us)}: {error}"
        yield Check(AREA, "problem", f"{what}; raise memory_limit, or report it")


def _late(store: Store) -> Iterator[Check]:
    for sensor, number, detectors in store.query(
        "SELECT sensor, sum(n), group_concat(detector || ' ' || n, ', ')"
        " FROM (SELECT sensor, detector, sum(rows) AS n FROM late_windows GROUP BY sensor, detector) GROUP BY sensor"
    ):
        what = f"{sensor}: {number:,} late rows ({detectors})"
        yield Check(AREA, "problem", f"{what}: its sensor writes later than lateness_s of the rule says; raise that")


def _waiting(store: Store) -> Iterator[Check]:
    last = int(store.query("SELECT coalesce(max(seq), 0) FROM outbox")[0][0])
    for key, position in store.query("SELECT sink, position FROM cursors WHERE instr(sink, '#') = 0 ORDER BY sink"):
        if last > position:
            yield Check(AREA, "note", f"{last - position:,} documents wait for {key}")


def _time(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / MICROS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
