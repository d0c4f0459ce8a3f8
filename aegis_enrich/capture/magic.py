"""What a file is by its first bytes, whatever its name: a capture that libpcap reads, plain or gzip, or none."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

HEAD_BYTES = 65_536
GZIP = b"\x1f\x8b"
PCAPNG = b"\x0a\x0d\x0d\x0a"
# The first four bytes in the order of the machine that wrote it, and the length of a packet's header: microseconds,
# nanoseconds, and Kuznetzov's, whose packet headers have 8 bytes more.
PCAP: dict[int, int] = {0xA1B2C3D4: 16, 0xA1B23C4D: 16, 0xA1B2CD34: 24}

_NAME = re.compile(r"\.(?:pcap|pcapng|cap|dmp|trace)\d*(?:\.\w+)?$", re.IGNORECASE)
_OTHERS = {
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf": "7-Zip",
}


def head(path: Path, size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file, decompressed where it is gzip; raises OSError."""
    with path.open("rb") as file:
        data = file.read(size)
    if not data.startswith(GZIP):
        return data
    try:
        return zlib.decompressobj(31).decompress(data, size)
    except zlib.error:
        return b""


def kind(head: bytes) -> str | None:
    """`pcap`, `pcapng`, or None for what is no capture."""
    if head[:4] == PCAPNG and head[8:12] in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
        return "pcapng"
    return "pcap" if packet_header(head) else None


def packet_header(head: bytes) -> tuple[str, int] | None:
    """Of a pcap file, its byte order as `struct` writes it, and the length of a packet's header; else None."""
    for order, name in (("<", "little"), (">", "big")):
        length = PCAP.get(int.from_bytes(head[:4], name))  # type: ignore[arg-type]  # a literal for mypy
        if length and len(head) >= 24:
            return order, length
    return None


def is_capture(path: Path) -> bool:
    """Whether a file is a capture by its contents; False where it cannot be read."""
    try:
        return path.is_file() and kind(head(path, 4096)) is not None
    except OSError:
        return False


def problem(path: Path) -> str | None:
    """What is wrong with a file that is called like a capture and is none; None for all others."""
    if not _NAME.search(path.name) or not path.is_file() or is_capture(path):
        return None
    try:
        with path.open("rb") as file:
            raw = file.read(16)
    except OSError as error:
        return f"cannot be read: {error.strerror}; let the user of aegis-enrich read it"
    if not raw:
        return "is empty; a capture has a header even where it holds no packet"
    packed = next((name for magic, name in _OTHERS.items() if raw.startswith(magic)), None)
    if packed:
        return f"is compressed with {packed}; decompress it, or compress it with gzip"
    return f"is no capture: it begins with {raw[:4].hex(' ')}; pcap and pcapng are read, plain or gzip"
