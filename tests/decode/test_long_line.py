"""A line that comes in pieces is one dead letter, wherever it is cut, and harms no line around it."""

from __future__ import annotations

from aegis_enrich.decode import BadLine, decode
from aegis_enrich.decode.long_line import LongLine

HEADER = b"#fields\tts\tuid\n#types\ttime\tstring\n"
LONG = bytes(range(256)).replace(b"\n", b"") * 40


def read(*chunks: tuple[bytes, bool]):
    rows, bad, lines, context, offset = [], [], 0, "", 100
    for data, cut in chunks:
        found = decode("conn", data, offset=offset, context=context, sensor="s", cut=cut)
        rows += [uid for table in found.tables.values() for uid in table["uid"].to_pylist()]
        bad += found.bad
        lines, context, offset = lines + found.lines, found.context, offset + len(data)
    return rows, bad, lines


def test_pieces_are_one_dead_letter_between_rows():
    before, after = HEADER + b"1\tC1\n", b"\n2\tC2\n"
    whole = BadLine(100 + len(before), LONG[:4096], f"a line of {len(LONG) + 1:,} bytes is too long to be read")
    for size in (1, 5_000, 9_999):
        pieces = [LONG[i : i + size] for i in range(0, len(LONG), size)] if size > 1 else [LONG[:1], LONG[1:]]
        chunks = [(before, False), *((p, True) for p in pieces), (after, False)]
        assert read(*chunks) == (["C1", "C2"], [whole], 3)


def test_the_log_may_end_in_it():
    rows, bad, lines = read((LONG, True), (b"end", False))
    assert (rows, lines) == ([], 1)
    assert bad == [BadLine(100, LONG[:4096], f"a line of {len(LONG) + 3:,} bytes is too long to be read")]


def test_it_travels_as_text():
    long = LongLine(7).with_piece(b"\xff\0\n")
    assert LongLine.from_context(long.to_context()) == long
    assert "\n" not in long.to_context()
    assert LongLine.from_context("") is None
