"""The state: SQLite in WAL mode, written by one process and read by any; a flush is one transaction."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import StateError
from ..follow import LogState
from ..plugin import HOUR_US
from .lake import Crash, DiskFull, Lake, Rows, Segment, hours_json
from .lock import Lock
from .views import View

SCHEMA_VERSION = 1
# What takes a state of version N to N + 1, by N.
MIGRATIONS: Mapping[int, str] = {}

BODY_BYTES = 4096
_LOG_FIELDS = tuple(f.name for f in fields(LogState))  # as in schema.sql, where `id` is `log_id`

Within = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True)
class LogProgress:
    """How far a log is committed. `reached`: table -> greatest `end_ts` in µs; rows and bad lines add up."""

    state: LogState
    reached: Mapping[str, int]
    rows: int
    bad: int


@dataclass(frozen=True)
class DeadLetter:
    """A line or document that could not be taken."""

    origin: str
    offset: int
    body: bytes
    reason: str


class Store:
    """The state folder. One writer holds its lock; `read_only` opens it beside the writer."""

    def __init__(self, root: Path, *, read_only: bool = False, crash: Crash = lambda point: None) -> None:
        self.root, self.read_only, self.crash = root, read_only, crash
        self._lock: Lock | None = None
        if read_only:
            if not (root / "state.db").exists():
                raise StateError("holds no state; run `aegis-enrich watch` or `analyze` first", where=str(root))
        else:
            try:
                root.mkdir(parents=True, exist_ok=True)
                self._lock = Lock(root)
            except OSError as error:
                raise StateError(f"cannot be used: {error.strerror}; name another --state", where=str(root)) from error
        self.lake = Lake(root, crash=crash)
        self._connection = self._connect()
        self._write = threading.RLock()
        self._migrate()
        if not read_only:
            self.lake.sweep({row[0] for row in self._connection.execute("SELECT segment_id FROM segments")})
            shutil.rmtree(root / "spill", ignore_errors=True)

    def _connect(self) -> sqlite3.Connection:
        target = f"file:{self.root / 'state.db'}" + ("?mode=ro" if self.read_only else "")
        try:
            connection = sqlite3.connect(target, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
            if not self.read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error as error:
            raise StateError(f"cannot be opened: {error}", where=str(self.root / "state.db")) from error
        return connection

    def _migrate(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StateError(
                f"is of a newer AegisEnrich (state version {version}, this one knows {SCHEMA_VERSION}); update",
                where=str(self.root),
            )
        if self.read_only or version == SCHEMA_VERSION:
            return
        with self.transaction() as tx:
            if version == 0:
                schema = (files("aegis_enrich.store") / "schema.sql").read_text(encoding="utf-8")
                _run(tx, schema)
            else:
                for step in range(version, SCHEMA_VERSION):
                    _run(tx, MIGRATIONS[step])
            tx.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        self._connection.close()
        self.lake.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction: all of it or nothing, whatever is raised or killed in it."""
        with self._write:
            tx = self._connection
            tx.execute("BEGIN IMMEDIATE")
            try:
                yield tx
                self.crash("before commit")
                tx.execute("COMMIT")
            except BaseException as error:
                if tx.in_transaction:
                    tx.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                    raise DiskFull("no space left on the disk; make room", where=str(self.root)) from error
                raise
            self.crash("after commit")

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of the state, as one short read."""
        with self._write:
            return self._connection.execute(sql, parameters).fetchall()

    # Reading and committing logs

    def progress(self) -> list[LogProgress]:
        """Every log that the state knows."""
        rows = self._connection.execute(
            f"SELECT {', '.join(('log_id', *_LOG_FIELDS[1:]))}, reached, rows, bad FROM logs"
        )
        return [
            LogProgress(
                LogState(**dict(zip(_LOG_FIELDS, (*row[:13], bool(row[13])), strict=True))),
                json.loads(row[14]),
                row[15],
                row[16],
            )
            for row in rows
        ]

    def flush(
        self,
        rows: Iterable[Rows],
        progress: Iterable[LogProgress],
        dead: Iterable[DeadLetter] = (),
        *,
        within: Within = lambda tx: None,
    ) -> list[Segment]:
        """Makes rows and positions durable together; raises DiskFull and changes nothing where there is no room."""
        segments = self.lake.write(rows)
        try:
            with self.transaction() as tx:
                self._name(tx, segments)
                for log in progress:
                    _commit_log(tx, log)
                tx.executemany(
                    "INSERT INTO dead_letters (origin, offset, reason, body) VALUES (?, ?, ?, ?)",
                    [(d.origin, d.offset, d.reason, d.body[:BODY_BYTES]) for d in dead],
                )
                within(tx)
        except Exception:
            for segment in segments:
                segment.path.unlink(missing_ok=True)
            raise
        return segments

    def commit_derived(self, table: str, sensor: str, hour_us: int, rows: pa.Table, unit: str) -> None:
        """A derived table's hour and its sealed mark, together."""
        segments = self.lake.write([Rows(table, sensor, rows, hour_us)])
        with self.transaction() as tx:
            self._name(tx, segments)
            self.seal(tx, sensor, unit, hour_us + HOUR_US)

    def _name(self, tx: sqlite3.Connection, segments: Sequence[Segment]) -> None:
        if not segments:
            return
        last = tx.execute("SELECT coalesce(max(committed), 0) FROM segments").fetchone()[0]
        counted = tx.execute("SELECT coalesce(max(value), 0) FROM counters WHERE name = 'commits'").fetchone()[0]
        number = max(last, counted) + 1
        add(tx, "commits", "", number - counted)
        tx.executemany(
            "INSERT INTO segments (segment_id, tbl, sensor, source, path, rows, bytes, min_us, max_us, hours, derived,"
            " committed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    s.id,
                    s.table,
                    s.sensor,
                    s.source,
                    str(s.path.relative_to(self.root)),
                    s.rows,
                    s.bytes,
                    s.min_us,
                    s.max_us,
                    hours_json(s.hours),
                    int(s.derived),
                    number,
                )
                for s in segments
            ],
        )

    # The manifest

    def segments(
        self,
        table: str,
        sensor: str | None = None,
        *,
        source: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> list[Segment]:
        """The living segments of a table that may hold rows with `end_ts` in `[start_us, end_us)`, oldest first."""
        where = ["tbl = ?", "tombstone_us IS NULL"]
        parameters: list[Any] = [table]
        for condition, value in (
            ("sensor = ?", sensor),
            ("source = ?", source),
            ("max_us >= ?", start_us),
            ("min_us < ?", end_us),
        ):
            if value is not None:
                where.append(condition)
                parameters.append(value)
        rows = self.query(
            "SELECT segment_id, tbl, sensor, source, path, rows, bytes, min_us, max_us, hours, derived FROM segments"
            f" WHERE {' AND '.join(where)} ORDER BY min_us, segment_id",
            parameters,
        )
        return [
            Segment(*r[:4], self.root / r[4], r[5], r[6], r[7], r[8], tuple(json.loads(r[9])), bool(r[10]))
            for r in rows
        ]

    def hours(self, tables: Sequence[str], sensor: str, *, after_us: int | None = None) -> list[int]:
        """Starts of the hours in which any of these tables holds rows of a sensor, ascending."""
        marks = ", ".join("?" * len(tables))
        rows = self.query(
            f"SELECT DISTINCT hours FROM segments WHERE tbl IN ({marks}) AND sensor = ? AND tombstone_us IS NULL"
            " AND max_us >= ?",
            [*tables, sensor, -(2**62) if after_us is None else after_us],
        )
        found = {hour for (text,) in rows for hour in json.loads(str(text))}
        return sorted(h for h in found if after_us is None or h + HOUR_US > after_us)

    def shown_source(self, table: str, sensor: str) -> str | None:
        """Whose rows of a table are shown for a sensor: Zeek's where it writes the table, else Suricata's."""
        rows = self.query("SELECT DISTINCT source FROM segments WHERE tbl = ? AND sensor = ?", [table, sensor])
        sources = {str(r[0]) for r in rows}
        return "zeek" if "zeek" in sources else next(iter(sorted(sources)), None)

    def view(self, table: str, sensor: str, start_us: int, end_us: int, schema: pa.Schema) -> View:
        """What a query sees of a log's table in a span."""
        source = self.shown_source(table, sensor)
        segments = self.segments(table, sensor, source=source, start_us=start_us, end_us=end_us) if source else []
        return View(
            table, schema, start_us, end_us, tuple(str(s.path) for s in segments), sum(s.rows for s in segments)
        )

    def derived_view(
        self, table: str, sensor: str, start_us: int, end_us: int, schema: pa.Schema, temporary: Sequence[pa.Table] = ()
    ) -> View:
        """What a query sees of a derived table: its hours in the span, sealed ones and these temporary ones."""
        segments = self.segments(table, sensor, start_us=start_us, end_us=end_us)
        extra = pa.concat_tables(temporary).select(schema.names) if temporary else None
        rows = sum(s.rows for s in segments) + (extra.num_rows if extra is not None else 0)
        return View(table, schema, start_us, end_us, tuple(str(s.path) for s in segments), rows, True, extra)

    # Marks and counters

    def sealed(self, sensor: str, unit: str) -> int | None:
        """How far a unit is evaluated, in µs of event time."""
        rows = self.query("SELECT sealed_us FROM sealed WHERE sensor = ? AND unit = ?", [sensor, unit])
        return int(rows[0][0]) if rows else None

    @staticmethod
    def seal(tx: sqlite3.Connection, sensor: str, unit: str, sealed_us: int) -> None:
        """Moves a mark on, never back."""
        tx.execute(
            "INSERT INTO sealed VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET sealed_us = max(sealed_us, excluded.sealed_us)",
            [sensor, unit, sealed_us],
        )

    @staticmethod
    def note_failed_window(
        tx: sqlite3.Connection, sensor: str, detector: str, start_us: int, end_us: int, error: str
    ) -> None:
        tx.execute(
            "INSERT OR REPLACE INTO windows_failed VALUES (?, ?, ?, ?, ?)", [sensor, detector, start_us, end_us, error]
        )

    def counters(self) -> dict[tuple[str, str], int]:
        """Every counter by name and sensor."""
        return {(str(n), str(s)): int(v) for n, s, v in self.query("SELECT name, sensor, value FROM counters")}

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free


def add(tx: sqlite3.Connection, name: str, sensor: str, value: int) -> None:
    """Raises a counter, in the transaction of what it counts."""
    if value:
        tx.execute(
            "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            [name, sensor, value],
        )


def _commit_log(tx: sqlite3.Connection, log: LogProgress) -> None:
    state = log.state
    values = [getattr(state, name) for name in _LOG_FIELDS]
    row = tx.execute("SELECT reached FROM logs WHERE log_id = ?", [state.id]).fetchone()
    reached = json.loads(row[0]) if row else {}
    for table, reached_us in log.reached.items():
        reached[table] = max(reached_us, reached.get(table, reached_us))
    columns = ["log_id", *_LOG_FIELDS[1:], "reached", "seen_us"]
    tx.execute(
        f"INSERT INTO logs ({', '.join(columns)}, rows, bad) VALUES ({', '.join('?' * len(columns))}, ?, ?)"
        f" ON CONFLICT (log_id) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in columns[1:])},"
        " rows = rows + excluded.rows, bad = bad + excluded.bad",
        [*values, json.dumps(reached, sort_keys=True), time.time_ns() // 1000, log.rows, log.bad],
    )


def _run(tx: sqlite3.Connection, script: str) -> None:
    """A script's statements inside the transaction (`executescript` would commit it)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            tx.execute(statement)
            statement = ""
