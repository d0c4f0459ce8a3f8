"""The state folder: what was read, which segments exist, what was found; a flush is one transaction."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import StateError
from ..follow import LogState
from ..plugin import HOUR_US
from .database import SCHEMA, Database, Schema
from .lake import Crash, Lake, Rows, Segment, hours_json, no_crash
from .lock import Lock
from .views import View

BODY_BYTES = 4096
_LOG_FIELDS = tuple(f.name for f in fields(LogState))  # as in schema.sql, where `id` is `log_id`
_SEGMENT = "segment_id, tbl, sensor, source, path, rows, bytes, min_us, max_us, hours, derived, committed"
_PARTS = """
    SELECT committed, segment_id, path, 0 AS first_row, rows FROM segments
    WHERE tbl = ?1 AND committed > ?2 AND tombstone_us IS NULL AND segment_id NOT IN (SELECT holder FROM parts)
    UNION ALL
    SELECT p.committed, p.segment_id, s.path, p.first_row, p.rows
    FROM parts AS p JOIN segments AS s ON s.segment_id = p.holder
    WHERE p.tbl = ?1 AND p.committed > ?2 AND s.tombstone_us IS NULL"""

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


@dataclass(frozen=True)
class Part:
    """Rows that were committed as one segment, wherever they lie now: `rows` of them from `first_row` of a file on."""

    number: int
    segment: str
    path: Path
    first_row: int
    rows: int


class Store(Database):
    """The state folder. One writer holds its lock; `read_only` opens it beside the writer."""

    def __init__(
        self,
        root: Path,
        *,
        read_only: bool = False,
        crash: Crash = no_crash,
        schema: Schema = SCHEMA,
    ) -> None:
        self._lock: Lock | None = None
        if not read_only:
            try:
                root.mkdir(parents=True, exist_ok=True)
                self._lock = Lock(root)
            except OSError as error:
                raise StateError(f"cannot be used: {error.strerror}; name another --state", where=str(root)) from error
        try:
            super().__init__(root, read_only=read_only, crash=crash, schema=schema)
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise
        self.lake = Lake(root, crash=crash)
        if not read_only:
            self.lake.sweep({row[0] for row in self.query("SELECT segment_id FROM segments")})
            shutil.rmtree(root / "spill", ignore_errors=True)
            self._name_itself()

    def close(self) -> None:
        super().close()
        self.lake.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _name_itself(self) -> None:
        if not self.id:
            with self.transaction() as tx:
                tx.execute("INSERT OR IGNORE INTO meta VALUES ('state_id', ?)", [uuid.uuid4().hex[:16]])

    @property
    def id(self) -> str:
        """What tells this state from all others, 16 hex digits; "" where nobody has opened it to write yet."""
        rows = self.query("SELECT value FROM meta WHERE key = 'state_id'")
        return str(rows[0][0]) if rows else ""

    # Reading and committing logs

    def progress(self) -> list[LogProgress]:
        """Every log that the state knows."""
        rows = self.query(f"SELECT {', '.join(('log_id', *_LOG_FIELDS[1:]))}, reached, rows, bad FROM logs")
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
        return self.commit(self.write(rows), progress, dead, within=within)

    def write(self, rows: Iterable[Rows]) -> list[Segment]:
        """Durable segments that `commit` is still to name; may run in a thread beside it."""
        return self.lake.write(rows)

    def commit(
        self,
        segments: Sequence[Segment],
        progress: Iterable[LogProgress],
        dead: Iterable[DeadLetter] = (),
        *,
        within: Within = lambda tx: None,
    ) -> list[Segment]:
        """The second half of `flush`: what becomes true with these segments; where it cannot, they are removed."""
        with self.naming(segments) as tx:
            for log in progress:
                _commit_log(tx, log)
            tx.executemany(
                "INSERT INTO dead_letters (origin, offset, reason, body, at_us) VALUES (?, ?, ?, ?, ?)",
                [(d.origin, d.offset, d.reason, d.body[:BODY_BYTES], time.time_ns() // 1000) for d in dead],
            )
            within(tx)
        return list(segments)

    def close_log(self, tx: sqlite3.Connection, log_id: str) -> None:
        """Notes that nothing more will come of a log; nothing where it has none with this id."""
        tx.execute("UPDATE logs SET done = 1 WHERE log_id = ?", [log_id])

    def commit_derived(self, table: str, sensor: str, hour_us: int, rows: pa.Table, unit: str) -> None:
        """A derived table's hour and its sealed mark, together."""
        with self.naming(self.write([Rows(table, sensor, rows, hour_us)])) as tx:
            self.seal(tx, sensor, unit, hour_us + HOUR_US)

    @contextmanager
    def naming(self, segments: Sequence[Segment]) -> Iterator[sqlite3.Connection]:
        """A transaction that names new segments; where it fails, their files go."""
        try:
            with self.transaction() as tx:
                self._name(tx, segments)
                yield tx
        except Exception:
            for segment in segments:
                if not self.query("SELECT 1 FROM segments WHERE segment_id = ?", [segment.id]):
                    segment.path.unlink(missing_ok=True)
            raise

    def _name(self, tx: sqlite3.Connection, segments: Sequence[Segment]) -> None:
        """Names them under numbers of their own, but for a merged one, which has its own already."""
        counted = tx.execute("SELECT coalesce(max(value), 0) FROM counters WHERE name = 'segments'").fetchone()[0]
        new = [s for s in segments if not s.number]
        add(tx, "segments", "", len(new))
        numbers = {s.id: counted + n for n, s in enumerate(new, 1)}
        tx.executemany(
            f"INSERT INTO segments ({_SEGMENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                    s.number or numbers[s.id],
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
        where = ["tbl = ?"]
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
        return self.living(" AND ".join(where), parameters)

    def living(self, where: str, parameters: Sequence[object]) -> list[Segment]:
        """The segments for which this holds, but for those that are replaced; oldest first."""
        rows = self.query(
            f"SELECT {_SEGMENT} FROM segments WHERE tombstone_us IS NULL AND {where} ORDER BY min_us, segment_id",
            parameters,
        )
        return [
            Segment(
                id=id_,
                table=table,
                sensor=sensor,
                source=source,
                path=self.root / path,
                rows=count,
                bytes=size,
                min_us=least,
                max_us=most,
                hours=tuple(json.loads(hours)),
                derived=bool(derived),
                number=number,
            )
            for id_, table, sensor, source, path, count, size, least, most, hours, derived, number in rows
        ]

    def parts(self, table: str, *, after: int, limit: int) -> list[Part]:
        """What was committed of a table after this number, in the order of commits, merged since or not."""
        rows = self.query(f"{_PARTS} ORDER BY committed LIMIT ?3", [table, after, limit])
        return [Part(number, segment, self.root / path, first, count) for number, segment, path, first, count in rows]

    def rows_after(self, table: str, number: int) -> int:
        """How many rows `parts` would give."""
        return int(self.query(f"SELECT coalesce(sum(rows), 0) FROM ({_PARTS})", [table, number])[0][0])

    def hours(self, tables: Sequence[str], sensor: str, *, after_us: int | None = None) -> list[int]:
        """Starts of the hours in which any of these tables holds rows of a sensor, ascending; those that end later."""
        marks = ", ".join("?" * len(tables))
        rows = self.query(
            f"SELECT DISTINCT hours FROM segments WHERE tbl IN ({marks}) AND sensor = ? AND tombstone_us IS NULL"
            " AND max_us >= ?",
            [*tables, sensor, -(2**62) if after_us is None else after_us // HOUR_US * HOUR_US],
        )
        found = {hour for (text,) in rows for hour in json.loads(str(text))}
        return sorted(h for h in found if after_us is None or h + HOUR_US > after_us)

    def sources(self, table: str, sensor: str, *, before_us: int | None = None) -> set[str]:
        """Who wrote rows of a table for a sensor (with `end_ts` before then): zeek, suricata."""
        rows = self.query(
            "SELECT DISTINCT source FROM segments WHERE tbl = ? AND sensor = ? AND tombstone_us IS NULL AND min_us < ?",
            [table, sensor, 2**62 if before_us is None else before_us],
        )
        return {str(row[0]) for row in rows}

    def shown_source(self, table: str, sensor: str, *, before_us: int | None = None) -> str | None:
        """Whose rows of a table are shown for a sensor: Zeek's from its first row in the table on, else Suricata's.

        `before_us`: the end of the span that is looked at. A sensor whose Zeek begins to write a table later shows
        Suricata's rows until then, whether that is evaluated before or after.
        """
        sources = self.sources(table, sensor, before_us=before_us)
        return "zeek" if "zeek" in sources else next(iter(sorted(sources)), None)

    def view(self, table: str, sensor: str, start_us: int, end_us: int, schema: pa.Schema) -> View:
        """What a query sees of a log's table in a span."""
        source = self.shown_source(table, sensor, before_us=end_us)
        segments = self.segments(table, sensor, source=source, start_us=start_us, end_us=end_us) if source else []
        paths, rows = tuple(str(s.path) for s in segments), sum(s.rows for s in segments)
        return View(table, schema, start_us, end_us, paths, rows, source=source or "")

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
