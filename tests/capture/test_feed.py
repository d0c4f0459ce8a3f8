"""What a sensor gets to read, and what is said of what it does not get."""

from __future__ import annotations

import gzip
import io
import os

import pytest

from aegis_enrich.capture.feed import CHUNK_BYTES, Fed, feed


def fed(path):
    out = io.BytesIO()
    said = feed(path, out)
    return out.getvalue(), said


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda d: gzip.compress(d[:500]) + gzip.compress(d[500:])])
def test_all_of_it_plain_or_gzip(made, tmp_path, pack):
    data = made["pcap"](100_000)
    assert len(data) > 2 * CHUNK_BYTES
    (tmp_path / "a").write_bytes(pack(data))
    assert fed(tmp_path / "a") == (data, Fed(100_000))


def test_progress_counts_the_file_s_bytes(made, tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(made["pcap"](50_000)))
    seen = []
    feed(tmp_path / "a", io.BytesIO(), lambda done, size: seen.append((done, size)))
    size = (tmp_path / "a").stat().st_size
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_cut_capture(made, tmp_path):
    (tmp_path / "a").write_bytes(made["pcap"](1_500)[:-1])
    assert fed(tmp_path / "a") == (made["pcap"](1_499), Fed(1_499, "it is cut off after packet 1,499"))


def test_a_cut_gzip_gives_what_comes_before(made, tmp_path):
    packed = gzip.compress(made["pcap"](1, size=100_000)[24:40] + os.urandom(100_000))  # one more packet
    data = made["pcap"](2_000)
    (tmp_path / "a").write_bytes(gzip.compress(data) + packed[: len(packed) // 2])
    passed, said = fed(tmp_path / "a")
    assert passed == data
    assert said == Fed(2_000, "it ends in the middle of its gzip stream")


def test_a_damaged_gzip(made, tmp_path):
    packed = bytearray(gzip.compress(made["pcap"](2_000)))
    packed[-8] ^= 1  # its checksum
    (tmp_path / "a").write_bytes(packed)
    passed, said = fed(tmp_path / "a")
    assert passed == made["pcap"](2_000)
    assert said.problem.startswith("its gzip stream is damaged (CRC check failed")


def test_a_sensor_that_reads_no_further(made, tmp_path):
    (tmp_path / "a").write_bytes(made["pcap"](50_000))
    there, gone = os.pipe()
    os.close(there)
    with os.fdopen(gone, "wb", buffering=0) as out:
        assert "stopped reading" in feed(tmp_path / "a", out).problem
