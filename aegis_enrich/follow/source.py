"""What the engine reads from: logs as they come, from files or from elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from .logfile import Chunk, LogFile, Lost
from .state import LogState

KAFKA = "kafka:"  # what path and node of a log begin with that comes from a topic's partition


class Source(Protocol):
    """Logs of sensors. `Follower` reads them from files. Not for several threads."""

    @property
    def lost(self) -> Sequence[Lost]:
        """What can no longer be read; only ever grows."""

    @property
    def skipped(self) -> Collection[str]:
        """Names of logs that are none of ours."""

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Where something cannot be read, and why."""

    @property
    def lag_bytes(self) -> int:
        """What lies unread."""

    def lag_by_log(self) -> Mapping[tuple[str, str], int]:
        """What lies unread, by sensor and log name."""

    def pending(self) -> list[LogFile]:
        """Logs with anything unread; the best to read first."""

    @property
    def held_back(self) -> Collection[tuple[str, str, str]]:
        """Sensor, log name and node of logs of which something older than what is pending cannot be read yet."""

    def read(self, log: LogFile, limit: int) -> Chunk | None:
        """The next whole lines of a log that is pending, about `limit` bytes; None where there are none after all."""

    def committed(self, logs: Mapping[LogFile, LogState]) -> None:
        """Tells that what was read of these logs up to these states is durable."""

    def wait(self, timeout_s: float) -> None:
        """Waits until there may be more, at most this long."""

    def finish(self) -> None:
        """The input has ended: nothing is waited for any more."""

    def finished(self) -> list[LogFile]:
        """Logs that were read to their ends since the last call."""
