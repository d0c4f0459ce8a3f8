"""The lake: whole segments or nothing."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.plugin import DAY_US, HOUR_US
from aegis_enrich.store import DeadLetter, DiskFull, Lake, Rows, Store, lake, rows_from

DAY_S = 86_400


@pytest.fixture
def one(tmp_path):
    made = Lake(tmp_path)
    yield made
    made.close()


def test_rows_are_cut_by_date_and_say_their_hours(one, made):
    segments = one.write([Rows("conn", "sensor", made(10, DAY_S - 1, DAY_S, -5))])
    by_date = {s.path.parent.name: s for s in segments}
    assert sorted(by_date) == ["1969-12-31", "1970-01-01", "1970-01-02"]
    first = by_date["1970-01-01"]
    assert (first.rows, first.min_us, first.max_us) == (2, 10_000_000, DAY_US - 1_000_000)
    assert first.hours == (0, 23 * HOUR_US)
    assert by_date["1969-12-31"].hours == (-HOUR_US,)
    assert all(s.bytes == s.path.stat().st_size and s.source == "zeek" and not s.number for s in segments)


def test_a_derived_hour_lies_on_its_date_and_no_rows_make_no_segment(one, made):
    rows = made(1, 2).append_column("hour_us", [[5 * HOUR_US] * 2])
    (segment,) = one.write([Rows("pair_hour", "sensor", rows, 5 * HOUR_US), Rows("conn", "sensor", made())])
    assert (segment.derived, segment.hours, segment.min_us, segment.source) == (True, (5 * HOUR_US,), 5 * HOUR_US, "")


def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def nth(calls, real):
    """`real`, but for its n-th call, which finds no space."""
    left = [calls]

    def called(*args, **kwargs):
        left[0] -= 1
        return no_space() if not left[0] else real(*args, **kwargs)

    return called


STEPS = [
    (lake.pq, "write_table", 1),
    (lake.pq, "write_table", 3),
    (lake, "sync_file", 2),
    (Path, "mkdir", 2),
    (Path, "rename", 1),
    (Path, "rename", 3),
    (lake, "sync_folder", 1),
]


@pytest.mark.parametrize(("owner", "name", "call"), STEPS, ids=lambda p: str(getattr(p, "__name__", p)))
def test_a_full_disk_leaves_nothing_at_any_step(one, made, files, tmp_path, monkeypatch, owner, name, call):
    monkeypatch.setattr(owner, name, nth(call, getattr(owner, name)))
    with pytest.raises(DiskFull, match="make room"):
        one.write([Rows("conn", "sensor", made(1, DAY_S + 1, 2 * DAY_S + 1))])
    assert files(tmp_path) == set()
    monkeypatch.undo()
    assert len(one.write([Rows("conn", "sensor", made(1, DAY_S + 1, 2 * DAY_S + 1))])) == 3


def test_what_was_half_written_goes_with_it(one, made, files, tmp_path, monkeypatch):
    def half(rows, path, **options):
        path.write_bytes(b"PAR1")
        no_space()

    monkeypatch.setattr(lake.pq, "write_table", half)
    with pytest.raises(DiskFull):
        one.write([Rows("conn", "sensor", made(1))])
    assert files(tmp_path) == set()


def test_another_error_is_no_full_disk(one, made, monkeypatch):
    def denied(*args, **kwargs):
        raise OSError(errno.EACCES, "Permission denied", "/there")

    monkeypatch.setattr(lake, "sync_file", denied)
    with pytest.raises(StateError, match="/there: cannot be written: Permission denied") as caught:
        one.write([Rows("conn", "sensor", made(1))])
    assert not isinstance(caught.value, DiskFull)


def test_the_sweep_takes_what_the_manifest_does_not_name(one, made, files, tmp_path):
    kept, stray = one.write([Rows("conn", "sensor", made(1, DAY_S + 1))])
    temporary = kept.path.with_name("half.tmp")
    temporary.touch()
    assert one.sweep({kept.id}) == 2
    assert files(tmp_path) == {kept.path.name}
    assert not stray.path.parent.exists()


@pytest.mark.parametrize("first", [0, 1, 2, 3, 7, 9])
def test_rows_from_begins_anywhere(one, made, tmp_path, first):
    path = tmp_path / "rows.parquet"
    pq.write_table(made(*range(10)), path, row_group_size=3)
    batches = list(rows_from(path, first, 2))
    assert [u for b in batches for u in b.column("uid").to_pylist()] == [f"C{n}" for n in range(first, 10)]
    assert all(0 < b.num_rows <= 2 for b in batches)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_really_full_changes_nothing_and_goes_on_when_there_is_room(small_disk, made, files, uids):
    with Store(small_disk / "state") as store:
        store.flush([Rows("conn", "sensor", made(1))], [])
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
        with pytest.raises(DiskFull):
            store.flush([Rows("conn", "sensor", made(*range(2, 2000)))], [])
        assert uids(store) == ["C1"]
        assert len(files(store.root)) == 1
        with pytest.raises(DiskFull):
            for n in range(5000):
                store.flush([], [], [DeadLetter("conn.log", n, os.urandom(4096), "bad")])
        ballast.unlink()
        letters = store.query("SELECT count(*) FROM dead_letters")[0][0]
        store.flush([Rows("conn", "sensor", made(2))], [], [DeadLetter("conn.log", -1, b"", "bad")])
        assert store.query("SELECT count(*) FROM dead_letters")[0][0] == letters + 1
        assert uids(store) == ["C1", "C2"]
        assert store.query("PRAGMA integrity_check") == [("ok",)]
