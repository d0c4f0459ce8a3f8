"""A TCP proxy before Elasticsearch that refuses, stalls, and cuts requests and answers in their middle."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable

BLOCK_BYTES = 65_536
TICK_S = 0.05
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a close sends RST
MODES = ("pass", "refuse", "stall", "cut answers", "cut requests")
CUT_BYTES = (1, 30_000)  # of a request or an answer, before it is cut


class Proxy:
    """Listens on a port of the loopback and hands on to `to` (host, port); `mode` may change at any time.

    `cuts` counts what it did, by mode. `passed` is called with the bytes of each request that is handed on.
    """

    def __init__(self, to: tuple[str, int], seed: int) -> None:
        self.to, self.mode, self.cuts = to, "pass", Counter[str]()
        self.passed: Callable[[int], None] = lambda size: None
        self._rng = random.Random(seed)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(TICK_S)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(5)
        self._listening.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listening.accept()
            except TimeoutError:
                continue
            if self.mode == "refuse":
                self._cut("refuse", client)
                continue
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self.to, 5) as server:
            self._hand_on(client, server)

    def _hand_on(self, client: socket.socket, server: socket.socket) -> None:
        """Until one side ends, or what the mode lets through is used up."""
        left: dict[str, int] = {}
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, (server, "cut requests"))
            selector.register(server, selectors.EVENT_READ, (client, "cut answers"))
            while not self._ended.is_set():
                if self.mode == "refuse":
                    return self._cut("refuse", client, server)
                for key, _ in selector.select(TICK_S) if self.mode != "stall" else self._stall():
                    to, cutting = key.data
                    data = key.fileobj.recv(BLOCK_BYTES)  # type: ignore[union-attr]
                    if not data:
                        return None
                    if self.mode == cutting:
                        left.setdefault(cutting, self._rng.randint(*CUT_BYTES))
                        to.sendall(data[: left[cutting]])
                        left[cutting] -= len(data)
                        if left[cutting] <= 0:
                            return self._cut(cutting, client, server)
                    else:
                        to.sendall(data)
                    if cutting == "cut requests":
                        self.passed(len(data))
        return None

    def _stall(self) -> tuple[()]:
        self._ended.wait(TICK_S)
        self.cuts["stall"] += 1
        return ()

    def _cut(self, what: str, *connections: socket.socket) -> None:
        self.cuts[what] += 1
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                connection.close()
