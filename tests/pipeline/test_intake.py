"""Bytes in, rows and positions out, together: what waits, what is committed when, and what the watermark is told."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from aegis_enrich.detect.watermark import Watermarks
from aegis_enrich.enrich import Enrichment
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.intake import Intake, stream_of
from aegis_enrich.plugin import HOUR_US, MICROS
from aegis_enrich.store import DiskFull, Store

BASE_US = 475_000 * HOUR_US
HEADER = b"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\n#types\ttime\tstring\taddr\n"


class Clock:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state") as store:
        yield store


@pytest.fixture
def reading(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Intake]]:
    """An intake over `logs/`, that goes on from what the store knows."""
    followers = []

    def made(store: Store, **changes: Any) -> Intake:
        sources = {"sensor": [tmp_path / "logs"]}
        follower = Follower(sources, [p.state for p in store.progress()], poll=True, clock=clock)
        followers.append(follower)
        options = {"rows": 1000, "seconds": 5.0, "small_seconds": 60.0, "small_rows": 10} | changes
        return Intake(follower, Enrichment([]), store, Watermarks(600), clock=clock, **options)

    yield made
    for follower in followers:
        follower.close()


def put(path: Path, *at_s: float, tail: bytes = b"") -> None:
    """Appends a row at each of these seconds after the hour, in Zeek's TSV."""
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        if not file.tell():
            file.write(HEADER)
        for at in at_s:
            file.write(b"%.6f\tC%g\t10.0.0.1\n" % (BASE_US / MICROS + at, at))
        file.write(tail)


def uids(store: Store, table: str = "conn") -> list[str]:
    return sorted(u for s in store.segments(table) for u in pq.read_table(s.path)["uid"].to_pylist())


def test_of_one_stream_nothing_is_committed_before_what_was_read_before_it(tmp_path, state, reading, clock) -> None:
    """The few rows that were left of a log when it was rotated would wait longer than the many of the next one."""
    logs = tmp_path / "logs"
    put(logs / "conn.log", 1)
    first = reading(state)
    while first.read():
        pass
    first.flush()
    put(logs / "conn.log", 2)
    (logs / "conn.log").rename(logs / "conn.2024-03-10-04-00-00.log")
    put(logs / "conn.log", *range(1000, 1020))
    put(logs / "ssl.log", 3)
    intake = reading(state)
    while intake.read():
        pass
    clock.now_s += 6
    assert intake.flush_due()
    assert uids(state) == sorted(["C1", "C2", *(f"C{n}" for n in range(1000, 1020))])
    assert intake.waiting_rows == 1  # of another stream


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("every", [1, 3, 7])
def test_what_comes_first_of_a_stream_is_read_to_its_end_first(tmp_path, state, reading, clock, known, every) -> None:
    """After hours without a reader: however reading and commits take turns, the watermark passes no row of old logs."""
    logs = tmp_path / "logs"
    put(logs / "conn.log", 1)
    if known:
        first = reading(state)
        while first.read():
            pass
        first.flush()
    for n in range(3):
        put(logs / "conn.log", *range(2 + 1000 * n, 150 + 1000 * n))
        (logs / "conn.log").rename(logs / f"conn.2024-03-10-0{n}-00-00.log")
    put(logs / "conn.log", *range(5000, 5200))
    rows = [1, *(t for n in range(3) for t in range(2 + 1000 * n, 150 + 1000 * n)), *range(5000, 5200)]
    intake, reads = reading(state), 0
    while intake.read(500):
        reads += 1
        if reads % every == 0:
            intake.flush()
        there = {float(uid[1:]) for uid in uids(state)}
        mark = intake.marks.of("sensor", ["conn"], now_s=clock())
        missing = [t for t in rows if t not in there]
        assert mark is None or not missing or mark <= BASE_US + missing[0] * MICROS
    intake.flush()
    assert len(uids(state)) == len(rows)


def test_a_partition_is_one_log_of_many_tables() -> None:
    assert stream_of("conn", "kafka:zeek/3") == stream_of("dns", "kafka:zeek/3") == "kafka:zeek/3"
    assert (stream_of("conn", ""), stream_of("conn", "worker-1")) == ("conn", "conn-worker-1")


def test_logs_that_share_a_position_are_committed_together(tmp_path, state, reading, clock) -> None:
    put(tmp_path / "logs" / "conn.log", *range(20))
    put(tmp_path / "logs" / "dns.log", 1, 2)
    intake = reading(state)
    while intake.read():
        pass
    logs = list(intake._waiting)
    for log in logs:
        log.together = logs
    clock.now_s += 6  # dns alone would wait for a minute
    assert intake.flush_due()
    assert uids(state) and uids(state, "dns")


def test_rows_and_positions_become_true_together(tmp_path, state, reading) -> None:
    log = tmp_path / "logs" / "conn.log"
    put(log, 1, 2)
    intake = reading(state)
    assert intake.read() and not intake.read()
    assert state.progress() == [] and intake.waiting_rows == 2
    intake.flush()
    (progress,) = state.progress()
    assert (progress.state.position, progress.rows, progress.bad) == (log.stat().st_size, 2, 0)
    assert progress.reached == {"conn": BASE_US + 2 * MICROS}
    assert uids(state) == ["C1", "C2"]


def test_another_run_goes_on_where_this_one_was(tmp_path, state, reading) -> None:
    put(tmp_path / "logs" / "conn.log", 1, 2)
    first = reading(state)
    first.read()
    first.flush()
    put(tmp_path / "logs" / "conn.log", 3)
    second = reading(state)
    while second.read():
        pass
    assert second.counts.rows == {"conn": 1}  # its header is not there to be read again: it is in the context
    second.flush()
    assert uids(state) == ["C1", "C2", "C3"]
    assert [p.rows for p in state.progress()] == [3]


def test_what_was_not_committed_is_read_again(tmp_path, state, reading) -> None:
    put(tmp_path / "logs" / "conn.log", 1, 2)
    reading(state).read()
    again = reading(state)
    again.read()
    again.flush()
    assert uids(state) == ["C1", "C2"]


def test_logs_wait_by_how_much_they_hold(tmp_path, state, reading, clock) -> None:
    put(tmp_path / "logs" / "conn.log", *range(10))
    put(tmp_path / "logs" / "dns.log", 1)
    intake = reading(state)
    while intake.read():
        pass
    clock.now_s += 4.9
    assert not intake.flush_due()
    clock.now_s += 0.1
    assert intake.flush_due()
    assert (len(uids(state)), uids(state, "dns")) == (10, [])
    clock.now_s += 54.9
    assert not intake.flush_due()
    clock.now_s += 0.1
    assert intake.flush_due() and uids(state, "dns") == ["C1"]


def test_rows_of_early_tables_wait_two_seconds_and_are_told_once_they_are_committed(tmp_path, state, reading, clock):
    intake, told = reading(state), []
    intake.early_tables = {"conn"}
    intake.early = lambda table, sensor, rows: told.append((table, sensor, rows.num_rows, uids(state)))
    put(tmp_path / "logs" / "conn.log", 1, 2)
    assert intake.read() and not intake.flush_due()
    clock.now_s += 2.0
    assert told == []
    assert intake.flush_due()
    assert told == [("conn", "sensor", 2, ["C1", "C2"])]


def test_too_many_rows_do_not_wait(tmp_path, state, reading) -> None:
    put(tmp_path / "logs" / "conn.log", *range(12))
    put(tmp_path / "logs" / "dns.log", 1)
    intake = reading(state, rows=13)
    assert intake.read() and not intake.flush_due()
    assert intake.read() and intake.flush_due()
    assert (len(uids(state)), len(uids(state, "dns")), intake.waiting_rows) == (12, 1, 0)


def test_the_log_furthest_behind_is_read_first(tmp_path, state, reading) -> None:
    put(tmp_path / "logs" / "conn.log", 100, 200, 300)
    put(tmp_path / "logs" / "dns.log", 10, 20, 30)
    intake = reading(state)
    order = []
    while intake.read(1):  # a line at a time, headers too
        order += [name for name, rows in intake.counts.rows.items() if rows > order.count(name)]
    assert order == ["conn", "dns", "dns", "dns", "conn", "conn"]


def test_bad_lines_become_dead_letters_with_their_place(tmp_path, state, reading) -> None:
    log = tmp_path / "logs" / "conn.log"
    put(log, 1, tail=b"no row\n")
    put(log, 2)
    intake = reading(state)
    intake.read()
    intake.flush()
    (letter,) = state.query("SELECT origin, offset, body FROM dead_letters")
    assert letter == (str(log), log.read_bytes().index(b"no row"), b"no row")
    assert uids(state) == ["C1", "C2"]
    assert ([p.bad for p in state.progress()], intake.counts.bad) == ([1], {"conn": 1})


def test_unread_bytes_hold_the_watermark_until_they_are_committed(tmp_path, state, reading, clock) -> None:
    put(tmp_path / "logs" / "conn.log", 100)
    intake = reading(state)

    def mark() -> float | None:
        at = intake.marks.of("sensor", ["conn", "dns"], now_s=clock())
        return None if at is None else (at - BASE_US) / MICROS

    intake.read()
    assert mark() is None
    intake.flush()
    assert mark() == 100
    put(tmp_path / "logs" / "dns.log", 50)
    put(tmp_path / "logs" / "conn.log", 200)
    clock.now_s += 700  # conn is silent, but for the bytes that are there
    while intake.read():
        assert mark() is None  # nothing of dns is committed
    intake.flush([f for f in intake._waiting if f.name == "dns"])
    assert mark() == 50
    intake.flush()
    assert mark() == 50
    clock.now_s += 660
    assert mark() == 260


def test_rows_of_the_future_are_kept_and_move_nothing(tmp_path, state, reading) -> None:
    put(tmp_path / "logs" / "conn.log", 1, 3601, 5000, 3600)
    intake = reading(state, wall_us=lambda: BASE_US)
    intake.read()
    intake.flush()
    assert len(uids(state)) == 4
    assert intake.counts.future == 2 == state.counters()["future_rows", "sensor"]
    assert intake.marks.of("sensor", ["conn"], now_s=0) == BASE_US + 3600 * MICROS
    assert [p.reached for p in state.progress()] == [{"conn": BASE_US + 3600 * MICROS}]


def test_rows_of_the_future_alone_hold_nothing(tmp_path, state, reading, clock) -> None:
    put(tmp_path / "logs" / "conn.log", 100_000)
    put(tmp_path / "logs" / "dns.log", 1)
    intake = reading(state, wall_us=lambda: BASE_US)
    while intake.read():
        pass
    intake.flush()
    assert intake.marks.of("sensor", ["conn", "dns"], now_s=clock()) == BASE_US + MICROS


def test_without_a_clock_on_the_wall_no_row_is_of_the_future(tmp_path, state, reading) -> None:
    put(tmp_path / "logs" / "conn.log", 10_000_000)
    intake = reading(state)
    intake.read()
    intake.flush()
    assert intake.counts.future == 0 and intake.marks.reach("sensor", "conn") == BASE_US + 10_000_000 * MICROS


def test_a_full_disk_keeps_what_was_read(tmp_path, reading) -> None:
    full = [True]

    def crash(point: str) -> None:
        if full[0] and point == "segments written":
            raise OSError(errno.ENOSPC, "No space left on device")

    put(tmp_path / "logs" / "conn.log", *range(12))
    with Store(tmp_path / "state", crash=crash) as store:
        intake = reading(store)
        intake.read()
        for _ in range(2):
            with pytest.raises(DiskFull):
                intake.flush()
        assert (store.progress(), intake.waiting_rows) == ([], 12)
        put(tmp_path / "logs" / "conn.log", 12)
        intake.read()
        full[0] = False
        intake.flush()
        assert len(uids(store)) == 13 and [p.rows for p in store.progress()] == [13]


def test_what_is_told_of_rows_is_told_with_them(tmp_path, state, reading) -> None:
    put(tmp_path / "logs" / "conn.log", 1, 2)
    intake = reading(state)
    told = []

    def late(tx, sensor, table, rows) -> int:
        told.append((tx.in_transaction, sensor, table, rows.num_rows))
        return 1

    intake.late = late
    intake.read()
    assert told == []
    intake.flush()
    assert told == [(True, "sensor", "conn", 2)]
    assert intake.counts.late == {"conn": 1}


def test_zeek_and_suricata_lie_in_segments_of_their_own(tmp_path, lab, state, reading) -> None:
    shutil.copytree(lab / "scan_udp" / "tsv", tmp_path / "logs")
    shutil.copy(lab / "scan_udp" / "eve.json.gz", tmp_path / "logs")
    intake = reading(state)
    while intake.read():
        pass
    intake.follower.finish()
    while intake.read():
        pass
    intake.flush()
    assert {s.source for s in state.segments("conn", "sensor")} == {"zeek", "suricata"}
    for segment in state.segments("conn", "sensor"):
        assert set(pq.read_table(segment.path)["source"].to_pylist()) == {segment.source}
    assert state.shown_source("conn", "sensor") == "zeek"


def test_a_log_s_stream_is_its_name_and_node() -> None:
    assert (stream_of("conn", ""), stream_of("conn", "worker-1")) == ("conn", "conn-worker-1")
