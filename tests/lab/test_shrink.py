"""What keeps captures small takes contents away, and neither headers nor handshakes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from lab.pcaps import TCP, Packet, parts, read, sealed
from lab.shrink import blank, hush

CAPTURES = Path(__file__).parents[1] / "data" / "pcap"
RECORD = b"\x17\x03\x03\x00\x06"
HELLO = b"\x16\x03\x01\x00\x03abc"


def segment(number: int, payload: bytes, *, port: int = 443, back: bool = False) -> Packet:
    """A TCP segment of 10.0.0.1:50000 to 10.0.0.2:443, or back."""
    ends, ports = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])), ((50000).to_bytes(2), port.to_bytes(2))
    if back:
        ends, ports = ends[::-1], ports[::-1]
    ip = b"\x45\0" + (40 + len(payload)).to_bytes(2) + bytes(4) + b"\x40\x06\0\0" + b"".join(ends)
    tcp = b"".join(ports) + (number % 2**32).to_bytes(4) + bytes(4) + b"\x50\x10" + bytes(6)
    return Packet(number, sealed(bytes(12) + b"\x08\0" + ip + tcp + payload))


def payloads(packets: list[Packet]) -> list[bytes]:
    return [p.data[w.payload : w.end] for p in packets if (w := parts(p.data))]


def test_blank_takes_the_payload_of_one_port() -> None:
    packets = [segment(1, b"secret"), segment(1, b"secret", back=True), segment(1, b"public", port=80)]
    assert payloads(blank(packets, 443)) == [bytes(6), bytes(6), b"public"]


@pytest.mark.parametrize("cut", range(1, 19))
def test_hush_keeps_handshakes_and_record_headers_however_they_are_cut(cut: int) -> None:
    stream = HELLO + RECORD + b"secret"
    packets = [segment(7, stream[:cut]), segment(7 + cut, stream[cut:])]
    assert b"".join(payloads(hush(packets))) == HELLO + RECORD + bytes(6)


def test_hush_gives_the_same_for_what_is_sent_again() -> None:
    stream = HELLO + RECORD + b"secret"
    packets = [segment(7, stream), segment(17, stream[10:]), segment(7 + len(stream), RECORD + b"more!!")]
    clean = HELLO + RECORD + bytes(6)
    assert payloads(hush(packets)) == [clean, clean[10:], RECORD + bytes(6)]


def test_hush_leaves_alone_what_comes_after_a_gap() -> None:
    packets = [segment(7, HELLO), segment(100, b"secret"), segment(106, RECORD + b"secret")]
    assert payloads(hush(packets)) == [HELLO, b"secret", RECORD + b"secret"]


def test_hush_knows_directions_and_numbers_that_wrap() -> None:
    packets = [segment(2**32 - 4, HELLO), segment(50, RECORD + b"secret", back=True), segment(4, RECORD + b"secret")]
    assert payloads(hush(packets)) == [HELLO, RECORD + bytes(6), RECORD + bytes(6)]


def test_shrunk_captures_have_right_checksums_and_ordered_times() -> None:
    packets = read(CAPTURES / "loss_5.pcap.gz")
    segments = [p.data for p in packets if (w := parts(p.data)) and w.proto == TCP]
    assert [s for s in segments if sealed(s) != s] == []
    assert all(a.ts_us <= b.ts_us for a, b in pairwise(packets))
