"""What a rule would have raised on old rows: all that is there at once, over a state of its own that is thrown away."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..decide import Decider, DetectorRule, RowRule, RuleSet, alert_documents, evaluate_rows
from ..decide.decider import STORED
from ..detect.evaluate import Limits
from ..detect.executor import run_together
from ..detect.scheduler import Scheduler, Watch
from ..errors import StateError
from ..follow import Follower
from ..plugin import DAY_US
from ..store import Store
from .engine import Engine, Parts

BATCH_ROWS = 262_144
_FORGET = ("findings", "alerts", "outbox", "cursors", "counters", "windows_failed", "late_windows", "dead_letters")


@contextlib.contextmanager
def of_logs(parts: Parts, logs: Mapping[str, Sequence[Path]]) -> Iterator[Past]:
    """The rows of these logs, by sensor, in a temporary state: read and enriched, nothing decided."""
    with tempfile.TemporaryDirectory(prefix="aegis-backtest-") as root, Store(Path(root)) as store:
        nothing = replace(parts, rules=RuleSet.of([]))
        with Follower(logs, [], poll=True) as follower:
            engine = Engine(nothing, store, follower, {}, live=False)
            engine.run_to_end()
            engine.delivery.close()
        yield Past(store, parts)


@contextlib.contextmanager
def of_state(parts: Parts, root: Path) -> Iterator[Past]:
    """The rows of a state, which is only read: a copy of its manifest that names the same segments."""
    with tempfile.TemporaryDirectory(prefix="aegis-backtest-") as folder:
        copy = Path(folder) / "state.db"
        with Store(root, read_only=True):  # refuses what is no state, or one of another version
            try:
                _copy(root.absolute(), copy)
            except sqlite3.Error as error:
                raise StateError(f"cannot be copied: {error}; run it as who runs the watch", where=str(root)) from error
        with Store(Path(folder)) as store:
            yield Past(store, parts)


def _copy(root: Path, copy: Path) -> None:
    """The manifest, and which hours of derived tables are there."""
    source = (root / "state.db").as_uri() + "?mode=ro"
    with contextlib.closing(sqlite3.connect(source, uri=True)) as old, contextlib.closing(sqlite3.connect(copy)) as new:
        old.backup(new)
        new.execute("UPDATE segments SET path = ? || path", [f"{root}/"])
        for table in _FORGET:
            new.execute(f"DELETE FROM {table}")
        new.execute("DELETE FROM sealed WHERE unit NOT LIKE 'hour:%'")
        new.commit()


class Past:
    """Rows that are there, on which one rule after the other may be tried."""

    def __init__(self, store: Store, parts: Parts) -> None:
        self.store, self.parts = store, parts
        self.sensors = sorted({str(s) for (s,) in store.query("SELECT DISTINCT sensor FROM segments")})

    @property
    def newest_us(self) -> int | None:
        """The end of the newest row."""
        (newest,) = self.store.query("SELECT max(max_us) FROM segments WHERE derived = 0")[0]
        return None if newest is None else int(newest)

    def alerts(self, rule: DetectorRule | RowRule, *, days: float | None = None) -> list[dict[str, Any]]:
        """What it raises as at the end of the input, by first seen; raises StateError where a window fails.

        `days`: only windows that end, or rows, in this span of event time back from the newest row.
        """
        since_us = None if days is None or self.newest_us is None else self.newest_us - round(days * DAY_US)
        rules = RuleSet.of([rule], self.parts.rules.suppress)
        decider = Decider(rules, self.parts.enrichment.describe, "", lambda: 0)
        with self.store.transaction() as tx:
            for table in ("findings", "alerts", "outbox", "windows_failed"):
                tx.execute(f"DELETE FROM {table}")
            tx.execute("DELETE FROM sealed WHERE unit NOT LIKE 'hour:%'")
        if isinstance(rule, DetectorRule):
            self._detect(rule, decider, since_us)
        else:
            self._rows(rule, rules, decider, since_us)
        found = self.store.query(f"SELECT {STORED} FROM alerts WHERE status != 'withdrawn' ORDER BY first_us, alert_id")
        return alert_documents(found)

    def _detect(self, rule: DetectorRule, decider: Decider, since_us: int | None) -> None:
        if since_us is not None:
            with self.store.transaction() as tx:
                for sensor in self.sensors:
                    self.store.seal(tx, sensor, f"detector:{rule.detector.name}", since_us)
        scheduler = Scheduler(
            self.store,
            [Watch(rule.detector, rule.tuning, rule.lateness_s)],
            self.parts.registry.tables,
            self.parts.enrichment.schema,
            decider.window,
            lambda tx, unit: None,
            Limits(self.parts.config.memory_limit, self.parts.config.threads, self.store.root / "spill"),
        )
        for group in scheduler.finish(self.sensors):
            run_together(group, scheduler.limits.threads, stop=lambda: False)
        for (error,) in self.store.query("SELECT error FROM windows_failed LIMIT 1"):
            raise StateError(f"a window of {rule.id} failed: {error}; raise memory_limit, or name fewer --days")

    def _rows(self, rule: RowRule, rules: RuleSet, decider: Decider, since_us: int | None) -> None:
        for table in rule.tables:
            for sensor in self.sensors:
                for segment in self.store.segments(table, sensor):
                    if since_us is None or segment.max_us >= since_us:
                        self._segment(segment.path, table, sensor, rules, decider, since_us)

    def _segment(
        self, path: Path, table: str, sensor: str, rules: RuleSet, decider: Decider, since_us: int | None
    ) -> None:
        describe = self.parts.enrichment.describe
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                rows = pa.Table.from_batches([batch])
                if since_us is not None:
                    rows = rows.filter(pc.greater_equal(rows["end_ts"].cast(pa.int64()), since_us))
                hits = evaluate_rows(rules, table, sensor, rows, describe)
                with self.store.transaction() as tx:
                    decider.rows(tx, hits)


@dataclass(frozen=True)
class Difference:
    """What changes from the alerts of one rule to those of another: by the alert's id."""

    before: Sequence[dict[str, Any]]
    after: Sequence[dict[str, Any]]

    @property
    def gone(self) -> list[dict[str, Any]]:
        """Those only before."""
        return _without(self.before, self.after)

    @property
    def new(self) -> list[dict[str, Any]]:
        """Those only after."""
        return _without(self.after, self.before)

    @property
    def changed(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Those whose severity is another, before and after."""
        held = {doc["event"]["id"]: doc for doc in self.before}
        both = [(held[doc["event"]["id"]], doc) for doc in self.after if doc["event"]["id"] in held]
        return [(a, b) for a, b in both if a["event"]["severity"] != b["event"]["severity"]]


def _without(some: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    there = {doc["event"]["id"] for doc in others}
    return [doc for doc in some if doc["event"]["id"] not in there]
