"""The state: who writes it, what went wrong, what waits, and the disk below it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from .. import registry
from ..config import Config, size_bytes
from ..decide.decider import SUPPRESSED
from ..errors import AegisError
from ..plugin import MICROS
from ..store import Store
from ..store.lock import holder
from ..visible import visible
from .check import Check

AREA = "state"

LOSSES = {
    "lost_bytes": "{of}{n:,} bytes of logs were gone before they were read; keep archives longer, or watch more often",
    "lost_messages": "{of}{n:,} Kafka messages were gone before they were read; keep them longer (retention.ms)",
    "future_rows": "clock skew: {of}{n:,} rows came from more than an hour ahead of this machine's clock; set the time"
    " of both (NTP)",
    "overflow_rows": "{of}{n:,} rows of a Zeek script say that it met more sources than it may hold, so some went"
    " untold; raise its limit (zeek_scripts/README.md)",
    "retention_lost_windows": "{of}{n:,} windows lost rows to retention.max_size before they were evaluated; raise it",
    "retention_undelivered_rows": "{of}{n:,} log rows went before they were indexed; raise retention.max_size, or mend"
    " the index sooner",
    "refused": "{of}{n:,} documents that a sink refused are kept; `aegis-enrich deadletter list` says why, and"
    " `aegis-enrich deadletter replay` sends them again once that is mended",
    "outbox_dropped_health": "{of}{n:,} health documents went before they were delivered; mend the sink sooner",
}


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
            yield from _waiting(store, config)
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
    refused = int(store.query("SELECT count(*) FROM dead_letters WHERE instr(origin, 'sink:') = 1")[0][0])
    counters = {**store.counters(), ("refused", ""): refused}  # those that are still there: others went again, or away
    for (name, sensor), value in sorted(counters.items()):
        of = f"{sensor}: " if sensor else ""
        if value and name in LOSSES:
            yield Check(AREA, "problem", LOSSES[name].format(of=of, n=value))
        elif value and name == "outbox_superseded":
            what = f"{value:,} revisions of alerts and incidents were delivered as part of later ones: a sink was away"
            yield Check(AREA, "note", what)
        elif value and name.startswith(SUPPRESSED):
            rule = name.removeprefix(SUPPRESSED)
            yield Check(AREA, "note", f"{of}{value:,} findings or rows of {rule} were suppressed")
    for origin, number, reason in store.query(
        "SELECT origin, count(*), min(reason) FROM dead_letters GROUP BY origin ORDER BY count(*) DESC, origin LIMIT 10"
    ):
        what = f"{origin}: {number:,} dead letters, such as: {reason} (`aegis-enrich deadletter list`)"
        yield Check(AREA, "note", visible(what))


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


def _waiting(store: Store, config: Config) -> Iterator[Check]:
    """What sinks have not taken, of the kinds that each takes as it is configured now."""
    for key, position in store.query("SELECT sink, position FROM cursors WHERE instr(sink, '#') = 0 ORDER BY sink"):
        kinds = _kinds(key.partition(":")[0], config)
        marks = ", ".join("?" * len(kinds))
        sql = f"SELECT count(*) FROM outbox WHERE seq > ? AND kind IN ({marks})"
        if waits := store.query(sql, [position, *kinds])[0][0]:
            yield Check(AREA, "note", f"{waits:,} documents wait for {key}")


def _kinds(name: str, config: Config) -> list[str]:
    entry = config.plugins.get(name, {})
    kind = registry.load().sinks.get(str(entry.get("sink", name)))
    chosen = entry.get("kinds") or (kind.kinds if kind else ("alert",))
    return [chosen] if isinstance(chosen, str) else [str(each) for each in chosen]


def _time(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / MICROS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
