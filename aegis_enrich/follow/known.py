"""The logs of this state and this run, found by their heads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from .logfile import LogFile
from .state import digest

_Log = tuple[str, str]  # sensor, name


class Known:
    """An index of logs by sensor, name and head, where each log's head has a length of its own."""

    def __init__(self) -> None:
        self._logs: defaultdict[tuple[_Log, str], list[LogFile]] = defaultdict(list)
        self._counts: defaultdict[_Log, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))

    def __iter__(self) -> Iterator[LogFile]:
        return (log for logs in self._logs.values() for log in logs)

    def add(self, log: LogFile) -> None:
        self._logs[(_of(log), log.state.head_hash)].append(log)
        self._counts[_of(log)][log.state.head_len] += 1

    def holds(self, log: LogFile) -> bool:
        return log in self._logs.get((_of(log), log.state.head_hash), ())

    def drop(self, log: LogFile) -> None:
        key = (_of(log), log.state.head_hash)
        self._logs[key].remove(log)
        if not self._logs[key]:
            del self._logs[key]
        counts = self._counts[_of(log)]
        counts[log.state.head_len] -= 1
        if not counts[log.state.head_len]:
            del counts[log.state.head_len]

    @contextmanager
    def regrown(self, log: LogFile) -> Iterator[None]:
        """Keeps the index right while the log's head grows."""
        self.drop(log)
        yield
        self.add(log)

    def find(self, sensor: str, name: str, head: bytes) -> list[LogFile]:
        """Logs that begin like this, the longest head first."""
        lengths = sorted((n for n in self._counts[(sensor, name)] if n <= len(head)), reverse=True)
        return [log for n in lengths for log in self._logs.get(((sensor, name), digest(head[:n])), ())]

    def may_grow_into(self, sensor: str, name: str, head: bytes) -> bool:
        """Whether a file that begins like this, and is still being written, may become a copy of a known log."""
        if not any(n > len(head) for n in self._counts[(sensor, name)]):
            return False
        return any(
            log.state.head_len > len(head) and (not log.head or log.head.startswith(head))
            for (key, _), logs in self._logs.items()
            if key == (sensor, name)
            for log in logs
        )


def _of(log: LogFile) -> _Log:
    return log.sensor, log.name
