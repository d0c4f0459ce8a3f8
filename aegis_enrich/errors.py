"""The one family of errors that users see: each says where, what was found, what is allowed and what to do."""

from __future__ import annotations

from collections.abc import Sequence


class AegisError(Exception):
    """A problem that its reader can act on; `str()` is one line, `where: what; what to do`."""

    def __init__(self, what: str, *, where: str = "") -> None:
        self.what = what
        self.where = where
        super().__init__(f"{where}: {what}" if where else what)

    @property
    def problems(self) -> tuple[AegisError, ...]:
        """The problems that it tells of: itself, or all of them where it is several."""
        return (self,)


class ConfigError(AegisError):
    """A configuration, rule or list file that does not check."""


class StateError(AegisError):
    """The state folder cannot be used: held by another process, of a newer version, unreadable."""


class SinkError(AegisError):
    """A sink cannot be used at all (unreachable, wrong credentials); single documents' failures are outcomes."""


class ShipError(AegisError):
    """The common lake cannot be reached, read or written."""


class CaptureError(AegisError):
    """A capture cannot be read: it is none, no sensor is installed, or the sensor fails on it."""


class Problems(ConfigError):
    """Several problems, found in one pass and shown at once."""

    def __init__(self, problems: Sequence[AegisError]) -> None:
        self._problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in problems))

    @property
    def problems(self) -> tuple[AegisError, ...]:
        return self._problems
