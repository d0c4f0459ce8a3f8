"""A flush that is written beside the reading: committed in order, whole, and taken back where it fails."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aegis_enrich.detect.watermark import Watermarks
from aegis_enrich.enrich import Enrichment
from aegis_enrich.follow import Follower, LogFile, LogState
from aegis_enrich.pipeline import intake as module
from aegis_enrich.pipeline.intake import Intake
from aegis_enrich.pipeline.writer import Flush, Waiting
from aegis_enrich.plugin import HOUR_US, MICROS
from aegis_enrich.store import DiskFull, Store
from aegis_enrich.tables import TABLES

BASE_US = 475_000 * HOUR_US
HEADER = b"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\n#types\ttime\tstring\taddr\n"
LINE_BYTES = 64  # reads so many bytes at once: a line or two
PATIENCE_S = 30


class Disk:
    """A disk that is full while `full`, and that takes its time while `slow`."""

    def __init__(self) -> None:
        self.full = False
        self.go_on = threading.Event()
        self.go_on.set()

    def crash(self, point: str) -> None:
        if point == "segments written":
            assert self.go_on.wait(PATIENCE_S)
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def store(tmp_path: Path, disk: Disk) -> Iterator[Store]:
    with Store(tmp_path / "state", crash=disk.crash) as store:
        yield store


@pytest.fixture
def reading(tmp_path: Path, store: Store, monkeypatch) -> Iterator[Callable[[], Intake]]:
    """An intake of which every flush may run beside the reading, a row being enough for one."""
    monkeypatch.setattr(module, "BESIDE_ROWS", 1)
    with Follower({"sensor": [tmp_path / "logs"]}, poll=True) as follower:
        yield lambda: Intake(
            follower, Enrichment([]), store, Watermarks(600), rows=1, seconds=60, small_seconds=60, small_rows=1
        )


def put(folder: Path, *at_s: float, name: str = "conn.log") -> None:
    """Appends a row at each of these seconds after the hour."""
    folder.mkdir(exist_ok=True)
    with (folder / name).open("ab") as file:
        if not file.tell():
            file.write(HEADER)
        for at in at_s:
            file.write(b"%.6f\tC%g\t10.0.0.1\n" % (BASE_US / MICROS + at, at))


def read(intake: Intake) -> None:
    """Reads until there was a row."""
    before = intake.counts.rows.total()
    while intake.counts.rows.total() == before:
        assert intake.read(LINE_BYTES)


def uids(store: Store) -> list[str]:
    return sorted(u for s in store.segments("conn") for u in pq.read_table(s.path)["uid"].to_pylist())


def test_reading_goes_on_while_segments_are_written(tmp_path, disk, store, reading) -> None:
    put(tmp_path / "logs", *range(6))
    intake = reading()
    disk.go_on.clear()
    read(intake)
    assert intake.flush_due()
    read(intake)
    assert store.progress() == [] and intake.marks.reach("sensor", "conn") is None
    assert intake.marks.of("sensor", ("conn",), now_s=0.0) is None  # its bytes count as unread
    disk.go_on.set()
    while intake.read(LINE_BYTES):
        intake.flush_due()
    intake.flush()
    assert uids(store) == [f"C{n}" for n in range(6)]
    assert [p.rows for p in store.progress()] == [6]
    assert intake.marks.reach("sensor", "conn") == BASE_US + 5 * MICROS


def test_flushes_are_committed_in_the_order_in_which_they_were_read(tmp_path, store, reading) -> None:
    put(tmp_path / "logs", *range(6))
    intake = reading()
    positions = []
    while intake.read(LINE_BYTES):
        intake.flush_due()
        positions += [p.state.position for p in store.progress()]
    intake.flush()
    assert positions == sorted(positions) and len(set(positions)) > 2
    assert [s.number for s in sorted(store.segments("conn"), key=lambda s: s.min_us)] == sorted(
        s.number for s in store.segments("conn")
    )


def test_what_was_begun_is_committed_once_there_is_nothing_more_to_read(tmp_path, store, reading) -> None:
    put(tmp_path / "logs", 1)
    intake = reading()
    read(intake)
    intake.flush_due()
    assert not intake.read(LINE_BYTES)
    intake.flush_due()
    assert uids(store) == ["C1"] and intake.waiting_rows == 0


def test_a_full_disk_beside_the_reading_gives_back_what_was_read(tmp_path, disk, store, reading) -> None:
    put(tmp_path / "logs", *range(4))
    intake = reading()
    disk.full = True
    disk.go_on.clear()
    read(intake)
    assert intake.flush_due()
    read(intake)
    disk.go_on.set()
    before = intake.counts.rows.total()
    for _ in range(3):  # a later call says it, and until there is room every call does
        with pytest.raises(DiskFull):
            intake.flush()
        with pytest.raises(DiskFull):
            intake.flush_due()
    assert (store.progress(), uids(store), intake.waiting_rows) == ([], [], before)
    assert not list((tmp_path / "state" / "lake").glob("*/*/*"))
    disk.full = False
    while intake.read(LINE_BYTES):
        intake.flush_due()
    intake.flush()
    assert uids(store) == [f"C{n}" for n in range(4)] and [p.rows for p in store.progress()] == [4]


def test_a_log_is_done_only_with_its_last_rows(tmp_path, disk, store, reading) -> None:
    logs = tmp_path / "logs"
    put(logs, 1, 2, name="conn.2026-11-21-15-00-00.log")
    put(logs, *range(3, 9))
    intake = reading()
    done: list[tuple[bool, int]] = []
    while intake.read(LINE_BYTES):
        intake.flush_due()
        done += [(p.state.done, p.rows) for p in store.progress() if "15-00-00" in p.state.path]
    intake.follower.finish()
    intake.flush()
    assert all(rows == 2 for is_done, rows in done if is_done)
    assert sorted(p.rows for p in store.progress()) == [2, 6]


def test_a_log_that_is_read_on_while_a_flush_is_written_is_kept_as_it_was() -> None:
    file = LogFile(LogState(id="x", sensor="s", name="conn", position=10, done=True))
    flush = Flush({}, {file: file.state})
    file.state = replace(file.state, position=20, done=False)
    assert [(p.state.position, p.state.done) for p in flush.progress()] == [(10, True)]


def test_what_is_taken_back_comes_before_what_was_read_since() -> None:
    def waiting(uid: str, position: int, reached_us: int) -> Waiting:
        rows = pa.table({"uid": [uid]})
        state = LogState(id="x", sensor="s", name="conn", position=position)
        return Waiting(state, 0.0, {"conn": [rows]}, reached={"conn": reached_us}, rows=1)

    first = waiting("C1", 10, 5)
    first.follow(waiting("C2", 20, 4))
    assert (first.state.position, first.rows, first.reached) == (20, 2, {"conn": 5})
    assert pa.concat_tables(first.tables["conn"])["uid"].to_pylist() == ["C1", "C2"]


def test_a_flush_gives_the_lake_a_part_per_table_sensor_and_source() -> None:
    schema = TABLES["conn"].schema
    rows = pa.Table.from_pylist([{"uid": "C1", "source": "zeek"}, {"uid": "C2", "source": "suricata"}], schema=schema)
    logs = {}
    for sensor in ("a", "b"):
        file = LogFile(LogState(id=sensor, sensor=sensor, name="conn"))
        logs[file] = Waiting(file.state, 0.0, {"conn": [rows]}, rows=2)
    parts = [(r.table, r.sensor, r.rows["uid"].to_pylist()) for r in Flush(logs).rows()]
    assert parts == [("conn", s, [u]) for s in ("a", "b") for u in ("C2", "C1")]
