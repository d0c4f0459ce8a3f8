"""Whatever a sensor does to its files, and however often the reader starts anew: every line once."""

import gzip
import os
import shutil
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCHEMES = [
    "rename",
    "rename, gzip",
    "gzip elsewhere",
    "move",
    "copytruncate",
    "copytruncate, gzip",
    "numbers",
]


@pytest.mark.parametrize("limit", [1, 100, 5000, 1 << 20])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("restart", [False, True])
def test_every_line_once_through_every_rotation(sensor, reading, scheme, limit, restart) -> None:
    for lines, width in ((3, 30), (80, 90), (1, 9000), (0, 0), (40, 200)):
        sensor.write(lines, width or 60)
        reading.scan()
        reading.read(limit, most=20)
        sensor.write(2)
        if restart:
            reading.restart()
        sensor.rotate(scheme)
        reading.scan()
        reading.read(limit, most=7)
        sensor.write(1)
        reading.scan()
        reading.read(limit)
    reading.finish(limit)
    assert reading.lines == sensor.written
    assert not reading.follower.lost
    assert not reading.follower.unreadable


OPERATIONS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 30), st.sampled_from([20, 80, 300, 6000])),
    st.tuples(st.just("part")),
    st.tuples(st.just("read"), st.sampled_from([1, 64, 1000, 5000, 1 << 20]), st.integers(1, 12)),
    st.tuples(st.just("scan")),
    st.tuples(st.just("tick"), st.sampled_from([1.0, 6.0, 100.0])),
    st.tuples(st.just("rotate"), st.sampled_from(SCHEMES)),
    st.tuples(st.sampled_from(["commit", "restart", "kill"])),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=st.lists(OPERATIONS, min_size=3, max_size=40), header=st.booleans())
def test_every_line_once_whatever_happens(
    operations, header, tmp_path_factory, make_sensor, make_clock, make_reading
) -> None:
    folder = tmp_path_factory.mktemp("any")
    sensor, clock = make_sensor(folder, header=header), make_clock()
    reading = make_reading(folder, clock=clock)
    try:
        for operation, *values in operations:
            match operation:
                case "write":
                    sensor.write(*values)
                case "part":
                    sensor.write_part()
                case "read":
                    reading.read(values[0], most=values[1])
                case "scan":
                    reading.scan()
                case "tick":
                    clock.now += values[0]
                case "rotate":
                    sensor.rotate(*values)
                case "commit" | "restart" | "kill":
                    getattr(reading, operation)()
        sensor.end_part()
        reading.finish()
        assert reading.lines == sensor.written
        assert not reading.follower.lost
        assert not reading.follower.unreadable
    finally:
        reading.follower.close()
        shutil.rmtree(folder)


def test_a_partial_line_waits_for_its_end(sensor, reading) -> None:
    sensor.write(2)
    sensor.write_part()
    assert reading.read()
    assert not reading.follower.pending()
    sensor.end_part()
    assert len(reading.follower.pending()) == 1
    reading.read()
    assert reading.lines == sensor.written


def test_the_last_line_of_an_ended_input_needs_no_newline(tmp_path, start) -> None:
    (tmp_path / "conn.log").write_bytes(b"#path\tconn\n1\ta\n2\tb")
    reading = start(tmp_path)
    assert reading.read() == 1
    assert reading.lines == [b"1\ta\n"]
    reading.finish()
    assert reading.lines == [b"1\ta\n", b"2\tb"]


def test_a_single_line_without_newline_is_a_log_once_the_input_has_ended(tmp_path, start) -> None:
    (tmp_path / "conn.log").write_bytes(b"1\ta")
    reading = start(tmp_path)
    assert not reading.read()
    reading.finish()
    assert reading.lines == [b"1\ta"]


def test_the_last_line_of_an_archive_is_handed_on_after_the_grace(tmp_path, clock, start) -> None:
    archive = tmp_path / "conn.2026-11-21-15-00-00.log"
    archive.write_bytes(b"1\ta\n2\tb")
    with gzip.open(tmp_path / "dns.2026-11-21-15-00-00.log.gz", "wb") as file:
        file.write(b"3\ta\n4\tb")
    reading = start(tmp_path)
    reading.read()
    assert reading.lines == [b"1\ta\n", b"3\ta\n", b"4\tb"]
    clock.now += 61
    reading.read()
    assert reading.lines == [b"1\ta\n", b"2\tb", b"3\ta\n", b"4\tb"]


def test_a_renamed_file_is_read_on_where_no_name_leads_to_it(sensor, reading, tmp_path, clock) -> None:
    sensor.write(3)
    reading.read()
    old = sensor.live
    with old.open("ab") as still_open:
        old.rename(tmp_path / "outside")
        sensor.write(1)
        reading.scan()
        still_open.write(b"90\tlate\n")
        still_open.flush()
        reading.read()
        assert b"90\tlate\n" in reading.lines
        clock.now += 30
        still_open.write(b"91\tlater\n")
    reading.read()
    assert reading.lines[-1] == b"91\tlater\n"
    clock.now += 61
    reading.read()
    assert [log.state.done for log in reading.follower.finished()] == [True]
    assert not reading.follower.lost


def test_a_restarted_zeek_overwrites_its_log_and_what_was_not_read_is_reported(sensor, reading, clock) -> None:
    sensor.write(100, 50)
    reading.scan()
    reading.read(1000, most=1)
    left = sensor.live.stat().st_size - next(iter(reading.states.values())).position
    os.truncate(sensor.live, 0)
    sensor.write(2)
    reading.read()
    assert not reading.follower.lost
    clock.now += 61
    reading.read()
    assert [(lost.name, lost.bytes) for lost in reading.follower.lost] == [("conn", left)]
    assert reading.lines[-2:] == sensor.written[-2:]


def test_a_log_overwritten_while_nobody_read_is_reported(sensor, reading) -> None:
    sensor.write(5)
    reading.read()
    reading.restart()
    os.truncate(sensor.live, 0)
    sensor.write(2)
    reading.finish()
    assert [lost.bytes for lost in reading.follower.lost] == [None]
    assert reading.lines == sensor.written


def test_such_a_loss_is_reported_once_however_often_it_starts_anew(sensor, reading, clock) -> None:
    sensor.write(5)
    reading.read()
    reading.restart()
    os.truncate(sensor.live, 0)
    sensor.write(2)
    told = []
    for _ in range(3):
        clock.now += 61
        reading.read()
        for lost in reading.follower.lost:  # as the engine commits it
            told.append(lost)
            reading.states[lost.log] = replace(reading.states[lost.log], done=True)
        reading.restart()
        sensor.write(1)
    assert [lost.bytes for lost in told] == [None]
    reading.finish()
    assert reading.lines == sensor.written and not reading.follower.lost


@pytest.mark.parametrize("seen", [False, True])
def test_an_archive_that_vanishes_unread_is_reported(tmp_path, start, clock, seen) -> None:
    archive = tmp_path / "conn.2026-11-21-15-00-00.log"
    archive.write_bytes(b"1\ta\n")
    reading = start(tmp_path)
    reading.scan()
    archive.unlink()
    if seen:
        reading.scan()
    assert not reading.follower.pending()
    clock.now += 61
    assert not reading.read()
    assert [(lost.path, lost.bytes) for lost in reading.follower.lost] == [(str(archive), 4)]


def test_a_file_cut_short_by_a_power_loss_goes_on_from_its_end(sensor, reading) -> None:
    sensor.write(200, 60)
    reading.read()
    end = sensor.live.stat().st_size - 1000
    os.truncate(sensor.live, end - (end % 61))
    reading.restart()
    reading.scan()
    assert not reading.read()
    (cut,) = reading.follower.finished()
    assert cut.state.position == sensor.live.stat().st_size
    sensor.write(3)
    reading.follower.scan()
    while pending := reading.follower.pending():
        assert len(pending) == 1
        chunk = reading.follower.read(pending[0], 1 << 20)
        assert chunk is not None
        assert chunk.data.splitlines(keepends=True)[-3:] == sensor.written[-3:]
        assert chunk.data.count(b"\n") == 3


def test_a_copy_in_the_same_tree_is_the_same_log(sensor, reading) -> None:
    sensor.write(100)
    (sensor.folder / "copy").mkdir()
    shutil.copy(sensor.live, sensor.folder / "copy" / "conn.log")
    reading.scan()
    reading.read(100, most=3)
    sensor.write(5)
    reading.restart()
    reading.finish()
    assert reading.lines == sensor.written


def test_nothing_is_read_before_what_is_older_and_may_be_a_copy(tmp_path, start, clock) -> None:
    """An archive that nobody has seen, shorter than the head of a log that is gone: a growing copy looks like that."""
    live = tmp_path / "conn.log"
    live.write_bytes(b"".join(b"%d\ta\n" % n for n in range(100, 1000)))
    reading = start(tmp_path)
    reading.read()
    live.unlink()
    (tmp_path / "conn.2026-11-21-15-00-00.log").write_bytes(b"1000\ta\n")
    live.write_bytes(b"1001\ta\n")
    reading.restart()
    assert not reading.follower.pending()
    assert set(reading.follower.held_back) == {("s", "conn", "")}
    with live.open("ab") as file:
        file.write(b"1002\ta\n")
    assert not reading.follower.pending()
    begun_s = time.monotonic()
    reading.follower.wait(0.3)
    assert time.monotonic() - begun_s >= 0.3, "what has grown is no news while it is not to be read"
    clock.now += 61
    assert [log.live for log in reading.follower.pending()] == [False]
    assert not reading.follower.held_back
    reading.read()
    assert len(reading.lines) == 903


def test_logs_that_begin_alike_and_go_on_differently_are_two(tmp_path, start) -> None:
    head = b"#path\tconn\n#open\t2026\n1\tthe same first line\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "conn.log").write_bytes(head)
    (tmp_path / "b" / "conn.log").write_bytes(head[:30])
    reading = start(tmp_path)
    reading.read()
    (tmp_path / "a" / "conn.log").write_bytes(head + b"2\ta\n")
    (tmp_path / "b" / "conn.log").write_bytes(head + b"3\tb\n" * 3)
    reading.finish()
    assert set(reading.lines) == {b"1\tthe same first line\n", b"2\ta\n", b"3\tb\n"}


def test_files_of_just_the_same_header_have_no_identity_yet(tmp_path, start) -> None:
    header = b"#path\tconn\n#open\t2026\n"
    for node in ("1", "2"):
        (tmp_path / f"conn_worker-{node}.log").write_bytes(header)
    reading = start(tmp_path)
    reading.scan()
    assert not reading.read()
    for node in ("1", "2"):
        (tmp_path / f"conn_worker-{node}.log").write_bytes(header + node.encode() + b"\ta\n")
    reading.finish()
    assert reading.lines == [b"1\ta\n", b"2\ta\n"]
    assert {s.node for s in reading.states.values()} == {"worker-1", "worker-2"}


def test_an_archive_that_is_still_being_copied_is_not_read_again(sensor, reading, clock) -> None:
    sensor.write(20)
    reading.read()
    data = sensor.live.read_bytes()
    reading.restart()
    sensor.live.unlink()
    copy = sensor.folder / "conn.2026-11-21-15-00-00.log"
    for end in (300, 700, len(data)):
        copy.write_bytes(data[:end])
        reading.scan()
        assert not reading.read()
    clock.now += 100
    reading.finish()
    assert reading.lines == sensor.written


def test_a_gzip_archive_that_is_still_being_written_is_waited_for(tmp_path, start, clock) -> None:
    data = b"".join(b"%d\t%s\n" % (i, os.urandom(40).hex().encode()) for i in range(2000))
    packed = gzip.compress(data)
    archive = tmp_path / "conn.2026-11-21-15-00-00.log.gz"
    reading = start(tmp_path)
    for end in range(1, len(packed), 9973):
        archive.write_bytes(packed[:end])
        reading.scan()
        reading.read(700)
    archive.write_bytes(packed)
    reading.scan()
    reading.read(700)
    assert b"".join(reading.contents.values()) == data
    assert next(iter(reading.states.values())).done
    assert not reading.follower.unreadable


def test_a_truncated_archive_is_read_as_far_as_it_goes_and_named(tmp_path, start) -> None:
    data = b"".join(b"%d\t%s\n" % (i, os.urandom(40).hex().encode()) for i in range(2000))
    archive = tmp_path / "conn.2026-11-21-15-00-00.log.gz"
    archive.write_bytes(gzip.compress(data)[:-20000])
    reading = start(tmp_path)
    reading.finish()
    assert data.startswith(b"".join(reading.contents.values()))
    assert len(reading.lines) > 1000
    assert "middle of its gzip stream" in reading.follower.unreadable[str(archive)]


def test_a_damaged_archive_is_named(tmp_path, start) -> None:
    archive = tmp_path / "conn.2026-11-21-15-00-00.log.gz"
    archive.write_bytes(b"\x1f\x8bnot gzip at all")
    reading = start(tmp_path)
    reading.finish()
    assert "damaged" in reading.follower.unreadable[str(archive)]


def test_live_logs_of_one_name_are_read_side_by_side(tmp_path, start) -> None:
    """Two folders of one sensor: while one of them has ever more to read, the other does not wait."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "conn.log").write_bytes(b"1\t%s\n" % folder.encode())
    reading = start(tmp_path / "a", tmp_path / "b")
    assert [log.path.parent.name for log in reading.follower.pending()] == ["a", "b"]


def test_archives_come_first_and_the_oldest_of_them(tmp_path, start) -> None:
    (tmp_path / "conn.log").write_bytes(b"4\ta\n")
    day = tmp_path / "2026-11-21"
    day.mkdir()
    with gzip.open(day / "conn.15:00:00-16:00:00.log.gz", "wb") as file:
        file.write(b"3\ta\n")
    (tmp_path / "conn.2026-11-20-15-00-00.log").write_bytes(b"1\ta\n")
    reading = start(tmp_path)
    (tmp_path / "dns.2026-11-22-15-00-00.log").write_bytes(b"5\ta\n")
    pending = reading.follower.pending()
    assert [(log.name, log.live) for log in pending] == [("conn", False), ("dns", False)]
    assert pending[0].path.name == "conn.2026-11-20-15-00-00.log"
    assert reading.follower.lag_bytes > 4 * 4
    reading.read()
    assert b"".join(reading.contents.values()) == b"1\ta\n3\ta\n5\ta\n4\ta\n"
    assert reading.follower.lag_bytes == 0


def test_a_new_state_leaves_old_archives_out_and_a_known_one_begins_where_it_began(tmp_path, start) -> None:
    for day in range(18, 22):
        (tmp_path / f"conn.2026-11-{day}-15-00-00.log").write_bytes(b"%d\ta\n" % day)
    (tmp_path / "conn.log").write_bytes(b"30\ta\n")
    reading = start(tmp_path, back_us=24 * 3600 * 1_000_000)
    reading.read()
    assert reading.lines == [b"20\ta\n", b"21\ta\n", b"30\ta\n"]
    assert reading.follower.older == 2
    reading.restart()
    for day in range(22, 25):
        (tmp_path / f"conn.2026-11-{day}-15-00-00.log").write_bytes(b"%d\ta\n" % day)
    reading.read()
    assert [line[:2] for line in reading.lines] == [b"20", b"21", b"22", b"23", b"24", b"30"]


def test_what_was_decided_of_archives_counts_where_none_of_them_was_committed(tmp_path, start) -> None:
    for day in range(18, 22):
        (tmp_path / f"conn.2026-11-{day}-15-00-00.log").write_bytes(b"%d\ta\n" % day)
    (tmp_path / "conn.log").write_bytes(b"30\ta\n")
    reading = start(tmp_path, back_us=24 * 3600 * 1_000_000)
    reading.read()
    reading.committed = {n: state for n, state in reading.states.items() if state.path.endswith("/conn.log")}
    reading.options["floors"] = dict(reading.follower.floors)
    reading.kill()
    reading.read()
    assert reading.lines == [b"20\ta\n", b"21\ta\n", b"30\ta\n"]


def test_since_is_by_the_name_else_by_mtime(tmp_path, start) -> None:
    since_us = 1_795_219_200_000_000  # 2026-11-21
    (tmp_path / "conn.2026-11-20-15-00-00.log").write_bytes(b"1\ta\n")
    (tmp_path / "conn.2026-11-21-15-00-00.log").write_bytes(b"2\ta\n")
    for number, age_s in ((1, -10), (2, 10)):
        path = tmp_path / f"dns.log.{number}"
        path.write_bytes(b"%d\ta\n" % (2 + number))
        os.utime(path, (since_us / 1e6 - age_s, since_us / 1e6 - age_s))
    reading = start(tmp_path, since_us=since_us)
    reading.read()
    assert reading.lines == [b"2\ta\n", b"3\ta\n"]


def test_a_file_by_itself_is_known_by_its_path_line_its_name_or_its_contents(tmp_path, start) -> None:
    files = {
        "labeled-conn.log": b"#path\tconn\n1\ta\n",
        "download.txt": b"#separator \\x09\n#path\tdns\n2\ta\n",
        "open_http.log": b'{"_path": "http", "ts": 1}\n',
        "mine.log": b'{"_path":"ssl","ts":1}\n',
        "suricata": b'{"timestamp":"2026","event_type":"flow"}\n',
        "stats.log": b"#path\tstats\n1\n",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    reading = start(*(tmp_path / name for name in files))
    reading.read()
    assert {s.path.rsplit("/")[-1]: s.name for s in reading.states.values()} == {
        "labeled-conn.log": "conn",
        "download.txt": "dns",
        "open_http.log": "open_http",
        "mine.log": "ssl",
        "suricata": "eve",
    }
    assert list(reading.follower.skipped) == ["stats"]


def test_other_logs_of_a_folder_are_named_once_and_skipped(tmp_path, start) -> None:
    for name in (
        "stats.log",
        "stats.2026-11-21-15-00-00.log",
        "labeled-conn.log",
        "conn.log.zst",
        "notes.txt",
        ".x.log",
    ):
        (tmp_path / name).write_bytes(b"1\ta\n")
    reading = start(tmp_path)
    reading.finish()
    assert not reading.lines
    assert sorted(reading.follower.skipped) == ["labeled-conn", "stats"]
    assert list(reading.follower.unreadable) == [str(tmp_path / "conn.log.zst")]


def test_what_cannot_be_found_is_said(tmp_path, start) -> None:
    reading = start(tmp_path / "nowhere")
    assert not reading.read()
    assert reading.follower.unreadable == {str(tmp_path / "nowhere"): "No such file or directory"}
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "conn.log").write_bytes(b"1\ta\n")
    reading.scan()
    reading.read()
    assert reading.lines == [b"1\ta\n"]
    assert not reading.follower.unreadable


def test_zeekctl_current_is_a_link_to_the_spool(tmp_path, make_sensor, start) -> None:
    sensor = make_sensor(tmp_path / "spool" / "zeek")
    logs = tmp_path / "logs"
    (logs / "2026-11-21").mkdir(parents=True)
    (logs / "current").symlink_to(sensor.folder)
    sensor.write(50)
    reading = start(logs)
    reading.read(1000, most=2)
    sensor.live.rename(sensor.folder / "conn-26-11-21_15.00.00.log")
    sensor.write(1)
    reading.scan()
    reading.read(500, most=2)
    old = sensor.folder / "conn-26-11-21_15.00.00.log"
    with gzip.open(logs / "2026-11-21" / "conn.15:00:00-16:00:00-logger-1.log.gz", "wb") as file:
        file.write(old.read_bytes())
    old.unlink()
    reading.restart()
    reading.finish()
    assert reading.lines == sensor.written
    assert not reading.follower.lost


def test_several_sensors_keep_their_logs_apart(tmp_path, clock) -> None:
    from aegis_enrich.follow import Follower

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "conn.log").write_bytes(b"1\tthe same\n")
    sources = {name: [tmp_path / name] for name in ("a", "b")}
    with Follower(sources, clock=clock, poll=True) as follower:
        assert sorted(log.sensor for log in follower.pending()) == ["a", "b"]


def test_an_inode_that_is_used_again_is_another_log(sensor, reading) -> None:
    for _ in range(5):
        sensor.write(3)
        reading.scan()
        reading.read()
        reading.restart()
        sensor.live.unlink()
        sensor.write(4)
        reading.scan()
        reading.read()
    assert reading.lines == sensor.written


def test_a_long_line_is_read_whole(tmp_path, start) -> None:
    line = b"1\t" + b"x" * 3_000_000 + b"\n"
    (tmp_path / "conn.log").write_bytes(line + b"2\ta\n")
    reading = start(tmp_path)
    assert reading.read(10) == 2
    assert reading.lines == [line, b"2\ta\n"]


def test_logs_that_are_long_gone_are_forgotten(sensor, reading, clock) -> None:
    for _ in range(3):
        sensor.write(5)
        sensor.rotate("rename, gzip")
        reading.scan()
        reading.read()
    for archive in sensor.folder.glob("*.gz"):
        archive.unlink()
    reading.scan()
    assert len(list(reading.follower._finder.known)) == 3
    clock.now += 8 * 86_400
    reading.scan()
    assert not list(reading.follower._finder.known)


def test_what_was_written_by_others_is_left_alone(sensor, reading) -> None:
    sensor.write(10)
    sensor.rotate("rename, gzip")
    sensor.write(10)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in sensor.folder.rglob("*") if p.is_file()}
    reading.finish()
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in sensor.folder.rglob("*") if p.is_file()} == before
