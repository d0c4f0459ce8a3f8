"""Bytes go through up to the last whole packet, however they come in pieces."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.capture.records import MOST_BYTES, Records

KINDS = [
    ("pcap", {"order": "little"}),
    ("pcap", {"order": "big"}),
    ("pcap", {"magic": 0xA1B2CD34, "extra": 8}),
    ("pcapng", {"order": "little"}),
    ("pcapng", {"order": "big"}),
]


def through(data: bytes, step: int) -> tuple[bytes, Records]:
    records = Records()
    return b"".join(records.take(data[i : i + step]) for i in range(0, len(data), step)), records


@pytest.mark.parametrize(("name", "options"), KINDS)
@pytest.mark.parametrize("step", [1, 7, 100, 10_000])
def test_a_whole_capture_goes_through(made, name, options, step):
    data = made[name](9, **options)
    passed, records = through(data, step)
    assert (passed, records.packets, records.left, records.damaged) == (data, 9, 0, False)


@pytest.mark.parametrize(("name", "options"), KINDS)
@given(cut=st.integers(1, 75), step=st.integers(1, 300))
def test_a_cut_one_ends_after_a_whole_packet(made, name, options, cut, step):
    passed, records = through(made[name](9, **options)[:-cut], step)
    assert passed == made[name](8, **options)
    assert records.packets == 8
    assert records.left > 0


def test_a_capture_without_packets(made):
    for name in ("pcap", "pcapng"):
        passed, records = through(made[name](0), 10)
        assert (passed, records.packets, records.left) == (made[name](0), 0, 0)


def test_a_length_that_cannot_be_ends_it(made):
    broken = struct.pack("<IIII", 1, 2, MOST_BYTES + 1, 60) + bytes(60)
    passed, records = through(made["pcap"](4) + broken + made["pcap"](4)[24:], 50)
    assert (passed, records.packets, records.damaged) == (made["pcap"](4), 4, True)


@pytest.mark.parametrize("length", [8, 30, MOST_BYTES + 4])
def test_so_does_a_block_s(made, length):
    passed, records = through(made["pcapng"](4) + struct.pack("<II", 6, length) + bytes(90), 50)
    assert (passed, records.packets, records.damaged) == (made["pcapng"](4), 4, True)


def test_sections_may_differ_in_their_byte_order(made):
    data = made["pcapng"](2, order="little") + made["pcapng"](3, order="big")
    passed, records = through(data, 33)
    assert (passed, records.packets) == (data, 5)


def test_another_file_is_refused():
    with pytest.raises(ValueError, match="no capture"):
        Records().take(bytes(100))
