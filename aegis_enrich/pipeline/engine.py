"""The engine: reads and commits, evaluates what is sealed beside it, decides, and hands on what is decided."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa

from ..config import Config, size_bytes
from ..correlate import Correlation, Correlator, load_correlation
from ..decide import Decider, DetectorRule, RuleSet, evaluate_rows, in_force, load_rules
from ..decide.folders import rule_files
from ..deliver import Delivery
from ..detect.early import Early
from ..detect.evaluate import Limits
from ..detect.executor import Beside, run_together
from ..detect.scheduler import Scheduler, Watch
from ..detect.watermark import Watermarks
from ..detect.windows import sealed_end
from ..enrich import Enrichment
from ..errors import AegisError, ConfigError
from ..follow import Follower
from ..plugin import Sink
from ..registry import Registry
from ..store import DiskFull, Holds, Store, Upkeep
from ..store.state import add
from .intake import Intake, stream_of
from .late import count_late
from .upkeep import UpkeepBeside, holds

log = logging.getLogger(__name__)

RULES_S = 5.0
ROW_LATENESS_S = 660  # of the slowest rows that a row rule may read
IDLE_S = 0.5
BUSY_S = 0.02  # while an evaluation runs: its result is committed, and the next begins, soon
CORRELATE_S = 1.0
EARLY_S = 0.2  # between two windows that are told of early, and nine times as long as the one before took
FULL_S = 5.0  # between two tries to commit while the disk is full
TOLD_S = 60.0


@dataclass(frozen=True)
class Parts:
    """What a run is made of, from the configuration and the plugins that are installed."""

    config: Config
    registry: Registry
    enrichment: Enrichment
    rules: RuleSet
    correlation: Correlation = field(default_factory=Correlation)


def assemble(config: Config, registry: Registry) -> Parts:
    """Enrichers, rules and detectors as configured; raises ConfigError or Problems where something does not check."""
    settings = config.enricher_settings()
    enrichment = Enrichment([kind(settings.get(name, {})) for name, kind in registry.enrichers.items()])
    rules, correlation = _rules_of(config, registry, enrichment.schema)
    return Parts(config, registry, enrichment, rules, correlation)


def _rules_of(config: Config, registry: Registry, schema: Callable[[str], pa.Schema]) -> tuple[RuleSet, Correlation]:
    rules = load_rules(config.rules_dir, registry.detectors, schema)
    if not rules.detectors and not rules.rows:
        raise ConfigError(
            "no rule is enabled, so nothing would be watched; enable one, or name other rules in the configuration",
            where=str(config.rules_dir),
        )
    return rules, load_correlation(config.rules_dir, [r.id for r in rules])


class Engine:
    """One run over one state: `run_to_end` reads what is there, `run` goes on until `stopping` is set."""

    def __init__(
        self,
        parts: Parts,
        store: Store,
        follower: Follower,
        sinks: Mapping[str, Sink],
        *,
        live: bool,
        index_logs: Sequence[str] = (),
        progress: Callable[[str, Intake], None] = lambda stage, intake: None,
    ) -> None:
        config = parts.config
        self.parts, self.store, self.follower, self.progress = parts, store, follower, progress
        self.marks = Watermarks(config.idle_after_s)
        self.intake = Intake(
            follower,
            parts.enrichment,
            store,
            self.marks,
            rows=config.flush.rows,
            seconds=config.flush.seconds,
            small_seconds=config.flush.small_seconds,
            small_rows=config.flush.small_rows,
            wall_us=wall_us if live else None,
        )
        self.delivery = Delivery(store, sinks, index_logs=index_logs)
        self.limits = Limits(config.memory_limit, config.threads, store.root / "spill")
        self.min_free = size_bytes(config.retention.min_free)
        self.stopping = threading.Event()
        self.beside = Beside()
        self.upkeep = UpkeepBeside(Upkeep(store, config.retention, self.min_free))
        self._full = self._dry = False  # the last commit found no room; there is no room to read more
        self._lost = 0  # of follower.lost, how many are counted
        self._due_s: dict[str, float] = {}
        self._rules_stamp, self._rules_due = _stamp(config.rules_dir), False
        self._use_rules(parts.rules, parts.correlation)
        now_s = time.monotonic()
        for known in store.progress():
            for table, reached_us in known.reached.items():
                log_name = stream_of(known.state.name, known.state.node)
                self.marks.advance(known.state.sensor, table, log_name, reached_us, now_s=now_s)

    def run_to_end(self) -> None:
        """Reads all that is there, evaluates every window with the input's end as the end of time, and delivers."""
        self._read_all()
        self.follower.finish()
        self._read_all()
        self.intake.flush()
        pa.default_memory_pool().release_unused()  # what reading held is for the queries now
        self._note_lost()
        self._mark_row_rules()
        for group in self.scheduler.finish(self.marks.sensors(), self.marks, now_s=time.monotonic()):
            run_together(group, self.scheduler.limits.threads, stop=self._is_to_stop)
        while not self._is_to_stop() and (job := self.scheduler.due(self.marks, now_s=time.monotonic())):
            job.run_here()  # of what holds no rows only the marks go on
        self._settle(all_of_them=True)

    def _is_to_stop(self) -> bool:
        self.progress("detect", self.intake)
        return self.stopping.is_set()

    def run(self, *, until_s: float | None = None) -> None:
        """Follows the logs until `stopping` is set or the monotonic clock reads `until_s`."""
        self.delivery.start()
        self.early.note_open(self.marks.sensors())
        try:
            while not self.stopping.is_set() and (until_s is None or time.monotonic() < until_s):
                room = self._room()
                read = room and self.intake.read()
                if not room:
                    self.intake.look()
                self._go_on()
                self._keep_up()
                self.progress("follow", self.intake)
                if not read:
                    self.follower.wait(BUSY_S if self.beside.busy else IDLE_S)
        finally:
            self.stopping.set()
            self.beside.close()
            self.upkeep.close()
            self._last_flush()

    def _read_all(self) -> None:
        while not self.stopping.is_set() and self.intake.read():
            self.progress("read", self.intake)
            self.intake.flush_due()

    def _go_on(self) -> None:
        """Commits, detects and keeps house; a full disk is waited out, and tried again every few seconds."""
        if self._full and not self._every("try again", FULL_S):
            return
        try:
            self.intake.flush_due()
            self._tell_early()
            self._detect()
            self._keep_house()
            self._full = False
        except DiskFull as error:
            self._full = True
            if self._every("told full", TOLD_S):
                log.warning("%s; nothing is lost, what was read waits", error)

    def _room(self) -> bool:
        """Whether there is room to read more; said when there is none, and once when there is again."""
        dry = self._full or self.store.free_bytes() < self.min_free
        if dry and self._every("told dry", TOLD_S):
            log.warning("%s: less than %d MB are free; reading waits", self.store.root, self.min_free // 10**6)
        elif self._dry and not dry:
            log.warning("%s: there is room again; reading goes on", self.store.root)
        self._dry = dry
        return not dry

    def _detect(self) -> None:
        """Commits what was evaluated and begins what is due; after one evaluation it looks for the next at once."""
        if self.beside.busy:
            if not self.beside.collect():
                return
            self._due_s.pop("due", None)
        if self._rules_due:
            self._reload_rules()
        if self._every("due", 0.2) and (job := self.scheduler.due(self.marks, now_s=time.monotonic())):
            self.beside.start(job)

    def _tell_early(self) -> None:
        """Evaluates, here, a window that new rows of early tables lie in: these are few; a tenth of the time at most.

        Beside, it would wait for the query that runs there.
        """
        if self._every("early", EARLY_S) and (job := self.early.next()):
            begun_s = time.monotonic()
            job.run_here()
            now_s = time.monotonic()
            self._due_s["early"] = now_s + max(EARLY_S, 9 * (now_s - begun_s))

    def _keep_house(self) -> None:
        if self._every("settle", 1.0):
            self._mark_row_rules()
            self._settle()
            self._note_lost()
        if self._every("refresh", RULES_S):
            if self.parts.enrichment.refresh():
                self.decider.config_hash = self._config_hash()
            self._rules_due |= _stamp(self.parts.config.rules_dir) != self._rules_stamp
            if self._rules_due and not self.beside.busy:
                self._reload_rules()

    def _keep_up(self) -> None:
        """Lets the state's upkeep go on beside, on a full disk too: it may make room."""
        if self._every("upkeep", 1.0):
            self.upkeep.go_on(self._holds, now_us=wall_us())

    def tidy(self) -> None:
        """Does the whole upkeep of the state here, once there is nothing else to do; a full disk leaves it undone."""
        self.upkeep.run_here(self._holds, wall_us, until=self.stopping.is_set)

    def _holds(self) -> Holds:
        return holds(self.store, self.delivery, self.scheduler, self.marks.sensors())

    def _note_lost(self) -> None:
        """Counts what was written and can no longer be read, and says it."""
        for lost in self.follower.lost[self._lost :]:
            size = "an unknown number of" if lost.bytes is None else f"{lost.bytes:,}"
            log.error("%s: %s bytes are gone that were not read; keep archives longer", lost.path, size)
            with self.store.transaction() as tx:
                add(tx, "lost_bytes", lost.sensor, lost.bytes or 1)
            self._lost += 1

    def _settle(self, *, all_of_them: bool = False) -> None:
        self._correlate(all_of_them=all_of_them)
        if self.store.query("SELECT 1 FROM alerts WHERE pending = 1 LIMIT 1"):
            with self.store.transaction() as tx:
                self.decider.settle(tx, all_of_them=all_of_them)

    def _correlate(self, *, all_of_them: bool) -> None:
        """A tenth of the time at most, where there are very many alerts of one host."""
        if all_of_them or self._every("correlate", CORRELATE_S):
            begun_s = time.monotonic()
            self.correlator.run(all_of_them=all_of_them)
            now_s = time.monotonic()
            self._due_s["correlate"] = now_s + max(CORRELATE_S, 9 * (now_s - begun_s))

    def _mark_row_rules(self) -> None:
        """Row rules see a row when it comes: their periods close with the watermark, as late as the slowest sensor."""
        moved = list(self._row_marks(time.monotonic()))
        if moved:
            with self.store.transaction() as tx:
                for sensor, unit, until in moved:
                    self.store.seal(tx, sensor, unit, until)
                    self._sealed(tx, unit)

    def _row_marks(self, now_s: float) -> Iterator[tuple[str, str, int]]:
        """Sensor, unit and new mark of each row rule whose periods may close further."""
        tables = {rule.tables for rule in self.rules.rows.values()}
        for sensor in self.marks.sensors():
            watermarks = {t: self.marks.of(sensor, t, now_s=now_s) for t in tables}
            for rule in self.rules.rows.values():
                watermark, unit = watermarks[rule.tables], f"rule:{rule.id}"
                until = None if watermark is None else sealed_end(watermark, 3600, ROW_LATENESS_S)
                mark = self.store.sealed(sensor, unit)
                if until is not None and (mark is None or until > mark):
                    yield sensor, unit, until

    def _sealed(self, tx: sqlite3.Connection, unit: str) -> None:
        """Closes what every sensor has passed."""
        kind, name = unit.split(":", 1)
        if kind != "hour":
            mark = tx.execute("SELECT min(sealed_us) FROM sealed WHERE unit = ?", [unit]).fetchone()[0]
            self.decider.close(tx, name, mark)

    def _use_rules(self, rules: RuleSet, correlation: Correlation) -> None:
        self.rules, self.correlation = rules, correlation
        self.correlator = Correlator(self.store, correlation, rules.health, wall_us)
        self.decider = Decider(rules, self.parts.enrichment.describe, self._config_hash(), wall_us)
        self.scheduler = Scheduler(
            self.store,
            [Watch(r.detector, r.tuning, r.lateness_s) for r in rules.detectors.values() if _can_find(r)],
            self.parts.registry.tables,
            self._schema,
            self.decider.window,
            self._sealed,
            self.limits,
        )
        self.early = Early(self.scheduler)
        self.intake.early_tables, self.intake.early = self.early.tables, self.early.note
        self.intake.row_rules = lambda table, sensor, rows: evaluate_rows(
            rules, table, sensor, rows, self.parts.enrichment.describe
        )
        self.intake.apply_rows = self.decider.rows
        self.intake.late = partial(count_late, self.store, self.scheduler)
        for suppression in rules.expired(wall_us()):
            log.warning("%s: a suppression has expired: %s", suppression.written, suppression)
        self._note_rules()

    def _config_hash(self) -> str:
        """Of what the analysts decide: rules with their tuning, networks, lists."""
        text = f"{self.rules.hash} {self.parts.enrichment.digest()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _schema(self, table: str) -> pa.Schema:
        return self.parts.enrichment.schema(table)

    def _reload_rules(self) -> None:
        """Takes up changed rules between two evaluations; what does not check is said and changes nothing."""
        self._rules_due, self._rules_stamp = False, _stamp(self.parts.config.rules_dir)
        try:
            rules, correlation = _rules_of(self.parts.config, self.parts.registry, self._schema)
        except AegisError as error:
            refused = in_force.in_a_line(error, self.parts.config.rules_dir)
            log.warning("the changed rules do not check, so the old ones stay in force: %s", refused)
            self._note_rules(refused)
            return
        if (rules.hash, correlation.hash) == (self.rules.hash, self.correlation.hash):
            self._note_rules()
            return
        log.info("rules changed: %d detectors, %d row rules", len(rules.detectors), len(rules.rows))
        self._use_rules(rules, correlation)
        self.early.note_open(self.marks.sensors())

    def _note_rules(self, refused: str = "") -> None:
        """Keeps in the state what is in force; where that is new, puts alerts under it that are there already."""
        digest = f"{self.rules.hash} {self.correlation.hash}"
        now = in_force.InForce(str(self.parts.config.rules_dir), digest, refused)
        try:
            with self.store.transaction() as tx:
                if in_force.note(tx, now):
                    self.decider.review(tx)
        except DiskFull as error:
            log.warning("%s; what is suppressed now is withdrawn at the next start", error)

    def _last_flush(self) -> None:
        try:
            self.intake.flush()
            self.correlator.run()
        except DiskFull as error:
            log.warning("%s; what was read last is read again at the next start", error)

    def _every(self, what: str, seconds: float) -> bool:
        now_s = time.monotonic()
        if now_s < self._due_s.get(what, 0.0):
            return False
        self._due_s[what] = now_s + seconds
        return True


def _can_find(rule: DetectorRule) -> bool:
    """Whether there is a point in running it; said where there is none."""
    try:
        why = rule.detector.idle(rule.tuning)
    except AegisError as error:
        log.error("%s is not run: %s", rule.id, error)
        return False
    if why:
        log.info("%s %s", rule.id, why)
    return not why


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells that a folder of rules, or the one that it extends, has changed."""
    found = []
    for path in rule_files(folder).values():
        with contextlib.suppress(OSError):  # an editor has just put another file in its place
            found.append((str(path), path.stat().st_mtime_ns, path.stat().st_size))
    return tuple(found)


def wall_us() -> int:
    return time.time_ns() // 1000
