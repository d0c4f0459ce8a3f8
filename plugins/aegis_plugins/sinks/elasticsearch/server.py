"""What setup and delivery ask of a server, whichever client speaks to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from aegis_enrich.errors import AegisError


class NotThere(AegisError):
    """404: what was asked for is not there."""


class Unknown(AegisError):
    """The server has no such request: a part of it is not installed."""


class Server(ABC):
    """Tries each request once at each host that answers: who delivers decides when to try again.

    Methods raise Later (bulk.py) or SinkError, those of a path NotThere and Unknown too.
    """

    target: str  # URLs without credentials

    @abstractmethod
    def bulk(self, lines: Sequence[Any]) -> list[Mapping[str, Any]]:
        """The items of the answer, in order; raises TooLarge too."""

    @abstractmethod
    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON."""

    @abstractmethod
    def close(self) -> None: ...

    def get(self, path: str) -> Any:
        """The answer's JSON."""
        return self.ask("GET", path)

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        self.ask("PUT", path, body)

    def delete(self, path: str) -> None:
        self.ask("DELETE", path)
