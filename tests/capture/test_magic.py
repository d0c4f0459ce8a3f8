"""A capture is known by its first bytes."""

from __future__ import annotations

import gzip

import pytest

from aegis_enrich.capture.magic import head, is_capture, kind, packet_header, problem


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("magic", "length"), [(0xA1B2C3D4, 16), (0xA1B23C4D, 16), (0xA1B2CD34, 24)])
def test_pcap_in_both_byte_orders(made, order, magic, length):
    data = made["pcap"](1, magic=magic, order=order)
    assert kind(data) == "pcap"
    assert packet_header(data) == ({"little": "<", "big": ">"}[order], length)


@pytest.mark.parametrize("order", ["little", "big"])
def test_pcapng_in_both_byte_orders(made, order):
    assert kind(made["pcapng"](1, order=order)) == "pcapng"


@pytest.mark.parametrize(
    "data", [b"", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a12345678", b"#separator \\x09\n", bytes(64)]
)
def test_what_is_none(data):
    assert kind(data) is None


def test_gzip_is_looked_into(made, tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(made["pcap"](3)))
    assert head(tmp_path / "a") == made["pcap"](3)
    assert is_capture(tmp_path / "a")


def test_a_cut_gzip_has_a_head_all_the_same(made, tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(made["pcap"](3))[:-12])
    assert is_capture(tmp_path / "a")


def test_the_name_does_not_matter(made, tmp_path):
    (tmp_path / "conn.log").write_bytes(made["pcap"](1))
    assert is_capture(tmp_path / "conn.log")
    assert problem(tmp_path / "conn.log") is None


def test_a_folder_is_none(tmp_path):
    assert not is_capture(tmp_path)
    assert problem(tmp_path) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello, world", "is no capture: it begins with 68 65 6c 6c"),
        (b"\xfd7zXZ\x00\x00", "is compressed with xz"),
        (b"\x28\xb5\x2f\xfd\x00", "is compressed with zstd"),
        (b"\x1f\x8bnot gzip at all", "is no capture: it begins with 1f 8b"),
    ],
)
@pytest.mark.parametrize("name", ["a.pcap", "a.PCAPNG", "a.cap.gz", "a.pcap3"])
def test_what_is_called_like_a_capture_and_is_none(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    assert (problem(tmp_path / name) or "").startswith(said)


@pytest.mark.parametrize("name", ["conn.log", "eve.json", "notes.txt"])
def test_other_names_are_no_captures_that_went_wrong(tmp_path, name):
    (tmp_path / name).write_bytes(b"hello, world")
    assert problem(tmp_path / name) is None
