"""A file's content that is taken up again when the file is replaced; what does not check never takes its place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from .errors import ConfigError

log = logging.getLogger(__name__)
T = TypeVar("T")


class Replaced(Generic[T]):
    """`value` is `load(path)`, or `default` without a file; `load` raises ConfigError for what does not check.

    Raises ConfigError at the start; later it is logged and the value in force stays.
    """

    def __init__(
        self, path: str | Path, load: Callable[[Path], T], default: T, *, required: bool = False, without: str = ""
    ) -> None:
        """`required`: refuse a path where no file is; else `without` says in a warning what follows from that."""
        self.path = Path(path) if str(path) else None
        self._load = load
        self._stamp = _stamp(self.path)
        if self.path and not self._stamp:
            if required:
                raise ConfigError("there is no such file; write it or leave the setting out", where=str(self.path))
            log.warning("%s is not there; %s", self.path, without)
        self.value = load(self.path) if self.path and self._stamp else default

    @classmethod
    def late(cls, path: Path, load: Callable[[Path], T], default: T) -> Replaced[T]:
        """A file that has turned up while running: `default` until its first refresh."""
        late = cls("", load, default)
        late.path = path
        return late

    def refresh(self) -> bool:
        """True where the file was replaced or rewritten and its new content is in force."""
        new = _stamp(self.path)
        if self.path is None or new == self._stamp:
            return False
        self._stamp = new
        if new is None:
            log.warning("%s is gone; what it said stays in force", self.path)
            return False
        try:
            self.value = self._load(self.path)
        except ConfigError as error:
            log.error("%s; what the file said before stays in force until it is mended", error)
            return False
        return True


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """Time of change (ns), size and inode; None where there is no file that can be reached."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None
