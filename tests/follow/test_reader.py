import gzip
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.follow import reader as module
from aegis_enrich.follow.reader import open_reader

DATA = b"".join(b"%d\t%s\n" % (n, random.Random(n).randbytes(n % 200).hex().encode()) for n in range(20_000))
FORMS = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1),
    "gzip of two members": lambda data: gzip.compress(data[:70_001]) + gzip.compress(data[70_001:]),
    "gzip with padding": lambda data: gzip.compress(data, 1) + bytes(512),
}


@pytest.fixture(scope="module", params=FORMS)
def written(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("reader") / "conn.log"
    path.write_bytes(FORMS[request.param](DATA))
    reader = open_reader(str(path))
    yield reader
    reader.close()


@given(offset=st.integers(0, len(DATA) + 10), size=st.integers(0, 300_000))
def test_any_part_of_it_can_be_had(written, offset, size) -> None:
    assert written.peek(offset, size) == DATA[offset : offset + size]


@given(offset=st.integers(0, len(DATA) - 1), limit=st.sampled_from([1, 50, 4096, 1 << 20]))
def test_lines_are_whole_and_at_least_one(written, offset, limit) -> None:
    lines = written.lines(offset, limit, last=False)
    assert lines.endswith(b"\n")
    assert DATA[offset:].startswith(lines)
    assert len(lines) <= limit or lines.count(b"\n") == 1


def test_its_end_is_known(written) -> None:
    assert written.peek(len(DATA), 1) == b""
    assert written.ended == written.gz
    assert not written.error


def test_gzip_that_grows_a_byte_at_a_time(tmp_path) -> None:
    data, path = DATA[:3000], tmp_path / "conn.log.gz"
    packed = gzip.compress(data)
    path.write_bytes(packed[:2])
    reader = open_reader(str(path))
    assert reader is not None
    with path.open("ab", buffering=0) as file:
        for byte in packed[2:]:
            assert not reader.ended
            assert data.startswith(reader.peek(0, 5000))
            file.write(bytes([byte]))
    assert reader.peek(0, 5000) == data
    assert reader.ended
    reader.close()


def test_a_file_that_is_written_anew_is_not_intact(tmp_path) -> None:
    path = tmp_path / "conn.log"
    path.write_bytes(b"1\ta\n")
    reader = open_reader(str(path))
    assert reader is not None
    with path.open("ab") as file:
        file.write(b"2\tb\n")
    assert reader.intact()
    os.truncate(path, 4)
    assert not reader.intact()
    with path.open("ab") as file:
        file.write(b"3\tc\n" * 3)
    assert not reader.intact()
    reader.close()


def test_a_line_over_the_limit_comes_in_pieces(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "LINE_BYTES", 256 * 1024)
    path = tmp_path / "conn.log"
    path.write_bytes(b"x" * 600_000 + b"\n")
    reader = open_reader(str(path))
    assert reader is not None
    pieces, at = [], 0
    while reader.find_line(at, -1)[0]:
        pieces.append(reader.lines(at, 10, last=False))
        at += len(pieces[-1])
    assert at == 600_001
    assert max(map(len, pieces)) == 256 * 1024
    reader.close()


def test_what_is_no_file_is_not_opened(tmp_path) -> None:
    os.mkfifo(tmp_path / "conn.log")
    assert open_reader(str(tmp_path / "conn.log")) is None
    with pytest.raises(FileNotFoundError):
        open_reader(str(tmp_path / "dns.log"))


def test_a_piece_says_whether_its_line_goes_on(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "LINE_BYTES", 100_000)
    path = tmp_path / "conn.log"
    path.write_bytes(b"x" * 200_000)
    reader = open_reader(str(path))
    assert reader is not None
    first = reader.lines(0, 10, last=True)
    assert (len(first), reader.is_cut(first, 100_000)) == (100_000, True)
    second = reader.lines(100_000, 10, last=True)
    assert (len(second), reader.is_cut(second, 200_000)) == (100_000, False)
    reader.close()


def test_very_short_lines_come_so_many_at_a_time(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "LINES", 10)
    path = tmp_path / "conn.log"
    path.write_bytes(b"x\n" * 25)
    reader = open_reader(str(path))
    assert reader is not None
    assert [len(reader.lines(at, 1000, last=False)) for at in (0, 20, 40)] == [20, 20, 10]
    reader.close()


def test_what_follows_a_gzip_stream_is_told(tmp_path) -> None:
    for name, after, said in (("a.gz", b"\0" * 99, ""), ("b.gz", b"junk", "what follows its gzip stream is none")):
        (tmp_path / name).write_bytes(gzip.compress(b"1\n") + after)
        reader = open_reader(str(tmp_path / name))
        assert reader is not None
        assert (reader.peek(0, 100), reader.ended, reader.error) == (b"1\n", True, said)
        reader.close()
