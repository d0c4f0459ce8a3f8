"""The way to a receiver: datagrams (RFC 5426), a stream with counted octets (RFC 6587), or that over TLS (RFC 5425).

Syslog has no acknowledgement. A stream counts as taken once the receiver's machine has acknowledged its bytes (where
the system tells: Linux); a connection that was reset since has lost what its program had not read, so that goes again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import ssl
import struct
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from aegis_enrich.errors import ConfigError, SinkError

STEP_S = 0.005
REFUSAL_S = 0.3


class Transport(Protocol):
    def send(self, messages: Sequence[bytes]) -> None:
        """All of them; raises OSError where that is not sure."""

    def close(self) -> None:
        """Lets the connection go."""


class Udp:
    """A datagram a message: what is lost on the way, nobody knows."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def send(self, messages: Sequence[bytes]) -> None:
        if self._socket is None:
            family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(address)  # so that a closed port is heard of
        try:
            for message in messages:
                self._socket.send(message)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Stream:
    """A connection that is kept, and made again once it is gone; with `tls` over TLS."""

    def __init__(self, host: str, port: int, *, timeout_s: float, counted: bool, tls: ssl.SSLContext | None) -> None:
        self._address, self._timeout_s, self._counted, self._tls = (host, port), timeout_s, counted, tls
        self._socket: socket.socket | None = None
        self._last = b""  # what was sent last over this connection
        self._again = b""  # what a connection that was lost may not have brought to the receiver

    def send(self, messages: Sequence[bytes]) -> None:
        frames = b"".join(self._frame(message) for message in messages)
        if self._is_lost():
            self._again += self._last
        try:
            connection = self._socket or self._connect()
            connection.sendall(self._again + frames)
            self._acknowledged(connection)
        except OSError:
            self.close()
            raise
        self._last, self._again = frames, b""

    def _frame(self, message: bytes) -> bytes:
        return b"%d %b" % (len(message), message) if self._counted else message + b"\n"

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(self._address, timeout=self._timeout_s)
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            made = self._secured(plain) if self._tls else plain
        except BaseException:
            plain.close()
            raise
        self._socket = made
        return made

    def _secured(self, plain: socket.socket) -> socket.socket:
        """TLS over it. A receiver may refuse this machine's certificate only after the handshake (TLS 1.3): it gets a
        moment to say so."""
        assert self._tls is not None
        made = self._tls.wrap_socket(plain, server_hostname=self._address[0])
        try:
            if select.select([made], [], [], REFUSAL_S)[0]:
                made.settimeout(0)
                with contextlib.suppress(ssl.SSLWantReadError):
                    made.recv(4096)
                made.settimeout(self._timeout_s)
        except BaseException:
            made.close()
            raise
        return made

    def _is_lost(self) -> bool:
        """Whether the connection was reset, so that what was sent last may not have been read. One that the receiver
        closed is closed here, too: it read all before."""
        if self._socket is None:
            return False
        try:
            self._socket.settimeout(0)
            while self._socket.recv(4096):  # receivers say nothing; TLS has its own messages
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            self._socket.settimeout(self._timeout_s)
            return False
        except OSError:
            self.close()
            return True
        self.close()
        return False

    def _acknowledged(self, connection: socket.socket) -> None:
        """Waits until the other machine has everything; raises TimeoutError."""
        if not sys.platform.startswith("linux"):
            return
        until_s = time.monotonic() + self._timeout_s
        while _unacknowledged(connection):
            if time.monotonic() > until_s:
                raise TimeoutError("the receiver does not take what was sent")
            time.sleep(STEP_S)
        if number := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None


def _unacknowledged(connection: socket.socket) -> int:
    """Bytes that were sent and not acknowledged (tcp(7), SIOCOUTQ)."""
    return int(struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0])


def context(ca_certs: str, certificate: str, key: str, where: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, the receiver's name and certificate checked; raises ConfigError."""
    for setting, path in (("ca_certs", ca_certs), ("certificate", certificate), ("key", key)):
        if path and not Path(path).is_file():
            raise ConfigError("no such file; name one in PEM", where=f"{where}.{setting}: {path}")
    try:
        made = ssl.create_default_context(cafile=ca_certs or None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            made.load_cert_chain(certificate, key or None)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"no certificates in PEM ({error})", where=f"{where}.ca_certs") from error
    return made


def untrusted(error: OSError, where: str) -> SinkError | None:
    """What to say where it is the certificate that does not check."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", error)
        return SinkError(f"its certificate is not trusted ({why}); correct ca_certs", where=where)
    return None
