"""Chunks of files and of messages, decoded: bad lines by their bytes, or by their messages."""

from __future__ import annotations

from aegis_enrich.follow import Chunk, LogFile, LogState
from aegis_enrich.pipeline.chunks import decode_chunk

LINES = [b'{"ts":1,"uid":"a"}\n', b"bad\n", b'{"ts":2,"uid":"b"}\n', b'{"ts":"x"}\n']
STATE = LogState("id", "lab", "conn", position=100)


def decoded(**more):
    return decode_chunk(LogFile(STATE), Chunk(STATE, more.pop("data", b"".join(LINES)), STATE, **more))


def test_bad_lines_of_a_file_are_told_by_bytes():
    found = decoded()
    assert found.tables["conn"]["uid"].to_pylist() == ["a", "b"]
    assert [b.offset for b in found.bad] == [100 + len(LINES[0]), 100 + sum(map(len, LINES[:3]))]


def test_bad_lines_of_messages_are_told_by_their_messages():
    found = decoded(numbers=[7, 12, 13, 40], refused=[(3, b"poison", "why")])
    assert found.tables["conn"]["uid"].to_pylist() == ["a", "b"]
    assert [(b.offset, b.line) for b in found.bad] == [(3, b"poison"), (12, b"bad"), (40, b'{"ts":"x"}')]
    assert found.bad[0].reason == "why"


def test_of_messages_without_lines_only_the_refused_are_left():
    found = decoded(data=b"", numbers=[], refused=[(3, b"poison", "why")])
    assert not found.tables and [b.offset for b in found.bad] == [3]
    assert decoded(data=b"", numbers=[]).bad == []
