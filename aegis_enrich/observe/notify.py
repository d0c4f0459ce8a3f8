"""systemd's notifications (sd_notify(3)): datagrams to the socket that it names, nothing where it names none."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress

from ..visible import visible

log = logging.getLogger(__name__)

WAIT_S = 1.0  # how long a datagram may wait for room in the manager's queue
STATUS_EVERY_S = 10.0


class Notifier:
    """Tells the service manager how the service is. Never raises; without a manager it does nothing.

    Takes its variables out of the environment, so that no child of the process speaks for it.
    """

    def __init__(
        self, environment: MutableMapping[str, str] = os.environ, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._address = environment.pop("NOTIFY_SOCKET", "")
        watched, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        # A quarter of the time after which the manager kills: one round may take three quarters of it.
        self._beat_every_s = int(watched) / 4e6 if ours and watched.isdigit() and int(watched) else None
        self._beat_due_s = self._status_due_s = float("-inf")

    @property
    def listened(self) -> bool:
        return bool(self._address)

    def ready(self, status: str) -> None:
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        self._send("STOPPING=1", _status(status))

    def beat(self, status: Callable[[], str]) -> None:
        """To be called from each round of the work that is watched, and from nowhere else."""
        if not self._address:
            return
        now_s = self._clock()
        if self._beat_every_s is not None and now_s >= self._beat_due_s:
            self._beat_due_s = now_s + self._beat_every_s
            self._send("WATCHDOG=1")
        if now_s >= self._status_due_s:
            self._status_due_s = now_s + STATUS_EVERY_S
            self._send(_status(status()))

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is in the abstract namespace, where it begins with a zero byte.
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(WAIT_S)
            sender.sendto("\n".join(lines).encode(), name)


def _status(text: str) -> str:
    return f"STATUS={visible(text, 200)}"
