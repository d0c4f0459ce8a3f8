"""Dead letters: lines that could not be read and documents that a sink refused, and what is to become of them.

`state.db` has one writer. Who asks for something while a `watch` runs leaves an order in a file beside it, which the
`watch` takes up.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..errors import StateError
from ..plugin import Document
from .database import Database

ORDERS = "deadletter.orders"
REFUSED_BYTES = 256 * 2**10  # of a document that is kept whole
KEPT_BYTES = 256 * 2**20  # of all documents that are kept
SINK = "sink:"
_TAKEN = "deadletter_orders"  # in meta: how many bytes of the file of orders are taken up
_COLUMNS = "letter_id, origin, offset, reason, body, kind, doc_id, revision, tbl, at_us, attempts, whole, replay"

Do = Literal["replay", "drop"]


@dataclass(frozen=True)
class Letter:
    """One dead letter; `kind` is "" for a line. `at_us`: wall clock."""

    id: int
    origin: str
    offset: int
    reason: str
    body: bytes
    kind: str
    document: str
    revision: int
    table: str
    at_us: int
    attempts: int
    whole: bool
    replay: bool

    def as_document(self) -> Document:
        """What is to go to the sink again; only where it is whole."""
        return Document(self.kind, self.document, self.revision, json.loads(self.body))


@dataclass(frozen=True)
class Selection:
    """Which letters: of these ids, or those whose origin and reason hold these texts; `upto` an id, None: all."""

    ids: tuple[int, ...] = ()
    origin: str = ""
    reason: str = ""
    kind: Literal["", "line", "document"] = ""
    upto: int | None = None

    def where(self) -> tuple[str, list[Any]]:
        """The condition in SQL, and its parameters."""
        conditions: dict[str, Any] = {}
        if self.ids:
            conditions["letter_id IN (SELECT value FROM json_each(?))"] = json.dumps(self.ids)
        if self.origin:
            conditions["instr(origin, ?) > 0"] = self.origin
        if self.reason:
            conditions["instr(reason, ?) > 0"] = self.reason
        if self.kind:
            conditions["(kind != '') = ?"] = self.kind == "document"
        if self.upto is not None:
            conditions["letter_id <= ?"] = self.upto
        return " AND ".join(conditions) or "1", list(conditions.values())


def letters(store: Database, selection: Selection, limit: int = -1) -> list[Letter]:
    """The newest of them, oldest first."""
    where, parameters = selection.where()
    rows = store.query(
        f"SELECT {_COLUMNS} FROM dead_letters WHERE {where} ORDER BY letter_id DESC LIMIT ?", [*parameters, limit]
    )
    return [_letter(row) for row in reversed(rows)]


def to_replay(store: Database, key: str, limit: int) -> list[Letter]:
    """The oldest that are to go again to the sink of this lane."""
    rows = store.query(
        f"SELECT {_COLUMNS} FROM dead_letters WHERE replay = 1 AND {_OF_SINK} ORDER BY letter_id LIMIT ?",
        [f"{SINK}{key}", f"{SINK}{key}#", limit],
    )
    return [_letter(row) for row in rows]


def number_to_replay(store: Database, key: str) -> int:
    rows = store.query(
        f"SELECT count(*) FROM dead_letters WHERE replay = 1 AND {_OF_SINK}", [f"{SINK}{key}", f"{SINK}{key}#"]
    )
    return int(rows[0][0])


_OF_SINK = "(origin = ? OR instr(origin, ?) = 1)"  # the second: its log rows


def _letter(row: Sequence[Any]) -> Letter:
    values = dict(zip((f.name for f in fields(Letter)), row, strict=True))
    return Letter(**values | {flag: bool(values[flag]) for flag in ("whole", "replay")})


def refuse(tx: sqlite3.Connection, key: str, refused: Iterable[tuple[Document, int, str]], table: str = "") -> None:
    """Keeps documents that a sink refused, each with its position and the reason; whole, where it is bearable."""
    now_us = time.time_ns() // 1000
    tx.executemany(
        "INSERT INTO dead_letters (origin, offset, reason, body, kind, doc_id, revision, tbl, at_us, whole)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (f"{SINK}{key}", position, why, body[:REFUSED_BYTES], d.kind, d.id, d.revision, table, now_us, whole)
            for d, position, why in refused
            for body in [json.dumps(d.body, ensure_ascii=False, default=str).encode(errors="replace")]
            for whole in [len(body) <= REFUSED_BYTES]
        ],
    )


def carry_out(tx: sqlite3.Connection, do: Do, selection: Selection) -> int:
    """Marks letters to go again (those that can), or drops them; how many."""
    where, parameters = selection.where()
    if do == "drop":
        return tx.execute(f"DELETE FROM dead_letters WHERE {where}", parameters).rowcount
    return tx.execute(
        f"UPDATE dead_letters SET replay = 1 WHERE kind != '' AND whole = 1 AND {where}", parameters
    ).rowcount


def order(root: Path, do: Do, selection: Selection) -> None:
    """Leaves an order for the running `watch`; it is on disk when this returns. Raises StateError."""
    line = json.dumps({"do": do, **asdict(selection)}).encode() + b"\n"
    path = root / ORDERS
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.write(file, line) != len(line):
                raise StateError("no space left on the disk; make room and say it again", where=str(path))
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        what = f"cannot be written: {error.strerror}; say it as the user that runs `aegis-enrich watch`"
        raise StateError(what, where=str(path)) from error


def take_orders(store: Database) -> int:
    """Carries out what was ordered since the last time, once each; how many letters it concerned."""
    path = store.root / ORDERS
    if not path.exists() or path.stat().st_size == _taken(store):
        return 0
    concerned = 0
    with store.transaction() as tx:
        data = path.read_bytes()
        start = _taken(store)
        whole = data[start if start <= len(data) else 0 : data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            concerned += _carried_out(tx, line)
        tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [_TAKEN, str(data.rfind(b"\n") + 1)])
    return concerned


def _taken(store: Database) -> int:
    rows = store.query("SELECT value FROM meta WHERE key = ?", [_TAKEN])
    return int(rows[0][0]) if rows else 0


def _carried_out(tx: sqlite3.Connection, line: bytes) -> int:
    """How many letters an order concerned; a line that is none changes nothing."""
    try:
        said = json.loads(line)
        do, selection = said.pop("do"), Selection(**{**said, "ids": tuple(said.get("ids", ()))})
    except (ValueError, TypeError, AttributeError, KeyError):
        return 0
    return carry_out(tx, do, selection) if do in ("replay", "drop") else 0
