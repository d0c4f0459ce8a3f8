"""Alerts to a file, a JSON document a line."""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aegis_enrich.errors import ConfigError, SinkError
from aegis_enrich.plugin import Document, Outcome, Sink

from .rotation import Rotation, aside

HEAD_BYTES = 1_024  # of a file, by which it is known again
Key = tuple[str, int]


class Ndjson(Sink):
    """NDJSON file (`-o`): a line a delivery, on disk before it counts, each revision of an alert once."""

    name = "ndjson"

    def __init__(self, settings: Path | Mapping[str, Any], *, now_s: Callable[[], float] = time.time) -> None:
        """The file, or `path` with the settings of config.Rotate; `now_s` tells hours and days.

        Makes the file where there is none; raises ConfigError where it cannot be written.
        """
        section = settings if isinstance(settings, Mapping) else {"path": settings}
        self.path = Path(section["path"])
        self.rotation = Rotation.of(section)
        self.target = str(self.path.absolute())
        self._now_s = now_s
        self._there: set[Key] = set()  # in the file, behind the acknowledged length
        self._last: set[Key] = set()  # written last: not acknowledged yet, it may come again
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}; name another -o", where=str(self.path)) from error

    def _open(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)

    def resume(self, mark: str) -> None:
        """Cuts a partial last line and learns what lies behind the acknowledged length: that is not written again.

        A file that is another one than was acknowledged (moved aside since, emptied) is read from its start, and what
        lies behind that length in the one that was moved aside last.
        """
        acknowledged, head = _read_mark(mark)
        if _is_same(self._file, acknowledged, head):
            self._learn_from(self.path, acknowledged)
            return
        self._learn_from(self.path, 0)
        before = aside(self.path, 1)
        if before.is_file():
            with before.open("rb") as file:
                is_it = _is_same(file.fileno(), acknowledged, head)
            if is_it:
                self._learn_from(before, acknowledged)

    def _learn_from(self, path: Path, start: int) -> None:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(start)
            for line in file:
                if line.endswith(b"\n"):
                    self._learn(line)
                elif path == self.path:
                    os.ftruncate(self._file, length - len(line))

    def _learn(self, line: bytes) -> None:
        try:
            document = json.loads(line)
            self._there.add((document["event"]["id"], document["aegis"]["revision"]))
        except (ValueError, KeyError, TypeError):  # a line that is not ours stays as it is
            return

    def deliver(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        keys = [(document.id, document.revision) for document in documents]
        known = self._there | self._last
        outcomes: list[tuple[Outcome, str]] = [("there" if key in known else "stored", "") for key in keys]
        lines = [_line(d) for d, (outcome, _) in zip(documents, outcomes, strict=True) if outcome == "stored"]
        try:
            self._append(b"".join(lines))
        except OSError as error:
            raise SinkError(f"cannot be written: {error.strerror}; make room", where=str(self.path)) from error
        self._last = set(keys)
        self._there -= self._last
        return outcomes

    def _append(self, data: bytes) -> None:
        """All of it on disk, or none; goes on in a new file where the old one was moved away (by us, by logrotate)."""
        if not self.path.exists() or not os.path.samestat(os.fstat(self._file), self.path.stat()):
            self._reopen()
        elif data and self.rotation.is_due(os.fstat(self._file), len(data), self._now_s()):
            self.rotation.move_aside(self.path)
            self._reopen()
        before = os.fstat(self._file).st_size
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def _reopen(self) -> None:
        opened = self._open()
        os.close(self._file)
        self._file = opened

    def mark(self) -> str:
        """The file's length, and a checksum of its beginning."""
        length = os.fstat(self._file).st_size
        return f"{length} {zlib.crc32(os.pread(self._file, min(length, HEAD_BYTES), 0))}"

    def close(self) -> None:
        os.close(self._file)


def _line(document: Document) -> bytes:
    return json.dumps(document.body, ensure_ascii=False, sort_keys=True).encode("utf-8", "backslashreplace") + b"\n"


def _read_mark(mark: str) -> tuple[int, int | None]:
    """Acknowledged length and checksum of the beginning; older marks have none."""
    length, _, head = mark.partition(" ")
    return int(length or 0), int(head) if head else None


def _is_same(file: int, acknowledged: int, head: int | None) -> bool:
    """Whether this is the file of which so many bytes were acknowledged."""
    if os.fstat(file).st_size < acknowledged:
        return False
    return head is None or zlib.crc32(os.pread(file, min(acknowledged, HEAD_BYTES), 0)) == head
