"""Captures are read and written byte for byte, and a frame's parts are found."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from lab.pcaps import TCP, UDP, Packet, checksum, parts, read, sealed, write

CAPTURES = Path(__file__).parents[1] / "data" / "pcap"
FRAME = bytes(12) + b"\x08\x06" + bytes(46)  # ARP


def test_what_is_written_is_read(tmp_path: Path) -> None:
    packets = [Packet(1_700_000_000_000_001, FRAME), Packet(1_700_000_001_999_999, FRAME * 2)]
    for name in ("a.pcap", "a.pcap.gz"):
        write(tmp_path / name, reversed(packets))
        assert read(tmp_path / name) == packets


def test_a_recorded_capture_comes_out_as_it_went_in(tmp_path: Path) -> None:
    recorded = CAPTURES / "scan_horizontal.pcap.gz"
    write(tmp_path / "again.pcap", read(recorded))
    assert (tmp_path / "again.pcap").read_bytes() == gzip.decompress(recorded.read_bytes())


def test_gzip_keeps_no_time(tmp_path: Path) -> None:
    write(tmp_path / "a.pcap.gz", [Packet(1, FRAME)])
    assert (tmp_path / "a.pcap.gz").read_bytes()[4:8] == bytes(4)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"\x0a\x0d\x0d\x0a" + bytes(40))
    with pytest.raises(ValueError, match="no little-endian pcap"):
        read(path)
    write(path, [Packet(1, FRAME)])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut short"):
        read(path)


@pytest.mark.parametrize("name", ["scan_vertical", "scan_vertical_v6", "loss_download_20_v6", "latency"])
def test_checksums_of_recorded_segments_are_found_again(name: str) -> None:
    segments = [p.data for p in read(CAPTURES / f"{name}.pcap.gz") if (w := parts(p.data)) and w.proto == TCP]
    assert len(segments) > 500
    assert [s for s in segments if sealed(s) != s] == []


def test_both_directions_are_one_flow() -> None:
    flows = {w.flow for p in read(CAPTURES / "loss_0_v6.pcap.gz") if (w := parts(p.data)) and w.proto == TCP}
    assert len(flows) == 2


def test_datagrams_have_payload_after_eight_bytes() -> None:
    udp = [w for p in read(CAPTURES / "dga.pcap.gz") if (w := parts(p.data)) and w.proto == UDP]
    assert udp and all(w.payload == w.transport + 8 and w.version == 4 for w in udp)


def test_other_frames_have_no_parts() -> None:
    assert parts(FRAME) is None
    with pytest.raises(ValueError, match="no TCP"):
        sealed(FRAME)
    later_fragment = bytes(12) + b"\x08\x00\x45" + bytes(5) + b"\x00\x01\x40\x06" + bytes(40)
    assert parts(later_fragment) is None


def test_checksum_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert checksum(b"\x01") == 0xFEFF
