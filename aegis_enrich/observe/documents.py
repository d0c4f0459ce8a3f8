"""Health documents: what happened in a minute of a live watch, a document a sensor, for the boards.

They are made of the run's own numbers and wall clock and are therefore no part of what alerts depend on. The state's
upkeep keeps the newest of them only, so that a sink that is away cannot fill the disk with them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .vitals import Tally, Vitals

KIND = "health"
DATASET = "aegis.health"
ECS_VERSION = "8.17.0"
MINUTE_S = 60


@dataclass(frozen=True)
class Totals:
    """What a sensor's counters stand at."""

    rows: int = 0
    bad_lines: int = 0
    late_rows: int = 0
    failed_windows: int = 0
    lost_bytes: int = 0


@dataclass
class Minutes:
    """Turns counters that rise into documents of minutes; `refused` and `outbox` are of all sinks together."""

    _minute: int | None = None
    _before: dict[str, Totals] = field(default_factory=dict)
    _refused: int = 0

    def due(self, now_s: float) -> bool:
        """Whether another minute has begun (or the clock was set back); the first call begins the first one."""
        minute = int(now_s // MINUTE_S)
        if self._minute is None:
            self._minute = minute
        return minute != self._minute

    def take(self, vitals: Vitals, now_s: float, *, outbox: int, refused: int) -> list[tuple[str, dict[str, Any]]]:
        """Id and document of each sensor for the minute that has ended."""
        minute = datetime.fromtimestamp((self._minute or 0) * MINUTE_S, UTC)
        shared = {"outbox": outbox, "refused": refused - self._refused}
        made = [document(s, minute, numbers | shared) for s, numbers in self._numbers(vitals)]
        self._minute, self._refused = int(now_s // MINUTE_S), refused
        return made

    def _numbers(self, vitals: Vitals) -> Iterator[tuple[str, dict[str, int | float]]]:
        for sensor, now in totals(vitals).items():
            before = self._before.get(sensor, Totals())
            self._before[sensor] = now
            lags = [lag for (of, _), lag in vitals.sample.lag.items() if of == sensor]
            grown = {name: getattr(now, name) - getattr(before, name) for name in Totals.__dataclass_fields__}
            lag_s = round(max((lag.seconds for lag in lags), default=0.0), 3)
            yield sensor, {**grown, "lag_bytes": sum(lag.bytes for lag in lags), "lag_s": lag_s}


def totals(vitals: Vitals) -> dict[str, Totals]:
    """The counters of each sensor that is followed or has told anything, in the order of names."""
    rows, bad, late = (_by_sensor(tally, 0) for tally in (vitals.rows, vitals.bad, vitals.late))
    failed, lost = _by_sensor(vitals.failed, 2), _by_sensor(vitals.lost, 0)
    sensors = sorted({*vitals.sources, *rows, *late, *lost})
    return {s: Totals(*(of.get(s, 0) for of in (rows, bad, late, failed, lost))) for s in sensors}


def _by_sensor(tally: Tally, at: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for labels, value in tally.copy().items():
        found[labels[at]] = found.get(labels[at], 0) + int(value)
    return found


def document(sensor: str, minute: datetime, numbers: Mapping[str, int | float]) -> tuple[str, dict[str, Any]]:
    """Id and body."""
    at = minute.strftime("%Y-%m-%dT%H:%M:00Z")
    return f"{sensor}-{at}", {
        "@timestamp": at,
        "ecs": {"version": ECS_VERSION},
        "event": {"kind": "metric", "category": ["network"], "dataset": DATASET, "module": "aegis"},
        "observer": {"name": sensor},
        "aegis": {"health": dict(numbers)},
    }


def put(tx: sqlite3.Connection, made: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Puts documents into the outbox."""
    tx.executemany(
        "INSERT INTO outbox (kind, id, revision, body) VALUES (?, ?, 1, ?)",
        [(KIND, ident, json.dumps(body, sort_keys=True)) for ident, body in made],
    )
