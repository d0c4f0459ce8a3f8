"""Fingerprints of made hellos with all the oddities that captures seldom have, beside what the methods' texts say."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "zeek_scripts"
SNI, GROUPS, POINTS, SIGNATURES, ALPN, VERSIONS = 0, 10, 11, 13, 16, 43
TLS, DTLS = 6, 17  # by their transport

pytestmark = pytest.mark.skipif(shutil.which("zeek") is None, reason="no zeek on PATH")


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def shorts(values: Sequence[int]) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


@dataclass(frozen=True)
class Hello:
    """A ClientHello, and the fingerprints that the texts ask for."""

    ja3: str  # before hashing
    ja4: tuple[str, str, str]  # the last two before hashing
    version: int = 0x0303
    ciphers: Sequence[int] = (0x1301,)
    extensions: Sequence[tuple[int, bytes]] | None = field(default=())  # None: the hello ends before them
    proto: int = TLS
    cut: int = 1400  # bytes a segment

    def body(self) -> bytes:
        cookie = b"\0" if self.proto == DTLS else b""
        said = shorts([self.version]) + bytes(32) + b"\0" + cookie + vector(2, shorts(self.ciphers)) + b"\1\0"
        if self.extensions is None:
            return said
        return said + vector(2, b"".join(shorts([code]) + vector(2, data) for code, data in self.extensions))

    def record(self) -> bytes:
        body = self.body()
        if self.proto == DTLS:
            handshake = b"\1" + len(body).to_bytes(3, "big") + bytes(5) + len(body).to_bytes(3, "big") + body
            return b"\x16" + shorts([self.version]) + bytes(8) + vector(2, handshake)
        return b"\x16\3\1" + vector(2, b"\1" + vector(3, body))

    def hashed(self) -> tuple[str, str]:
        first, *others = self.ja4
        sha = ("0" * 12 if text == "-" else hashlib.sha256(text.encode()).hexdigest()[:12] for text in others)
        return hashlib.md5(self.ja3.encode()).hexdigest(), "_".join([first, *sha])


def sni(name: bytes) -> tuple[int, bytes]:
    return SNI, vector(2, b"\0" + vector(2, name))


def alpn(*names: bytes) -> tuple[int, bytes]:
    return ALPN, vector(2, b"".join(vector(1, name) for name in names))


def listed(code: int, *values: int) -> tuple[int, bytes]:
    return code, vector(1 if code == VERSIONS else 2, shorts(values))


def named(protocol: bytes, ends: str) -> Hello:
    return Hello("771,4865,16,,", (f"t12i0101{ends}", "1301", "-"), extensions=[alpn(protocol)])


HELLOS = {
    "browser with GREASE": Hello(
        "771,4865-49195,0-10-11-13-16-43-23,29-23,0-1",
        ("t13d0207h2", "1301,c02b", "000a,000b,000d,0017,002b_0403,0804"),
        ciphers=(0xBABA, 0x1301, 0xC02B),
        extensions=[
            (0xAAAA, b""),
            sni(b"a.test"),
            listed(GROUPS, 0x4A4A, 29, 23),
            (POINTS, b"\2\0\1"),
            listed(SIGNATURES, 0x0403, 0x0804),
            alpn(b"h2", b"http/1.1"),
            listed(VERSIONS, 0xFAFA, 0x0304, 0x0303),
            (23, b""),
            (0x1A1A, b"\0"),
        ],
    ),
    "no extensions": Hello("769,47-10,,,", ("t10i020000", "000a,002f", "-"), 0x0301, (47, 10), None),
    "an empty list of them": Hello("770,47,,,", ("t11i010000", "002f", "-"), 0x0302, (47,)),
    "SNI alone": Hello("771,4865,0,,", ("t12d010100", "1301", "-"), extensions=[sni(b"a.test")]),
    "no signature algorithms": Hello("771,4865,23,,", ("t12i010100", "1301", "0017"), extensions=[(23, b"")]),
    "SSL 3.0": Hello("768,4,,,", ("ts3i010000", "0004", "-"), 0x0300, (4,), None),
    "a draft of TLS 1.3": Hello(
        "771,4865,43,,", ("t00i010100", "1301", "002b"), extensions=[listed(VERSIONS, 0x7F17, 0x0303)]
    ),
    "150 ciphers": Hello(
        f"771,{'-'.join(str(x) for x in range(1000, 1150))},,,",
        ("t12i990000", ",".join(f"{x:04x}" for x in range(1000, 1150)), "-"),
        ciphers=range(1000, 1150),
    ),
    "in segments of 11 bytes": Hello(
        "771,4865,35-0-23,,",
        ("t12d010300", "1301", "0017,0023"),
        extensions=[(35, b"x" * 200), sni(b"b.test"), (23, b"")],
        cut=11,
    ),
    "DTLS 1.2": Hello("65277,4865,23,,", ("dd2i010100", "1301", "0017"), 0xFEFD, extensions=[(23, b"")], proto=DTLS),
    "DTLS 1.3": Hello(
        "65277,4865,43,,",
        ("dd3i010100", "1301", "002b"),
        0xFEFD,
        extensions=[listed(VERSIONS, 0xFEFC, 0xFEFD)],
        proto=DTLS,
    ),
    "ALPN of one letter": named(b"x", "xx"),
    "ALPN http/1.1": named(b"http/1.1", "h1"),
    "ALPN of one byte": named(b"\xab", "ab"),
    "ALPN of two bytes": named(b"\xab\xcd", "ad"),
    "ALPN that ends oddly": named(b"0\xab", "3b"),
    "ALPN that begins oddly": named(b"\xab1", "a1"),
    "ALPN odd inside": named(b"0\xab\xcd1", "01"),
    "ALPN with a zero byte": named(b"\x00a", "01"),
    "ALPN GREASE": named(b"\x0a\x0a", "0a"),
}


def frames(hello: Hello, port: int) -> Iterator[bytes]:
    """Ethernet frames of a connection from the port that only says hello."""
    data, at, pieces = hello.record(), 1, []
    if hello.proto == TLS:
        pieces = [data[i : i + hello.cut] for i in range(0, len(data), hello.cut)]
        yield frame(TLS, port, 443, struct.pack(">IIBBHHH", 0, 0, 0x50, 2, 65535, 0, 0))
        yield frame(TLS, 443, port, struct.pack(">IIBBHHH", 0, 1, 0x50, 0x12, 65535, 0, 0))
        for piece in (b"", *pieces):
            yield frame(TLS, port, 443, struct.pack(">IIBBHHH", at, 1, 0x50, 0x10, 65535, 0, 0) + piece)
            at += len(piece)
    else:
        yield frame(DTLS, port, 4433, struct.pack(">HH", 8 + len(data), 0) + data)


def frame(proto: int, source: int, target: int, rest: bytes) -> bytes:
    away, home = bytes([203, 0, 113, 50]), bytes([10, 10, 0, 11])
    ends = away + home if source == 443 else home + away
    head = struct.pack(">BBHHHBBH", 0x45, 0, 24 + len(rest), 0, 0, 64, proto, 0)
    return bytes(12) + b"\x08\0" + head + ends + shorts([source, target]) + rest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where capture.pcap has each hello, from port 50000 on, and Zeek has read it."""
    here = tmp_path_factory.mktemp("hellos")
    blocks = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    sent = [f for port, hello in enumerate(HELLOS.values(), 50_000) for f in frames(hello, port)]
    for number, data in enumerate(sent):
        blocks += [struct.pack("<IIII", 1_800_000_000, number * 100, len(data), len(data)), data]
    (here / "capture.pcap").write_bytes(b"".join(blocks))
    scripts = [SCRIPTS / "ja3.zeek", SCRIPTS / "ja4.zeek"]
    command = ["zeek", "-C", "-r", "capture.pcap", *map(str, scripts), "LogAscii::use_json=T"]
    subprocess.run(command, cwd=here, check=True, capture_output=True)
    return here


@pytest.mark.parametrize("name", HELLOS)
def test_as_the_texts_say(name: str, folder: Path):
    port = 50_000 + list(HELLOS).index(name)
    rows = map(json.loads, (folder / "ssl.log").read_text().splitlines())
    (row,) = (row for row in rows if row["id.orig_p"] == port)
    assert (row["ja3"], row["ja4"]) == HELLOS[name].hashed()
