"""One flush on its way to disk: what it holds, and that it is taken once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from aegis_enrich.decode import BadLine, decode
from aegis_enrich.follow import Follower, LogFile
from aegis_enrich.pipeline.writer import Flush, Waiting, Writer
from aegis_enrich.store import DiskFull


@pytest.fixture
def file(tmp_path: Path, write, probes):
    """A log that waits to be read."""
    write(tmp_path / "logs" / "conn.log", probes(3))
    with Follower({"sensor": [tmp_path / "logs"]}, poll=True) as follower:
        yield follower.pending()[0]


def rows(count: int, source: str = "zeek") -> pa.Table:
    line = b'{"ts":1.0,"uid":"C","id.orig_h":"10.0.0.1"}\n'
    table = decode("conn", line * count, offset=0, context="", sensor="sensor").tables["conn"]
    return table.set_column(table.column_names.index("source"), "source", pa.array([source] * count, pa.string()))


def waiting(file: LogFile, *tables: pa.Table, since_s: float = 1.0, **more: object) -> Waiting:
    held = sum(t.num_rows for t in tables)
    return Waiting(file.state, since_s, tables={"conn": list(tables)}, rows=held, **more)  # type: ignore[arg-type]


def test_a_flush_holds_rows_by_table_sensor_and_source(file) -> None:
    flush = Flush({file: waiting(file, rows(2), rows(3, "suricata"), rows(1))})
    assert [(r.table, r.sensor, r.rows["source"][0].as_py(), r.rows.num_rows) for r in flush.rows()] == [
        ("conn", "sensor", "suricata", 3),
        ("conn", "sensor", "zeek", 3),
    ]
    assert [t.num_rows for t in flush.tables()["conn", "sensor"]] == [2, 3, 1]


def test_a_flush_tells_positions_and_bad_lines(file) -> None:
    bad = [BadLine(7, b"no row", "too few fields")]
    flush = Flush({file: waiting(file, rows(2), bad=bad, reached={"conn": 5})}, [file])
    read, done = flush.progress()
    assert (read.state, read.reached, read.rows, read.bad) == (file.state, {"conn": 5}, 2, 1)
    assert (done.reached, done.rows, done.bad) == ({}, 0, 0)
    (letter,) = flush.dead_letters()
    assert (letter.origin, letter.offset, letter.body) == (file.state.path, 7, b"no row")


def test_what_was_read_since_follows_what_could_not_be_committed(file) -> None:
    first = waiting(file, rows(2), since_s=1.0, reached={"conn": 9, "dns": 1}, future=1)
    first.follow(waiting(file, rows(1), since_s=5.0, reached={"conn": 4, "ssl": 2}, future=2))
    assert [t.num_rows for t in first.tables["conn"]] == [2, 1]
    assert (first.rows, first.future, first.since_s) == (3, 3, 1.0)
    assert first.reached == {"conn": 9, "dns": 1, "ssl": 2}


def test_a_flush_that_is_begun_is_taken_once(file) -> None:
    written: list[int] = []
    writer = Writer(lambda groups: written.append(sum(g.rows.num_rows for g in groups)) or [])
    assert not writer.ready and writer.logs == {} and writer.take() is None
    flush = Flush({file: waiting(file, rows(2))})
    writer.begin(flush)
    assert list(writer.logs) == [file]
    taken = writer.take()
    assert taken is not None and taken[0] is flush
    assert taken[1]() == [] and written == [2]
    assert writer.take() is None and writer.logs == {}
    writer.close()


def test_what_writing_raises_is_raised_where_it_is_taken(file) -> None:
    def write(groups: object) -> list:
        raise DiskFull("no space left")

    writer = Writer(write)
    writer.begin(Flush({file: waiting(file, rows(1))}))
    taken = writer.take()
    assert taken is not None
    with pytest.raises(DiskFull):
        taken[1]()
    writer.close()
