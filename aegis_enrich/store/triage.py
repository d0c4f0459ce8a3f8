"""What analysts say of incidents: status and notes, in a file of their own beside the state.

`state.db` has one writer, the running `watch`; a note must not wait for it, nor be lost with what evidence changes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import StateError

FILE = "triage.ndjson"


@dataclass(frozen=True)
class Mark:
    """One thing said of an incident. `at`: wall clock, ISO 8601 UTC; `alerts`, `severity`: what it had then."""

    incident: str
    at: str
    status: str  # open, closed
    note: str = ""
    author: str = ""
    alerts: int = 0
    severity: int = 0  # 0: not noted


@dataclass(frozen=True)
class Said:
    """Every mark by incident, in the order in which they were made."""

    marks: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict)

    def of(self, incident: str, merged: Mapping[str, list[str]]) -> dict[str, Any] | None:
        """The last status and all notes of an incident and of those that became part of it; None where there are
        none."""
        found = [m for i in (incident, *merged.get(incident, ())) for m in self.marks.get(i, ())]
        if not found:
            return None
        found.sort(key=lambda m: m.at)
        own = found[-1]
        notes = [{"at": m.at, "status": m.status, "note": m.note, "author": m.author} for m in found]
        said = {"status": own.status, "at": own.at, "author": own.author, "alerts": own.alerts, "notes": notes}
        return said | ({"severity": own.severity} if own.severity else {})


class Triage:
    """The file: one JSON object a line, only ever appended to."""

    def __init__(self, root: Path) -> None:
        self.path = root / FILE
        self._known: tuple[int, Said] = (0, Said())  # its length when it was read, and what it said

    def say(self, mark: Mark) -> None:
        """Adds a mark; it is on disk when this returns. Raises StateError."""
        line = json.dumps(asdict(mark), ensure_ascii=False, sort_keys=True).encode(errors="replace") + b"\n"
        try:
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(file).st_size
                if size and os.pread(file, 1, size - 1) != b"\n":  # a writer died within a line
                    line = b"\n" + line
                if os.write(file, line) != len(line):  # in one piece, so that writers do not mix
                    raise StateError("no space left on the disk; make room and say it again", where=str(self.path))
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise StateError(
                f"cannot be written: {error.strerror}; say it as the user that runs `aegis-enrich watch`",
                where=str(self.path),
            ) from error

    def latest(self) -> Said:
        """All that was said; read again where the file has grown."""
        if self.stamp() != self._known[0]:
            data = self._read(0)
            self._known = len(data), Said(_by_incident(data))
        return self._known[1]

    def since(self, stamp: int) -> set[str]:
        """The incidents of which something was said since the file was that long; all where it is shorter now."""
        return set(_by_incident(self._read(stamp if stamp <= self.stamp() else 0)))

    def stamp(self) -> int:
        """Changes with what was said: the length of the file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._unreadable(error) from error

    def _read(self, start: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> StateError:
        return StateError(f"cannot be read: {error.strerror}; make it readable for this user", where=str(self.path))


def _by_incident(data: bytes) -> dict[str, tuple[Mark, ...]]:
    marks: dict[str, list[Mark]] = {}
    for line in data.split(b"\n"):  # not splitlines: a note may hold what Unicode takes for the end of a line
        mark = _mark(line)
        if mark is not None:
            marks.setdefault(mark.incident, []).append(mark)
    return {incident: tuple(found) for incident, found in marks.items()}


def _mark(line: bytes) -> Mark | None:
    """A line's mark; None for a line that a power loss cut, or that is none."""
    try:
        said: dict[str, Any] = json.loads(line.decode(errors="replace"))
        mark = Mark(**{name: _clean(value) for name, value in said.items()})
    except (ValueError, TypeError, AttributeError):
        return None
    kinds = {"str": str, "int": int}
    return mark if all(isinstance(getattr(mark, f.name), kinds[str(f.type)]) for f in fields(mark)) else None


def _clean(value: Any) -> Any:
    """A text without halves of surrogates, which nothing could store."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
