"""Compaction: fewer files, the same rows, whatever happens on the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.plugin import DAY_US, HOUR_US
from aegis_enrich.store import DiskFull, Rows, Store, compact, rows_from
from aegis_enrich.store.lake import no_crash
from aegis_enrich.tables import TABLES

DAY_S = 86_400
LATER = {"sensor": 2 * HOUR_US}


def go(store, newest=None, *, now_us=0, passed=None):
    """Merges whatever is due; how many times."""
    times = 0
    while parts := compact.due(store, newest or LATER):
        compact.put_in_place(store, parts, compact.merge(store.lake, parts), now_us=now_us, passed=passed)
        times += 1
    return times


def sizes(store, table="conn"):
    return sorted(s.rows for s in store.living("tbl = ?", [table]))


def test_eight_segments_of_an_hour_become_one(store, flush, uids):
    for n in range(8):
        flush(10 * n, 10 * n + 1)
    before = uids(store)
    assert go(store, now_us=77) == 1
    (merged,) = store.segments("conn")
    assert (merged.rows, merged.min_us, merged.max_us, merged.hours) == (16, 0, 71_000_000, (0,))
    assert merged.bytes == merged.path.stat().st_size
    assert pq.read_table(merged.path)["uid"].to_pylist() == [f"C{t}" for n in range(8) for t in (10 * n, 10 * n + 1)]
    assert uids(store) == before
    assert store.query("SELECT count(*), min(tombstone_us) FROM segments WHERE tombstone_us IS NOT NULL") == [(8, 77)]
    assert go(store) == 0


def test_seven_do_not_nor_an_hour_that_is_not_over(store, flush):
    for n in range(7):
        flush(n)
    assert go(store) == 0
    flush(7)
    assert go(store, {"sensor": 2 * HOUR_US - 1}) == 0
    assert go(store, {"other": 9 * HOUR_US}) == 0
    assert go(store, {"sensor": 2 * HOUR_US}) == 1


def test_only_what_is_of_one_kind_becomes_one(store, flush):
    for n in range(4):
        flush(n)
        flush(n, source="suricata")
        flush(n, sensor="other")
        flush(n, table="dns")
        flush(n + 3600)
    assert go(store, {"sensor": 9 * HOUR_US, "other": 9 * HOUR_US}) == 0


def test_the_hours_of_a_date_become_one_in_the_end(store, flush, uids, monkeypatch):
    monkeypatch.setattr(compact, "LEAST", 3)
    for hour in (0, 5, 23):
        for n in range(3):
            flush(hour * 3600 + n)
    before, hours = uids(store), store.hours(("conn",), "sensor")
    assert go(store, {"sensor": DAY_US + 5 * HOUR_US}) == 3
    assert go(store, {"sensor": DAY_US + 6 * HOUR_US}) == 1
    assert sizes(store) == [9]
    assert (uids(store), store.hours(("conn",), "sensor")) == (before, hours)


def test_derived_hours_become_one_and_keep_their_hours(store):
    schema = pa.schema([("n", pa.int64()), ("sensor", pa.string()), ("hour_us", pa.int64())])
    for hour in range(24):
        rows = pa.table({"n": [hour], "sensor": ["sensor"], "hour_us": [hour * HOUR_US]}, schema=schema)
        store.commit_derived("pair_hour", "sensor", hour * HOUR_US, rows, "hour:pair_hour")
    assert go(store, {"sensor": 2 * DAY_US}) == 1
    (merged,) = store.segments("pair_hour")
    assert (merged.derived, merged.min_us, merged.max_us, len(merged.hours)) == (True, 0, 23 * HOUR_US, 24)
    assert store.derived_view("pair_hour", "sensor", 3 * HOUR_US, 5 * HOUR_US, schema).rows == 24


def test_rows_before_the_epoch_have_their_hour_too(store, flush, uids):
    for n in range(8):
        flush(-10 - n)
        flush(10 + n)
    assert go(store, {"sensor": 1 * HOUR_US}) == 1
    assert sizes(store) == [1] * 8 + [8]


def test_what_is_large_stays_and_what_is_merged_has_a_limit(store, flush, monkeypatch):
    for n in range(20):
        flush(n)
    size = max(s.bytes for s in store.segments("conn"))
    monkeypatch.setattr(compact, "MERGED_BYTES", 10 * size)
    monkeypatch.setattr(compact, "SMALL_BYTES", size + 1)
    assert go(store) == 2
    assert sizes(store) == [10, 10]
    monkeypatch.setattr(compact, "SMALL_BYTES", 1)
    assert go(store) == 0


def test_columns_that_came_later_are_null_before(store, made, flush):
    for n in range(7):
        flush(n)
    later = made(7).append_column("asked", pa.array(["x"]).dictionary_encode()).append_column("n", [[5]])
    store.flush([Rows("conn", "sensor", later)], [])
    assert go(store) == 1
    rows = pq.read_table(store.segments("conn")[0].path)
    assert rows["asked"].to_pylist() == [None] * 7 + ["x"]
    assert rows["asked"].type == pa.string()
    assert rows["n"].to_pylist() == [None] * 7 + [5]


def test_the_rows_are_the_same_column_by_column(store, made):
    made_of = [
        made(
            *range(n * 300, n * 300 + 200),
            orig_h=[f"10.0.{n}.{i % 9}" for i in range(200)],
            orig_bytes=[None if i % 3 else i for i in range(200)],
            duration=[i / 7 for i in range(200)],
            tunnel_parents=[["a", "b"] if i % 2 else None for i in range(200)],
        )
        for n in range(10)
    ]
    for rows in made_of:
        store.flush([Rows("conn", "sensor", rows)], [])
    assert go(store) == 1
    held = pq.read_table(store.segments("conn")[0].path)
    assert held.cast(TABLES["conn"].schema).equals(pa.concat_tables(made_of))


def test_large_groups_go_through_small_buffers(store, flush, monkeypatch, uids):
    monkeypatch.setattr(compact, "ROW_GROUP", 10)
    monkeypatch.setattr(compact, "BATCH_ROWS", 3)
    for n in range(9):
        flush(*range(n * 20, n * 20 + 7))
    before = uids(store)
    assert go(store) == 1
    assert uids(store) == before
    meta = pq.read_metadata(store.segments("conn")[0].path)
    assert max(meta.row_group(n).num_rows for n in range(meta.num_row_groups)) <= 12


def test_parts_that_went_meanwhile_leave_all_as_it_was(store, flush, uids, files):
    for n in range(8):
        flush(n)
    parts = compact.due(store, LATER)
    merged = compact.merge(store.lake, parts)
    with store.transaction() as tx:
        tx.execute("UPDATE segments SET tombstone_us = 5 WHERE segment_id = ?", [parts[3].id])
    with pytest.raises(StateError, match="went while"):
        compact.put_in_place(store, parts, merged, now_us=9, passed=None)
    assert len(uids(store)) == 7
    assert len(files(store.root)) == 8


def test_a_full_disk_leaves_nothing(store, flush, uids, files, monkeypatch):
    for n in range(8):
        flush(n)

    def no_space(*args, **kwargs):
        raise OSError(28, "No space left on device")

    for owner, name in ((pq.ParquetWriter, "write_table"), (compact, "sync_file"), (compact, "sync_folder")):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, no_space)
            with pytest.raises(DiskFull):
                go(store)
        assert (len(uids(store)), len(files(store.root))) == (8, 8)
    assert go(store) == 1


# Cursors of log rows


def deliver(store, after, *, until=None):
    """(id, uid) of the rows that a cursor at (number, rows of the next part) delivers next, and the cursor then."""
    number, done = after
    taken = []
    while parts := store.parts("conn", after=number, limit=1):
        part = parts[0]
        batches = rows_from(part.path, part.first_row + done, part.rows - done)
        for n, uid in enumerate((u for b in batches for u in b.column("uid").to_pylist()), done):
            if n == part.rows:
                break
            if len(taken) == until:
                return taken, (number, n)
            taken.append((f"{part.segment}-{n}", uid))
        number, done = part.number, 0
    return taken, (number, 0)


@pytest.mark.parametrize("stop", range(0, 28, 3))
def test_a_cursor_anywhere_goes_on_with_the_same_ids_in_the_same_order(store, flush, stop):
    for n in (5, 2, 7, 1, 0, 3, 4, 6, 8):
        flush(n, n + 0.25, n + 0.5)
    whole, _ = deliver(store, (0, 0))
    first, cursor = deliver(store, (0, 0), until=stop)
    assert go(store, passed=cursor[0]) == 1
    flush(100)
    rest, _ = deliver(store, cursor)
    assert (first + rest)[:-1] == whole
    assert rest[-1][1] == "C100"
    assert store.rows_after("conn", cursor[0]) == len(rest) + cursor[1]


def test_a_part_of_a_part_is_still_the_same(store, flush):
    for n in range(16):
        flush(n, n + 0.5)
    flush(3600)
    whole, _ = deliver(store, (0, 0))
    first, cursor = deliver(store, (0, 0), until=3)
    ids = [s.id for s in store.segments("conn")]
    for chosen in (ids[8:16], ids[:8]):
        parts = [s for s in store.segments("conn") if s.id in chosen]
        compact.put_in_place(store, parts, compact.merge(store.lake, parts), now_us=0, passed=cursor[0])
    parts = store.segments("conn")
    compact.put_in_place(store, parts, compact.merge(store.lake, parts), now_us=0, passed=cursor[0])
    assert sizes(store) == [33]
    rest, end = deliver(store, cursor)
    assert first + rest == whole
    compact.forget_parts(store, {"conn": cursor[0]})
    assert store.query("SELECT count(*) FROM parts") == [(17,)]
    compact.forget_parts(store, {"conn": end[0]})
    assert store.query("SELECT count(*) FROM parts") == [(0,)]
    assert deliver(store, end) == ([], end)


def test_what_every_cursor_has_passed_is_not_delivered_again(store, flush):
    for n in range(8):
        flush(n)
    _, end = deliver(store, (0, 0))
    assert go(store, passed=end[0]) == 1
    assert store.query("SELECT count(*) FROM parts") == [(0,)]
    assert deliver(store, end) == ([], end)
    flush(50)
    assert [uid for _, uid in deliver(store, end)[0]] == ["C50"]
    new, _ = deliver(store, (0, 0))  # a sink that comes later gets them under the ids of the merged one
    assert sorted(uid for _, uid in new) == sorted([*(f"C{n}" for n in range(8)), "C50"])
    assert len({id_.split("-")[0] for id_, _ in new}) == 2


# Crashes

FILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import make
from aegis_enrich.store import Holds, Rows, Store, Upkeep
from aegis_enrich.config import Retention
armed = False
def crash(point):
    if armed and point == sys.argv[3]:
        os._exit(9)
store = Store(Path(sys.argv[2]), crash=crash)
for n in range(8):
    store.flush([Rows("conn", "sensor", make(n))], [])
store.flush([Rows("conn", "sensor", make(3 * 3600))], [])
armed = True
upkeep = Upkeep(store, Retention())
upkeep.step(Holds(), now_us=10**15)
upkeep.step(Holds(), now_us=2 * 10**15)
"""
POINTS = ["merged written", "merged renamed", "before commit", "after commit", "tombstone unlinked"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_in_it_the_manifest_is_the_files_after_the_sweep(tmp_path, uids, point):
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", FILLED, here, str(tmp_path / "state"), point]
    assert subprocess.run(command, check=False).returncode == 9
    with Store(tmp_path / "state") as store:
        expected = sorted([f"C{n}" for n in range(8)] + ["C10800"])
        assert uids(store) == expected
        check_files(store)
        go(store)
        assert uids(store) == expected


def check_files(store):
    """Every file is named, and every segment that lives has its file."""
    named = dict(store.query("SELECT segment_id, tombstone_us FROM segments"))
    there = {p.stem for p in (store.root / "lake").rglob("*") if p.is_file()}
    assert there <= set(named)
    assert {s for s, tombstone in named.items() if tombstone is None} <= there


class Killed(BaseException):
    pass


@pytest.mark.parametrize("point", ["segments written", "segment renamed", "before commit", "after commit"])
@pytest.mark.parametrize("kind", [Killed, RuntimeError])
def test_a_flush_that_ends_anywhere_is_whole_or_nothing(tmp_path, made, uids, point, kind):
    store = Store(tmp_path)
    store.flush([Rows("conn", "sensor", made(1))], [])

    def crash(at):
        if at == point:
            raise kind(at)

    store.crash = store.lake.crash = crash
    with pytest.raises(kind, match=point):
        store.flush([Rows("conn", "sensor", made(2, DAY_S + 2))], [])
    store.crash = store.lake.crash = no_crash
    store.close()
    with Store(tmp_path) as again:
        assert uids(again) == (["C1", "C2", f"C{DAY_S + 2}"] if point == "after commit" else ["C1"])
        check_files(again)
