"""One process writes a state: the lock that says who it is."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from ..errors import StateError

TRIES, PAUSE_S = 5, 0.05


class Lock:
    """An exclusive lock on a state folder, let go when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+")
        if not self._taken():
            by = self._file.read().strip() or "another process"
            self._file.close()
            raise StateError(f"is in use by {by}; stop that one or name another --state", where=str(folder))
        self._file.truncate(0)
        self._file.write(
            f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
        )
        self._file.flush()

    def _taken(self) -> bool:
        """Tries for a moment, since whoever asks for the holder has the lock just then."""
        for _ in range(TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                time.sleep(PAUSE_S)
        return False

    def release(self) -> None:
        self._file.close()


def holder(folder: Path) -> str:
    """Who holds the lock of a state folder, in words; "" where nobody does."""
    try:
        with (folder / "lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read().strip() or "another process"
    except OSError:
        return ""
    return ""
