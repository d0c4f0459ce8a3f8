"""What a run says of its rules in the state: which are in force, and why those on disk are not, for `doctor`."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from ..config import Config
from ..errors import AegisError
from ..store import Store

KEY = "rules"


@dataclass(frozen=True)
class InForce:
    """The folder, the hash of what was taken from it, and, in a line, why what lies there now was refused."""

    folder: str
    hash: str
    refused: str = ""


def note(tx: sqlite3.Connection, now: InForce) -> bool:
    """Keeps it in the state; whether the rules in force are others than those that were noted before."""
    row = tx.execute("SELECT value FROM meta WHERE key = ?", [KEY]).fetchone()
    before = InForce(**json.loads(row[0])) if row else None
    if before != now:
        tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [KEY, json.dumps(asdict(now))])
    return before is None or before.hash != now.hash


def noted(store: Store) -> InForce | None:
    """What the last run on a state noted."""
    rows = store.query("SELECT value FROM meta WHERE key = ?", [KEY])
    return InForce(**json.loads(rows[0][0])) if rows else None


def folder(config: Config, store: Store) -> Path:
    """Of the rules that decide on a state: those of the configuration, else those that its last run used."""
    used = noted(store)
    return Path(used.folder) if used and not config.rules and Path(used.folder).is_dir() else config.rules_dir


def in_a_line(error: AegisError, folder: Path) -> str:
    """All problems of a folder of rules in one line: the first, and how many more there are."""
    first, *others = (str(p) for p in error.problems)
    more = f" (and {len(others)} more; `aegis-enrich rules check {folder}` names all)" if others else ""
    return " ".join(first.split()) + more
