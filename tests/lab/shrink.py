"""What keeps a capture small: contents that nobody reads become zeros, which compress, under right checksums.

Headers, sizes and times stay, and so do the handshakes: what sensors log of such a capture is what they log of the
whole one, but for the entropy of contents.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from .pcaps import TCP, Packet, Parts, parts, sealed

APPLICATION_DATA, RECORD_HEADER = 23, 5


def _with_payload(packet: Packet, where: Parts, payload: bytes) -> Packet:
    return Packet(packet.ts_us, sealed(packet.data[: where.payload] + payload + packet.data[where.end :]))


def _payload(packet: Packet, port: int) -> Parts | None:
    """The parts of a TCP segment with payload from or to a port; None for all others."""
    where = parts(packet.data)
    if not where or where.proto != TCP or port not in (where.source[1], where.target[1]) or where.payload == where.end:
        return None
    return where


def blank(packets: Sequence[Packet], port: int) -> list[Packet]:
    """All TCP payload from and to a port becomes zeros."""
    return [
        _with_payload(packet, where, bytes(where.end - where.payload)) if (where := _payload(packet, port)) else packet
        for packet in packets
    ]


def hush(packets: Sequence[Packet], port: int = 443) -> list[Packet]:
    """The encrypted contents of TLS records from and to a port become zeros; handshakes and record headers stay.

    Of a direction that has a gap, the rest stays as it is.
    """
    sides: dict[object, _Side] = {}
    new = []
    for packet in packets:
        if where := _payload(packet, port):
            (number,) = struct.unpack_from(">I", packet.data, where.transport + 4)
            side = sides.setdefault((where.source, where.target), _Side(number))
            packet = _with_payload(packet, where, side.take(number, packet.data[where.payload : where.end]))
        new.append(packet)
    return new


class _Side:
    """One direction of a TLS connection: what it said so far, with contents gone, and where in a record it stands."""

    def __init__(self, first_number: int) -> None:
        self.first_number, self.said = first_number, bytearray()
        self.header, self.left, self.lost = b"", 0, False

    def take(self, number: int, payload: bytes) -> bytes:
        """What stands in a segment's place; one that was sent before gets what stood in its place then."""
        begin = (number - self.first_number) % 2**32
        if self.lost or begin > len(self.said):
            self.lost = True
            return payload
        self._read(payload[len(self.said) - begin :])
        return bytes(self.said[begin : begin + len(payload)])

    def _read(self, payload: bytes) -> None:
        at = 0
        while at < len(payload):
            if self.left:
                part = payload[at : at + self.left]
                self.said += bytes(len(part)) if self.header[0] == APPLICATION_DATA else part
                self.left -= len(part)
            else:
                part = payload[at : at + RECORD_HEADER - len(self.header)]
                self.said += part
                self.header += part
                self.left = int.from_bytes(self.header[3:], "big") if len(self.header) == RECORD_HEADER else 0
            if len(self.header) == RECORD_HEADER and not self.left:
                self.header = b""
            at += len(part)
