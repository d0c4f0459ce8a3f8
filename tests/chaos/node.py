"""The Elasticsearch of a run: one that is there and is left alone, or one of its own that is stopped and killed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import elasticsearch_server
from elasticsearch_server import JDKS, Installed, Server

VERSION = min(JDKS)


class Node:
    """A server; where `files` are given it is started from them, and its process may be signalled."""

    def __init__(self, server: Server | None = None, files: Installed | None = None) -> None:
        self._files, self._stack, self._pid = files, contextlib.ExitStack(), 0
        if server is not None:
            self.server = server
        else:
            self._start()

    @property
    def own(self) -> bool:
        return self._files is not None

    def _start(self) -> None:
        assert self._files is not None
        self.server, self._pid = self._stack.enter_context(self._files.started())

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, number)

    def restart(self) -> None:
        """Kills it and starts it on the data that it left; at another port."""
        self.signal(signal.SIGKILL)
        self._stack.close()
        self._start()

    def close(self) -> None:
        self._stack.close()


@contextlib.contextmanager
def node(url: str = "") -> Iterator[Node]:
    """The server at this URL, else one of its own. Raises elasticsearch_server.Unavailable."""
    if url:
        yield Node(Server(url.rstrip("/")))
        return
    with elasticsearch_server.installed(VERSION) as files, contextlib.closing(Node(files=files)) as own:
        yield own
