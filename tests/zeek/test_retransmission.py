"""aegis_retransmission over connections made for it, packet by packet: what must count, and what must not."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "zeek_scripts" / "retransmission.zeek"
ZEEK = shutil.which("zeek")
pytestmark = pytest.mark.skipif(ZEEK is None, reason="no zeek on PATH")

FULL = 1400
SYN, ACK, FIN = 0x02, 0x10, 0x01
MSS, SACK_OK, SCALE = b"\x02\x04\x05\xb4", b"\x04\x02\x01\x01", b"\x03\x03\x07\x01"
STAMP = b"\x01\x01\x08\x0a" + bytes(8)


def sack(blocks: int) -> bytes:
    return bytes((1, 1, 5, 2 + 8 * blocks)) + bytes(8 * blocks)


@dataclass
class Flow:
    """One TCP connection; side 0 is the originator. Each packet comes `gap_s` after the one before."""

    v6: bool = False
    stamps: bool = True
    gap_s: float = 0.001
    copies: int = 1
    at_s: float = 1_700_000_000.0
    sent: list[int] = field(default_factory=lambda: [0, 0])  # payload so far, by side
    packets: list[tuple[float, bytes]] = field(default_factory=list)

    def handshake(self) -> Flow:
        options = MSS + SACK_OK + SCALE + (STAMP if self.stamps else b"")
        self.packet(0, SYN, options=options, seq=-1, ack=None)
        self.packet(1, SYN | ACK, options=options, seq=-1)
        return self.packet(0, ACK)

    def packet(
        self, side: int, flags: int = ACK, size: int = 0, *, options: bytes | None = None, seq: int | None = None,
        ack: int | None = 0, seen: bool = True,
    ) -> Flow:  # fmt: skip
        """`seq` and `ack` count payload bytes; without `seq`, what comes next."""
        if options is None:
            options = STAMP if self.stamps else b""
        number = 1001 + (self.sent[side] if seq is None else seq)
        acked = 0 if ack is None else 1001 + self.sent[1 - side]
        header = (20 + len(options)) // 4 << 4
        tcp = struct.pack(">HHIIBBHHH", *self.ports(side), number, acked, header, flags, 60000, 0, 0) + options
        if seq is None:
            self.sent[side] += size
        self.at_s += self.gap_s
        if seen:
            frame = self.frame(side, tcp + bytes(size))
            self.packets += [(self.at_s + copy * 0.000_002, frame) for copy in range(self.copies)]
        return self

    def ports(self, side: int) -> tuple[int, int]:
        return (40000, 5201) if side == 0 else (5201, 40000)

    def frame(self, side: int, segment: bytes) -> bytes:
        ends = [ip_address(a).packed for a in (("fd00:10::11", "fd00:20::30") if self.v6 else ("10.0.0.1", "10.0.0.2"))]
        source, target = ends[side], ends[1 - side]
        if self.v6:
            header = struct.pack(">IHBB", 6 << 28, len(segment), 6, 64)
        else:  # an identification of 0, as of systems that never fragment
            header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0)
        return bytes(12) + (b"\x86\xdd" if self.v6 else b"\x08\x00") + header + source + target + segment

    def data(self, side: int, packets: int, size: int = FULL) -> Flow:
        for _ in range(packets):
            self.packet(side, ACK, size)
        return self.packet(1 - side)

    def again(self, side: int, packets: int, size: int = FULL, first: int = 0) -> Flow:
        for number in range(first, first + packets):
            self.packet(side, ACK, size, seq=number * size)
        return self

    def close(self) -> Flow:
        for side in (0, 1):
            self.packet(side, FIN | ACK)
            self.sent[side] += 1
        return self.packet(0)

    def write(self, path: Path) -> None:
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        parts = [
            struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame
            for at, frame in self.packets
        ]
        path.write_bytes(head + b"".join(parts))


@pytest.fixture
def rows(tmp_path: Path):
    """The rows that Zeek's script writes of a connection."""

    def read(flow: Flow, *options: str) -> list[dict[str, Any]]:
        flow.write(tmp_path / "flow.pcap")
        command = [str(ZEEK), "-b", "-C", "-r", "flow.pcap", str(SCRIPT), "LogAscii::use_json=T", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
        log = tmp_path / "aegis_retransmission.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    return read


def estimates(row: dict[str, Any]) -> tuple[int, int]:
    """To full packets: the options of SYNs add some bytes."""
    return tuple(round(row[f"{side}_rexmit_bytes_est"] / FULL) for side in ("orig", "resp"))


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize("stamps", [False, True], ids=["bare", "timestamps"])
def test_bytes_are_exact_whatever_the_header(rows, v6, stamps):
    (row,) = rows(Flow(v6=v6, stamps=stamps).handshake().data(0, 100).again(0, 20, first=50).close())
    assert estimates(row) == (20, 0)
    assert (row["orig_rexmit_min"], row["orig_rexmit_max"], row["orig_rexmit_pkts_est"]) == (10, 99, 20)
    assert (row["orig_bytes"], row["resp_bytes"], row["missed_bytes"]) == (100 * FULL, 0, 0)
    assert row["final"] and not row["duplicates"]


def test_nothing_lost_is_no_row(rows):
    assert rows(Flow().handshake().data(0, 1000).data(1, 1000).close()) == []


def test_pure_acknowledgements_with_selective_blocks_count_for_nobody(rows):
    flow = Flow().handshake().data(1, 300).again(1, 30)
    for _ in range(500):
        flow.packet(0, options=STAMP + sack(3))
    (row,) = rows(flow.close())
    assert estimates(row) == (0, 30) and row["orig_rexmit_max"] == 0


def test_a_request_sent_again_does_not_let_selective_blocks_count(rows):
    flow = Flow().handshake().data(0, 1, 200).again(0, 1, 200).data(1, 300).again(1, 30)
    for _ in range(500):
        flow.packet(0, options=STAMP + sack(3))
    (row,) = rows(flow.close())
    assert row["orig_rexmit_bytes_est"] <= 9 * 200 and estimates(row)[1] == 30


@pytest.mark.parametrize("size", [0, 1])
def test_keep_alives_are_no_retransmissions(rows, size):
    flow = Flow(gap_s=30.0).handshake().data(0, 3)
    for _ in range(150):
        flow.packet(0, ACK, size, seq=3 * FULL - 1)
        flow.packet(1)
    assert rows(flow.close()) == []


def test_what_was_lost_before_the_sensor_shows_in_the_bounds(rows):
    flow = Flow().handshake()
    for number in range(200):
        flow.packet(0, ACK, FULL, seen=number % 10 != 5)
        if number % 10 == 9:
            flow.packet(0, ACK, FULL, seq=(number - 4) * FULL)
    (row,) = rows(flow.packet(1).close())
    assert estimates(row) == (0, 0)
    assert (row["orig_rexmit_min"], row["orig_rexmit_pkts_est"]) == (10, 20)


def test_each_packet_twice_is_told_apart(rows):
    (row,) = rows(Flow(copies=2).handshake().data(0, 20).data(1, 30).close())
    assert row["duplicates"] and estimates(row) == (20, 30)
    (row,) = rows(Flow(copies=2).handshake().data(0, 20).again(0, 5).close())
    assert row["duplicates"]


def test_a_very_bad_network_is_no_duplication(rows):
    (row,) = rows(Flow().handshake().data(0, 20).again(0, 20).data(1, 1, 100).close())
    assert not row["duplicates"]


def test_what_the_sensor_missed_is_told_by_direction(rows):
    flow = Flow().handshake().data(0, 50)
    for _ in range(5):
        flow.packet(0, ACK, FULL, seen=False)
    flow.packet(1).data(0, 50).again(0, 12, first=60).data(1, 10)
    (row,) = rows(flow.close())
    assert (row["orig_missed_bytes"], row["resp_missed_bytes"], row["missed_bytes"]) == (5 * FULL, 0, 5 * FULL)
    assert estimates(row) == (12, 0)


@pytest.mark.parametrize("stamps", [False, True])
def test_a_connection_without_a_handshake(rows, stamps):
    """The header is that of the tenth retransmission."""
    (row,) = rows(Flow(stamps=stamps).data(0, 100).again(0, 12).close())
    assert estimates(row) == (12, 0)


def test_a_long_connection_has_rows_before_it_ends(rows):
    flow = Flow(gap_s=0.5).handshake()
    for number in range(20):
        flow.data(0, 40).again(0, 4, first=number * 40)
    found = rows(flow.close())
    assert [row["final"] for row in found] == [False, True]
    live, final = found
    assert live["uid"] == final["uid"] and live["ts"] == final["ts"] and live["duration"] < final["duration"]
    assert 0 < live["orig_rexmit_bytes_est"] < final["orig_rexmit_bytes_est"] and estimates(final) == (80, 0)
