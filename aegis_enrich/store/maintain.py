"""The upkeep of a state, in small steps: merges small segments, drops what is too old or too much."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from ..config import Retention
from ..errors import StateError
from . import compact, retain
from .lake import DiskFull
from .letters import take_orders
from .state import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holds:
    """Who still needs what. `rows`: table -> the number that every cursor of its log rows has passed.

    `outbox`: kind -> the position that every sink which takes it has passed; no entry where none does. `needs`: (table,
    sensor) -> the least event time in µs that a window which is not evaluated yet needs.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    outbox: Mapping[str, int] = field(default_factory=dict)
    needs: retain.Needs = field(default_factory=dict)


@dataclass
class Upkeep:
    """The upkeep of one state; `step` may run beside the reading, in one thread at a time."""

    store: Store
    retention: Retention
    min_free_bytes: int = 0
    _passed_over: set[str] = field(default_factory=set)

    def step(self, holds: Holds, *, now_us: int) -> bool:
        """One round, which merges one group of segments at most; True where there is more to do. Raises DiskFull."""
        store, ages = self.store, self.retention
        starved = store.free_bytes() < self.min_free_bytes
        more = retain.unlink_replaced(store, now_us=now_us, grace_us=0 if starved else retain.TOMBSTONE_US)
        newest = retain.newest(store, now_us)
        for segments in retain.over(store, ages, newest):
            retain.remove(store, segments, now_us=now_us, needs=holds.needs, held=holds.rows)
            more += len(segments)
        more += retain.forget_alerts(store, ages, newest)
        more += take_orders(store)
        more += retain.forget_documents(store, now_us=now_us, delivered=holds.outbox)
        more += retain.forget_dead_letters(store, ages.dead_letters)
        compact.forget_parts(store, holds.rows)
        merged = not starved and self._merge(holds, newest, now_us)
        return merged or more >= retain.AT_ONCE

    def _merge(self, holds: Holds, newest: Mapping[str, int], now_us: int) -> bool:
        """Merges the next group; one that cannot be is told once and left as it is until the next start."""
        parts = compact.due(self.store, newest, self._passed_over)
        if not parts:
            return False
        try:
            merged = compact.merge(self.store.lake, parts)
            passed = holds.rows.get(parts[0].table)
            compact.put_in_place(self.store, parts, merged, now_us=now_us, passed=passed)
        except DiskFull:
            raise
        except (StateError, pa.ArrowException) as error:
            log.warning("%s: %d segments stay small: %s", parts[0].table, len(parts), error)
            self._passed_over.update(p.id for p in parts)
        return True
