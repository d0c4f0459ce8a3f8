"""Cuts a capture's bytes after whole packets, since a sensor gives up all it has at one that is cut off."""

from __future__ import annotations

import struct
from collections.abc import Callable

from .magic import kind, packet_header

MOST_BYTES = 16 * 2**20  # of a packet or block; libpcap reads no longer ones either
_FILE_HEADER = 24
_PACKET_BLOCKS = {2, 3, 6}  # packet (obsolete), simple packet, enhanced packet
_SECTION = 0x0A0D0D0A


class Records:
    """Counts packets on the way; once `damaged`, nothing more is let through."""

    def __init__(self) -> None:
        self.packets = 0
        self.damaged = False
        self._rest = b""
        self._walk: Callable[[bytes], int] | None = None
        self._order = "<"

    def take(self, data: bytes) -> bytes:
        """What may be passed on of the bytes so far: headers and whole packets."""
        if self.damaged:
            return b""
        data = self._rest + data
        begin = 0
        if self._walk is None:
            if len(data) < _FILE_HEADER:
                self._rest = data
                return b""
            begin = self._open(data)
        assert self._walk is not None
        end = begin + self._walk(data[begin:] if begin else data)
        self._rest = b"" if self.damaged else data[end:]
        return data[:end] if end < len(data) else data

    @property
    def left(self) -> int:
        """Bytes of a packet that was not whole."""
        return len(self._rest)

    def _open(self, data: bytes) -> int:
        """Finds the format; the length of the file's header."""
        if kind(data) == "pcapng":
            self._walk = self._blocks
            return 0
        found = packet_header(data)
        if found is None:
            raise ValueError("no capture")
        order, length = found
        unpack = struct.Struct(f"{order}8xI").unpack_from
        self._walk = lambda data: self._packets(data, unpack, length)
        return _FILE_HEADER

    def _packets(self, data: bytes, unpack: Callable[[bytes, int], tuple[int]], header: int) -> int:
        """Where the last whole packet of a pcap file ends."""
        at, number, size = 0, 0, len(data)
        last = size - header
        while at <= last:
            (length,) = unpack(data, at)
            if length > MOST_BYTES:
                self.damaged = True
                break
            end = at + header + length
            if end > size:
                break
            at = end
            number += 1
        self.packets += number
        return at

    def _blocks(self, data: bytes) -> int:
        """Where the last whole block of a pcapng file ends."""
        at, size = 0, len(data)
        while at <= size - 12:
            block = int.from_bytes(data[at : at + 4], "little")
            if block == _SECTION:  # a palindrome; the byte order of what follows is behind its length
                self._order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            block, length = struct.unpack_from(f"{self._order}II", data, at)
            if length < 12 or length % 4 or length > MOST_BYTES:
                self.damaged = True
                break
            if at + length > size:
                break
            at += length
            self.packets += block in _PACKET_BLOCKS
        return at
