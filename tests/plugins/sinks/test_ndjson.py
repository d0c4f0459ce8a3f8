"""The NDJSON file: whole lines, each revision once, whatever happened to the file or to us."""

from __future__ import annotations

import errno
import json
import os

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
    os.truncate(path, max(int(mark), path.stat().st_size - cut))
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
