"""The NDJSON file: whole lines, each revision once, whatever happened to the file or to us."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_enrich.errors import ConfigError, SinkError
from aegis_enrich.plugin import Document
from aegis_plugins.sinks.ndjson import Ndjson


def doc(name, revision=1):
    return Document("alert", name, revision, {"event": {"id": name}, "aegis": {"revision": revision}, "x": "é"})


def keys(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(d["event"]["id"], d["aegis"]["revision"]) for d in map(json.loads, lines)]


def opened(path, mark=""):
    sink = Ndjson(path)
    sink.resume(mark)
    return sink


def test_the_file_is_made_even_where_nothing_is_delivered(tmp_path):
    opened(tmp_path / "deep" / "out.ndjson").close()
    assert (tmp_path / "deep" / "out.ndjson").read_bytes() == b""


def test_a_folder_that_cannot_be_written_is_said_at_the_start(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        Ndjson(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(written=st.integers(0, 4), cut=st.integers(0, 400))
def test_killed_anywhere_each_revision_is_there_once(tmp_path, written, cut):
    """The file may end anywhere behind the acknowledged length: in a line, at its end, after more lines."""
    path = tmp_path / "out.ndjson"
    path.unlink(missing_ok=True)
    first = opened(path)
    first.deliver([doc("a")])
    mark = first.mark()
    first.deliver([doc(f"b{n}") for n in range(written)])
    first.close()
    os.truncate(path, max(int(mark.split()[0]), path.stat().st_size - cut))
    second = opened(path, mark)
    outcomes = second.deliver([doc(f"b{n}") for n in range(4)])
    second.close()
    assert keys(path) == [("a", 1), *((f"b{n}", 1) for n in range(4))]
    assert {o for o, _ in outcomes} <= {"stored", "there"}


def test_a_newer_revision_is_another_line(tmp_path):
    path = tmp_path / "out.ndjson"
    sink = opened(path)
    sink.deliver([doc("a", 1)])
    sink.close()
    sink = opened(path)
    sink.deliver([doc("a", 1), doc("a", 2)])
    sink.close()
    assert keys(path) == [("a", 1), ("a", 2)]


def test_it_goes_on_in_a_new_file_where_the_old_one_was_moved_away(tmp_path):
    path = tmp_path / "out.ndjson"
    sink = opened(path)
    sink.deliver([doc("a")])
    path.rename(tmp_path / "out.ndjson.1")
    sink.deliver([doc("b")])
    sink.close()
    assert keys(tmp_path / "out.ndjson.1") == [("a", 1)]
    assert keys(path) == [("b", 1)]


def test_a_file_that_is_shorter_than_it_was_is_read_from_its_start(tmp_path):
    path = tmp_path / "out.ndjson"
    path.write_text(json.dumps(doc("a").body) + "\n", encoding="utf-8")
    sink = opened(path, "5000")
    sink.deliver([doc("a"), doc("b")])
    sink.close()
    assert keys(path) == [("a", 1), ("b", 1)]


def test_lines_of_others_stay(tmp_path):
    path = tmp_path / "out.ndjson"
    path.write_text("hello\n[]\n", encoding="utf-8")
    sink = opened(path)
    sink.deliver([doc("a")])
    sink.close()
    assert path.read_text(encoding="utf-8").splitlines()[:2] == ["hello", "[]"]


def test_a_full_disk_leaves_no_half_line_and_all_comes_again(tmp_path, monkeypatch):
    path = tmp_path / "out.ndjson"
    sink = opened(path)
    sink.deliver([doc("a")])
    write = os.write
    calls = []

    def full(handle, data):
        calls.append(1)
        if len(calls) == 1:
            return write(handle, bytes(data[:7]))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SinkError, match="make room"):
        sink.deliver([doc("b")])
    monkeypatch.setattr(os, "write", write)
    assert keys(path) == [("a", 1)]
    sink.deliver([doc("b")])
    assert keys(path) == [("a", 1), ("b", 1)]
    sink.close()


def test_what_was_written_and_not_acknowledged_is_not_written_again_by_this_process(tmp_path):
    sink = opened(tmp_path / "out.ndjson")
    sink.deliver([doc("a"), doc("b")])
    assert [o for o, _ in sink.deliver([doc("a"), doc("b"), doc("c")])] == ["there", "there", "stored"]
    sink.close()
    assert keys(tmp_path / "out.ndjson") == [("a", 1), ("b", 1), ("c", 1)]


# Rotation


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


def rotating(path, mark="", **settings):
    sink = Ndjson({"path": path, **settings}, now_s=Clock())
    sink.resume(mark)
    return sink


def written(folder, name="out.ndjson"):
    """Ids by file, the newest file first."""
    files = [folder / name, *(folder / f"{name}.{n}" for n in range(1, 20))]
    return [[id_ for id_, _ in keys(f)] for f in files if f.exists()]


LINE_BYTES = 60


def test_by_size_it_is_moved_aside_before_it_grows_beyond_and_so_many_are_kept(tmp_path):
    sink = rotating(tmp_path / "out.ndjson", size=str(2 * LINE_BYTES), keep=3)
    for n in range(9):
        sink.deliver([doc(f"{n}")])
    sink.close()
    assert written(tmp_path) == [["8"], ["6", "7"], ["4", "5"], ["2", "3"]]
    assert all(p.stat().st_size <= 2 * LINE_BYTES for p in tmp_path.iterdir())


def test_a_batch_is_never_parted_and_one_that_is_too_large_has_a_file_of_its_own(tmp_path):
    sink = rotating(tmp_path / "out.ndjson", size="1")
    for batch in ("ab", "c", "def"):
        sink.deliver([doc(name) for name in batch])
    sink.close()
    assert written(tmp_path) == [["d", "e", "f"], ["c"], ["a", "b"]]


def test_by_time_the_first_line_of_another_day_begins_a_file_after_a_restart_too(tmp_path):
    path = tmp_path / "out.ndjson"
    yesterday = rotating(path, every="day")
    yesterday.deliver([doc("a")])
    mark = yesterday.mark()
    yesterday.close()
    os.utime(path, (Clock.now, Clock.now))
    today = rotating(path, mark, every="day")
    today.deliver([doc("b")])
    os.utime(path, (Clock.now, Clock.now))
    today._now_s.now += 86_400
    today.deliver([])  # nothing to write, nothing to begin
    assert written(tmp_path) == [["a", "b"]]
    today.deliver([doc("c")])
    today.close()
    assert written(tmp_path) == [["c"], ["a", "b"]]


@pytest.mark.parametrize("acknowledged", [0, 1, 2])
def test_killed_around_a_rotation_each_revision_is_there_once(tmp_path, acknowledged):
    """The mark is that of the batch before the rotation, of the first in the new file, or of the second."""
    path = tmp_path / "out.ndjson"
    first = rotating(path, size=str(2 * LINE_BYTES))
    first.deliver([doc("x"), doc("y")])
    marks = [first.mark()]
    for name in "ab":
        first.deliver([doc(name)])
        marks.append(first.mark())
    first.close()
    second = rotating(path, marks[acknowledged], size=str(2 * LINE_BYTES))
    second.deliver([doc(name) for name in "ab"[acknowledged:]] + [doc("c")])
    second.close()
    assert sorted(id_ for file in written(tmp_path) for id_ in file) == ["a", "b", "c", "x", "y"]


def test_killed_before_an_acknowledgement_and_moved_aside_by_logrotate_nothing_doubles(tmp_path):
    path = tmp_path / "out.ndjson"
    first = opened(path)
    first.deliver([doc("a")])
    mark = first.mark()
    first.deliver([doc("b")])
    first.close()
    path.rename(tmp_path / "out.ndjson.1")
    second = opened(path, mark)
    second.deliver([doc("b"), doc("c")])
    second.close()
    assert written(tmp_path) == [["c"], ["a", "b"]]


def test_another_file_of_the_same_length_is_not_taken_for_the_old_one(tmp_path):
    path = tmp_path / "out.ndjson"
    first = opened(path)
    first.deliver([doc("a")])
    mark = first.mark()
    first.close()
    path.write_bytes(json.dumps(doc("b").body).encode() + b"\n")
    second = opened(path, mark)
    assert second.deliver([doc("b")]) == [("there", "")]
    second.close()


def test_killed_while_it_moves_files_aside_no_file_but_the_oldest_goes(tmp_path, monkeypatch):
    for killed in range(4):  # of the four moves
        folder = tmp_path / str(killed)
        sink = rotating(folder / "out.ndjson", size="1", keep=4)
        for n in range(5):
            sink.deliver([doc(f"{n}")])
        moves = [0]
        replace = Path.replace

        def dying(self, target, *, moves=moves, killed=killed, replace=replace):
            if moves[0] == killed:
                raise KeyboardInterrupt
            moves[0] += 1
            return replace(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", dying)
            with contextlib.suppress(KeyboardInterrupt):
                sink.deliver([doc("new")])
            mark = sink.mark()
        sink.close()
        again = rotating(folder / "out.ndjson", mark, size="1", keep=4)
        again.deliver([doc("new")])
        again.close()
        assert {id_ for file in written(folder) for id_ in file} >= {"new", "4", "3", "2", "1"}
