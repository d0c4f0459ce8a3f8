"""Alerts to a file, a JSON document a line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from aegis_enrich.errors import ConfigError, SinkError
from aegis_enrich.plugin import Document, Outcome, Sink


class Ndjson(Sink):
    """NDJSON file (`-o`): a line a delivery, on disk before it counts, each revision of an alert once."""

    name = "ndjson"

    def __init__(self, path: Path) -> None:
        """Makes the file where there is none; raises ConfigError where it cannot be written."""
        self.path = path
        self.target = str(path.absolute())
        self._there: set[tuple[str, int]] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}; name another -o", where=str(path)) from error

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def resume(self, mark: str) -> None:
        """Cuts a partial last line and learns what lies behind the acknowledged length: that is not written again.

        A file that is shorter than it was is another one (moved away, emptied): it is read from its start.
        """
        acknowledged = int(mark) if mark else 0
        with self.path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(acknowledged if acknowledged <= length else 0)
            for line in file:
                if line.endswith(b"\n"):
                    self._learn(line)
                else:
                    os.ftruncate(self._file, length - len(line))

    def _learn(self, line: bytes) -> None:
        try:
            document = json.loads(line)
            self._there.add((document["event"]["id"], document["aegis"]["revision"]))
        except (ValueError, KeyError, TypeError):  # a line that is not ours stays as it is
            return

    def deliver(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        outcomes: list[tuple[Outcome, str]] = []
        lines = []
        for document in documents:
            key = (document.id, document.revision)
            if key in self._there:
                self._there.discard(key)
                outcomes.append(("there", ""))
            else:
                text = json.dumps(document.body, ensure_ascii=False, sort_keys=True)
                lines.append(text.encode("utf-8", "backslashreplace") + b"\n")
                outcomes.append(("stored", ""))
        try:
            self._append(b"".join(lines))
        except OSError as error:
            raise SinkError(f"cannot be written: {error.strerror}; make room", where=str(self.path)) from error
        return outcomes

    def _append(self, data: bytes) -> None:
        """All of it on disk, or none; goes on in a new file where the old one was moved away (logrotate)."""
        if not self.path.exists() or not os.path.samestat(os.fstat(self._file), self.path.stat()):
            os.close(self._file)
            self._file = self._open()
        before = os.fstat(self._file).st_size
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def mark(self) -> str:
        return str(os.fstat(self._file).st_size)

    def close(self) -> None:
        os.close(self._file)
