"""One process writes a state: the lock that says who it is."""

from __future__ import annotations

import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from ..errors import StateError


class Lock:
    """An exclusive lock on a state folder, let go when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise StateError(
                f"is in use by {holder}; stop that one or name another --state", where=str(folder)
            ) from error
        self._file.truncate(0)
        self._file.write(
            f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
        )
        self._file.flush()

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
