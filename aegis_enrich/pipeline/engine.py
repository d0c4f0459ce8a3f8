"""The engine: reads and commits, evaluates what is sealed beside it, decides, and hands on what is decided."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import pyarrow as pa

from ..config import size_bytes
from ..correlate import Correlation, Correlator
from ..decide import Decider, RuleSet, evaluate_rows, in_force
from ..deliver import Delivery
from ..detect.early import Early
from ..detect.evaluate import Limits
from ..detect.executor import Beside, run_together
from ..detect.jobs import Job
from ..detect.scheduler import Scheduler, Watch
from ..detect.watermark import Watermarks
from ..detect.windows import sealed_end
from ..errors import AegisError
from ..follow import Source
from ..observe.notify import Notifier
from ..observe.vitals import Rules, Vitals
from ..plugin import MICROS, DerivedTable, Sink
from ..store import DiskFull, Holds, Store, Upkeep
from ..store.state import add
from .intake import Intake, stream_of
from .late import count_late
from .parts import Parts, assemble, can_find, rules_of, stamp
from .upkeep import UpkeepBeside, holds
from .watched import Watched

__all__ = ["Engine", "Parts", "assemble", "wall_us"]

log = logging.getLogger(__name__)

RULES_S = 5.0
ROW_LATENESS_S = 660  # of the slowest rows that a row rule may read
IDLE_S = 0.5
BUSY_S = 0.02  # while an evaluation runs: its result is committed, and the next begins, soon
CORRELATE_S = 1.0
EARLY_S = 0.2  # between two windows that are told of early, and nine times as long as the one before took
FULL_S = 5.0  # between two tries to commit while the disk is full
TOLD_S = 60.0


class Engine:
    """One run over one state: `run_to_end` reads what is there, `run` goes on until `stopping` is set."""

    def __init__(
        self,
        parts: Parts,
        store: Store,
        follower: Source,
        sinks: Mapping[str, Sink],
        *,
        live: bool,
        index_logs: Sequence[str] = (),
        progress: Callable[[str, Intake], None] = lambda stage, intake: None,
        watched: Watched | None = None,
    ) -> None:
        config = parts.config
        self.watched = watched or Watched(Vitals(), Notifier({}))
        self.vitals = self.watched.vitals
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
            vitals=self.vitals,
        )
        self.delivery = Delivery(store, sinks, index_logs=index_logs)
        self.limits = Limits(config.memory_limit, config.threads, store.root / "spill")
        self.min_free = size_bytes(config.retention.min_free)
        self.vitals.min_free_bytes = self.min_free
        self.stopping, self.reload_asked = threading.Event(), threading.Event()
        self.tell: Callable[[str], None] = log.info  # what was asked for by a signal
        self.beside = Beside()
        self.beside.ended = self._note_ended
        self.upkeep = UpkeepBeside(Upkeep(store, config.retention, self.min_free))
        self._full = self._dry = False  # the last commit found no room; there is no room to read more
        self._lost = 0  # of follower.lost, how many are counted
        self._due_s: dict[str, float] = {}
        self._rules_stamp, self._rules_due, self._tell_rules = stamp(config.rules_dir), False, False
        self._use_rules(parts.rules, parts.correlation)
        now_s = time.monotonic()
        for known in store.progress():
            for table, reached_us in known.reached.items():
                log_name = stream_of(known.state.name, known.state.node)
                self.marks.advance(known.state.sensor, table, log_name, reached_us, now_s=now_s)
                self.vitals.know(known.state.sensor, known.state.name, reached_us)

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
        self.watched.begin(self)
        try:
            while not self.stopping.is_set() and (until_s is None or time.monotonic() < until_s):
                room = self._room()
                read = room and self.intake.read()
                if not room:
                    self.intake.look()
                self._go_on()
                self._keep_up()
                self.progress("follow", self.intake)
                self.watched.round(self, room=room)
                if not read:
                    self.follower.wait(BUSY_S if self.beside.busy else IDLE_S)
        finally:
            self.stopping.set()
            self.watched.end()
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
        # As of when it was looked at what is unread: a process that stood still since then does not know what came.
        if self._every("due", 0.2) and (job := self.scheduler.due(self.marks, now_s=self.intake.looked_s)):
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
            self.vitals.evaluated(job.work.plugin.name, "early", job.work.sensor, now_s - begun_s, failed=False)

    def _keep_house(self) -> None:
        if self._every("settle", 1.0):
            self._mark_row_rules()
            self._settle()
            self._note_lost()
        if self.reload_asked.is_set():
            self._reload()
        elif self._every("refresh", RULES_S):
            self._refresh()
            self._rules_due |= stamp(self.parts.config.rules_dir) != self._rules_stamp
            if self._rules_due and not self.beside.busy:
                self._reload_rules()

    def _refresh(self) -> bool:
        """Takes up lists that were replaced; True where one was."""
        renewed = self.parts.enrichment.refresh()
        if renewed:
            self.decider.config_hash = self.parts.config_hash(self.rules)
        return renewed

    def _reload(self) -> None:
        """Takes up lists at once and rules as soon as no evaluation runs, and tells what is in force or was refused."""
        self.reload_asked.clear()
        self.watched.notifier.reloading()
        self.watched.before_reload()
        failed = dict(self.parts.enrichment.failures)
        renewed = self._refresh()
        refused = [name for name, n in self.parts.enrichment.failures.items() if n > failed.get(name, 0)]
        self.tell(f"reload: lists {'renewed' if renewed else 'are as they were'}")
        for name in refused:
            self.tell(f"reload: {name} could not take up its files, the old ones stay in force; the log says why")
        self._rules_due = self._tell_rules = True
        if self.beside.busy:
            self.tell("reload: rules are taken up once the evaluation that runs has ended")
        else:
            self._reload_rules()
        self.watched.notifier.ready(self.watched.status())

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
            what, number, longer = "bytes", lost.bytes, "archives"
            if lost.messages is not None:
                what, number, longer = "messages", lost.messages or None, "them (retention.ms of the topic)"
            size = "an unknown number of" if number is None else f"{number:,}"
            log.error("%s: %s %s are gone that were not read; keep %s longer", lost.path, size, what, longer)
            with self.store.transaction() as tx:
                add(tx, f"lost_{what}", lost.sensor, number or 1)
                self.store.close_log(tx, lost.log)
            if lost.messages is None:
                self.vitals.lost.add(lost.sensor, by=number or 1)
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
        moved = list(self._row_marks(self.intake.looked_s))
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
        self.decider = Decider(rules, self.parts.enrichment.describe, self.parts.config_hash(self.rules), wall_us)
        self.scheduler = Scheduler(
            self.store,
            [Watch(r.detector, r.tuning, r.lateness_s) for r in rules.detectors.values() if can_find(r)],
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

    def _schema(self, table: str) -> pa.Schema:
        return self.parts.enrichment.schema(table)

    def _reload_rules(self) -> None:
        """Takes up changed rules between two evaluations; what does not check is said and changes nothing."""
        self._rules_due, self._rules_stamp = False, stamp(self.parts.config.rules_dir)
        try:
            rules, correlation = rules_of(self.parts.config, self.parts.registry, self._schema)
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
        before = self.vitals.rules
        since_s = before.since_s if before and before.digest == digest else wall_us() / MICROS
        self.vitals.rules = Rules(len(self.rules.detectors), len(self.rules.rows), digest, since_s, refused)
        if self._tell_rules:
            self._tell_rules = False
            self.tell(f"reload: {self.vitals.rules}")
        try:
            with self.store.transaction() as tx:
                if in_force.note(tx, now):
                    self.decider.review(tx)
        except DiskFull as error:
            log.warning("%s; what is suppressed now is withdrawn at the next start", error)

    def _note_ended(self, job: Job, seconds: float, failed: bool) -> None:
        kind = "hour" if issubclass(job.work.plugin, DerivedTable) else "window"
        self.vitals.evaluated(job.work.plugin.name, kind, job.work.sensor, seconds, failed=failed)

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


def wall_us() -> int:
    return time.time_ns() // 1000
