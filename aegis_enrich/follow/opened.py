"""The files that are open: live logs stay so, since a renamed file is found by nothing else."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from .logfile import LogFile, Place
from .reader import Reader, open_reader

MAX_OPEN = 256


class OpenFiles:
    """Opens and closes files for logs, at most `MAX_OPEN` and those that have no name any more.

    `unreadable` is told of what cannot be opened or read to its end (path -> reason).
    """

    def __init__(self, unreadable: MutableMapping[str, str], clock: Callable[[], float]) -> None:
        self._unreadable, self._clock = unreadable, clock
        self._held: dict[tuple[int, int], LogFile] = {}  # by device and inode, the least recent first

    @property
    def logs(self) -> list[LogFile]:
        return list(self._held.values())

    def holder(self, place: Place) -> LogFile | None:
        """The log that is read from this very file, whatever its name was."""
        log = self._held.get((place.device, place.inode))
        return log if log is not None and log.sensor == place.sensor else None

    def open(self, place: Place) -> Reader | None:
        """The file at a place, if it can be opened and is still the one that was seen there."""
        try:
            reader = open_reader(place.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._unreadable[place.path] = error.strerror or str(error)
            return None
        if reader is not None and (reader.device, reader.inode) == (place.device, place.inode):
            self._unreadable.pop(place.path, None)
            return reader
        if reader is not None:
            reader.close()
        return None

    def report(self, place: Place, reader: Reader) -> None:
        """Says why a file that is no longer written cannot be read to its end."""
        if reader.error or (reader.gz and not reader.ended):
            self._unreadable[place.path] = reader.error or "it ends in the middle of its gzip stream"

    def hold(self, log: LogFile, reader: Reader, place: Place) -> None:
        """Reads the log from this open file from now on."""
        self.release(log)
        log.reader, log.at, log.size, log.searched = reader, place, -1, -1
        log.changed_s = self._clock()
        self._held[(reader.device, reader.inode)] = log
        if len(self._held) > MAX_OPEN:
            self._close_one(log)

    def release(self, log: LogFile) -> None:
        """Closes the log's file."""
        if log.reader is not None:
            if self._held.get((log.reader.device, log.reader.inode)) is log:
                del self._held[(log.reader.device, log.reader.inode)]
            log.reader.close()
            log.reader = None

    def close(self) -> None:
        for log in self.logs:
            self.release(log)

    def _close_one(self, keep: LogFile) -> None:
        """Closes the file that is missed least: read to its end, plain, the least recent, never one without a name."""
        named = [(o.ready, o.gz, n, o) for n, o in enumerate(self.logs) if o is not keep and o.at is not None]
        log = min(named)[-1] if named else keep
        if log is not keep and log.at is not None and log.reader is not None:
            log.at.spent = not log.ready and log.searched >= 0 and log.size == log.reader.length()
            self.release(log)
