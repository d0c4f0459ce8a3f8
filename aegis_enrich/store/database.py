"""`state.db`: SQLite in WAL mode, migrated when it is opened, written by one process and read by any."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import StateError
from .lake import Crash, DiskFull, no_crash

_PRIMARY = 0xFF  # of SQLite's extended error codes, what the primary one is
_FULL = "no space left on the disk; make room or lower retention.max_size"


def _script(name: str) -> str:
    return (files("aegis_enrich.store") / name).read_text(encoding="utf-8")


def _schema() -> str:
    return _script("schema.sql")


@dataclass(frozen=True)
class Schema:
    """What the state looks like; `migrations` holds, by N, the script that takes version N to N + 1."""

    version: int = 3
    script: Callable[[], str] = _schema
    migrations: Mapping[int, str] = field(default_factory=lambda: {1: _script("to_2.sql"), 2: _script("to_3.sql")})


SCHEMA = Schema()


class Database:
    """One connection, shared by the threads of a process; a transaction is all or nothing and durable."""

    def __init__(self, root: Path, *, read_only: bool, crash: Crash = no_crash, schema: Schema = SCHEMA) -> None:
        self.root, self.read_only, self.crash = root, read_only, crash
        self._write = threading.RLock()
        self._connection = self._open()
        try:
            self._migrate(schema)
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> sqlite3.Connection:
        if self.read_only and not (self.root / "state.db").exists():
            raise self._error("holds no state; run `aegis-enrich watch` or `analyze` first")
        try:
            if self.read_only:
                return self._open_to_read()
            return self._connect("", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
        except sqlite3.Error as error:
            raise self._error(f"state.db cannot be opened: {error}; name another --state") from error

    def _open_to_read(self) -> sqlite3.Connection:
        try:
            return self._connect("?mode=ro", "schema_version")
        except sqlite3.OperationalError:
            # This user may not make the shared index beside the file; where nobody writes, the file is whole without.
            if (self.root / "state.db-wal").exists():
                raise
            return self._connect("?mode=ro&immutable=1")

    def _connect(self, options: str, *pragmas: str) -> sqlite3.Connection:
        target = (self.root / "state.db").absolute().as_uri() + options
        connection = sqlite3.connect(target, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _error(self, what: str) -> StateError:
        return StateError(what, where=str(self.root))

    def _migrate(self, schema: Schema) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.version:
            raise self._error(
                f"is of a newer AegisEnrich (state version {version}, this one knows {schema.version}); update"
            )
        if version == schema.version:
            return
        if self.read_only:
            raise self._error(
                f"is of an older AegisEnrich (state version {version}, this one reads {schema.version}); start"
                " `aegis-enrich watch` on it once, which brings it up to date"
                if version
                else "holds no state yet; try again in a moment"
            )
        with self.transaction() as tx:
            for script in (
                [schema.migrations[n] for n in range(version, schema.version)] if version else [schema.script()]
            ):
                _run(tx, script)
            tx.execute(f"PRAGMA user_version = {schema.version}")

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction: all of it or nothing, whatever is raised or killed in it; raises DiskFull."""
        with self._write:
            tx = self._connection
            try:
                tx.execute("BEGIN IMMEDIATE")
                yield tx
                self.crash("before commit")
                tx.execute("COMMIT")
            except BaseException as error:
                if tx.in_transaction:
                    tx.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and self._is_full(error):
                    raise DiskFull(_FULL, where=str(self.root)) from error
                raise
            self.crash("after commit")

    def _is_full(self, error: sqlite3.OperationalError) -> bool:
        """SQLite says FULL, or IOERR where it was the shared index beside the file that could not grow."""
        code = getattr(error, "sqlite_errorcode", 0)
        return code & _PRIMARY == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of the state, as one short read."""
        with self._write:
            return self._connection.execute(sql, parameters).fetchall()


def _run(tx: sqlite3.Connection, script: str) -> None:
    """A script's statements inside the transaction (`executescript` would commit it)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            tx.execute(statement)
            statement = ""
    if any(line.strip() and not line.startswith("--") for line in statement.splitlines()):
        raise sqlite3.ProgrammingError(f"a statement does not end: {statement.strip()[:60]}")
