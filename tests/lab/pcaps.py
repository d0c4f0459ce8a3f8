"""Captures as lists of packets: reading and writing pcap, and where in a frame its parts lie."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

MAGIC_US, ETHERNET = 0xA1B2C3D4, 1
FILE_HEADER, RECORD = struct.Struct("<IHHiIII"), struct.Struct("<IIII")
TCP, UDP = 6, 17


@dataclass(frozen=True)
class Packet:
    """A whole Ethernet frame and its time in microseconds since the epoch."""

    ts_us: int
    data: bytes

    def later(self, by_us: int) -> Packet:
        return replace(self, ts_us=self.ts_us + by_us)


@dataclass(frozen=True)
class Parts:
    """Offsets into a frame that holds TCP or UDP over IP, and what names its flow."""

    ip: int
    transport: int
    payload: int
    end: int  # where the IP packet ends; the frame may be padded
    version: int
    proto: int
    source: tuple[bytes, int]
    target: tuple[bytes, int]

    @property
    def flow(self) -> tuple[int, tuple[bytes, int], tuple[bytes, int]]:
        """The same for both directions."""
        return self.proto, min(self.source, self.target), max(self.source, self.target)


def read(path: Path) -> list[Packet]:
    """The packets of a pcap file, gzipped or not, in order of time (several processors write them nearly so).

    Raises ValueError for other files, and for packets cut short.
    """
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    if len(raw) < FILE_HEADER.size or FILE_HEADER.unpack_from(raw)[0] != MAGIC_US:
        raise ValueError(f"{path}: no little-endian pcap file with microseconds")
    if FILE_HEADER.unpack_from(raw)[6] != ETHERNET:
        raise ValueError(f"{path}: not captured from an Ethernet")
    return sorted(_records(raw, path), key=lambda p: p.ts_us)


def _records(raw: bytes, path: Path) -> Iterator[Packet]:
    at = FILE_HEADER.size
    while at + RECORD.size <= len(raw):
        seconds, micros, kept, length = RECORD.unpack_from(raw, at)
        at += RECORD.size
        if kept != length or at + kept > len(raw):
            raise ValueError(f"{path}: a packet of {length} bytes is cut short")
        yield Packet(seconds * 1_000_000 + micros, raw[at : at + kept])
        at += kept


def write(path: Path, packets: Iterable[Packet]) -> None:
    """The packets in order of time; gzipped, always to the same bytes, if the name ends in .gz."""
    blocks = [FILE_HEADER.pack(MAGIC_US, 2, 4, 0, 0, 262144, ETHERNET)]
    for packet in sorted(packets, key=lambda p: p.ts_us):
        seconds, micros = divmod(packet.ts_us, 1_000_000)
        blocks += [RECORD.pack(seconds, micros, len(packet.data), len(packet.data)), packet.data]
    raw = b"".join(blocks)
    path.write_bytes(gzip.compress(raw, 9, mtime=0) if path.suffix == ".gz" else raw)


def parts(frame: bytes) -> Parts | None:
    """The parts of an untagged frame with TCP or UDP; None for others, and for fragments but the first."""
    ethertype, ip = frame[12:14], 14
    if ethertype == b"\x08\x00":
        transport, proto = ip + (frame[ip] & 15) * 4, frame[ip + 9]
        end = ip + int.from_bytes(frame[ip + 2 : ip + 4], "big")
        addresses = frame[ip + 12 : ip + 16], frame[ip + 16 : ip + 20]
        if int.from_bytes(frame[ip + 6 : ip + 8], "big") & 0x1FFF:
            return None
    elif ethertype == b"\x86\xdd":
        transport, proto = ip + 40, frame[ip + 6]
        end = transport + int.from_bytes(frame[ip + 4 : ip + 6], "big")
        addresses = frame[ip + 8 : ip + 24], frame[ip + 24 : ip + 40]
    else:
        return None
    if proto not in (TCP, UDP):
        return None
    ports = struct.unpack_from(">HH", frame, transport)
    header = (frame[transport + 12] >> 4) * 4 if proto == TCP else 8
    source, target = (addresses[0], ports[0]), (addresses[1], ports[1])
    return Parts(ip, transport, transport + header, end, frame[ip] >> 4, proto, source, target)


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data[: len(data) & ~1]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def sealed(frame: bytes) -> bytes:
    """The frame with the checksums of its IPv4 and TCP headers made right. Raises ValueError if it holds no TCP."""
    where = parts(frame)
    if where is None or where.proto != TCP:
        raise ValueError("no TCP segment")
    new = bytearray(frame)
    if where.version == 4:
        new[where.ip + 10 : where.ip + 12] = b"\0\0"
        struct.pack_into(">H", new, where.ip + 10, checksum(bytes(new[where.ip : where.transport])))
    segment = new[where.transport : where.end]
    segment[16:18] = b"\0\0"
    pseudo = where.source[0] + where.target[0] + struct.pack(">HH", TCP, len(segment))
    struct.pack_into(">H", new, where.transport + 16, checksum(pseudo + bytes(segment)))
    return bytes(new)
