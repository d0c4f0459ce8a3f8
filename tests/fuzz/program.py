"""The program in a process of its own, and what its state says afterwards."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")  # what a terminal would obey, or would hide by


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    rss_mib: float


def aegis(*arguments: object, cwd: Path, timeout_s: float = 200) -> Ran:
    """The program in a process of its own, and the most memory that it held: `ru_maxrss` would count its parent's."""
    own = "import sys; from aegis_enrich.cli import main\ntry: main(sys.argv[1:])\nfinally: "
    own += "print('peak', open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    found = subprocess.run(
        [sys.executable, "-c", own, *map(str, arguments)],
        capture_output=True,
        cwd=cwd,
        timeout=timeout_s,
        check=False,
        env=os.environ | {"AEGIS_STATE": str(cwd / "default-state"), "COLUMNS": "200"},
    )
    assert b"Traceback" not in found.stderr, found.stderr.decode()
    err, peak = found.stderr.decode().rstrip().rsplit("peak ", 1)
    return Ran(found.returncode, found.stdout.decode(), err, int(peak) / 1024)


def read_of(state: Path) -> dict[str, tuple[int, int]]:
    """Rows and bad lines by path, as the state knows them."""
    with closing(sqlite3.connect(state / "state.db")) as db:
        return {path: (rows, bad) for path, rows, bad in db.execute("SELECT path, rows, bad FROM logs")}


def letters(state: Path) -> list[tuple[int, str, bytes]]:
    with closing(sqlite3.connect(state / "state.db")) as db:
        return list(db.execute("SELECT offset, reason, body FROM dead_letters ORDER BY letter_id"))
