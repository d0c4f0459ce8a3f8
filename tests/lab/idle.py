"""The two ends of a TCP connection that says nothing, or cannot: run as a script inside a namespace.

    python3 idle.py serve ADDRESS PORT READ_AFTER_S        accepts one connection, reads after so long
    python3 idle.py hold ADDRESS PORT BYTES SECONDS        sends so much, keeps the connection for so long

Both send keep-alive probes after 3 s of silence, each 3 s.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Sequence


def keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 3)


def serve(address: str, port: int, read_after_s: float) -> None:
    """A small receive buffer, so that a sender soon waits for who does not read."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        listener.bind((address, port))
        listener.listen()
        sock, _ = listener.accept()
    with sock:
        keep_alive(sock)
        time.sleep(read_after_s)
        while sock.recv(65536):
            pass


def hold(address: str, port: int, size: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    with socket.create_connection((address, port)) as sock:
        keep_alive(sock)
        sock.sendall(b"a line of text, and the next is the same\n" * (size // 41 + 1))
        time.sleep(max(0.0, end - time.monotonic()))
        with contextlib.suppress(OSError):
            sock.sendall(b"bye\n")


def main(given: Sequence[str]) -> None:
    what, address, port, *numbers = given
    if what == "serve":
        serve(address, int(port), float(numbers[0]))
    else:
        hold(address, int(port), int(numbers[0]), float(numbers[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
