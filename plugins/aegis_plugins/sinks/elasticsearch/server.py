"""What setup and delivery ask of a server, whichever client speaks to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aegis_enrich.errors import AegisError


class NotThere(AegisError):
    """404: what was asked for is not there."""


class Unknown(AegisError):
    """The server has no such request: a part of it is not installed."""


class Server(Protocol):
    """Tries each request once at each host that answers: who delivers decides when to try again.

    Methods raise Later (bulk.py) or SinkError, those of a path NotThere and Unknown too.
    """

    target: str  # URLs without credentials

    def bulk(self, lines: Sequence[Any]) -> list[Mapping[str, Any]]:
        """The items of the answer, in order; raises TooLarge too."""

    def get(self, path: str) -> Any:
        """The answer's JSON."""

    def put(self, path: str, body: Mapping[str, Any]) -> None: ...

    def delete(self, path: str) -> None: ...

    def close(self) -> None: ...
