"""A merged segment says which commits it holds, however often it was merged."""

from __future__ import annotations

import pytest

from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store import Segment, Store, compact, holds

LATER = {"sensor": 2 * HOUR_US}


def merge(store: Store) -> None:
    parts = compact.due(store, LATER)
    compact.put_in_place(store, parts, compact.merge(store.lake, parts), now_us=0, passed=None)


def test_a_segment_holds_its_own_commit(store, flush):
    flush(1)
    (segment,) = store.segments("conn")
    assert list(holds.held(segment.path, segment.number)) == [segment.number] == [1]


def test_a_merged_one_holds_those_of_its_parts_and_of_theirs(store, flush):
    for n in range(8):
        flush(n)
        flush(n, table="dns")
    merge(store)
    (merged,) = store.segments("conn")
    assert list(holds.held(merged.path, merged.number)) == [1, 3, 5, 7, 9, 11, 13, 15]
    for n in range(7):
        flush(100 + n)
    merge(store)
    (again,) = store.segments("conn")
    assert list(holds.held(again.path, again.number)) == [1, 3, 5, 7, 9, 11, 13, 15, *range(17, 24)]
    assert again.number == 23


def test_a_file_that_is_gone_holds_nothing_that_could_be_said(store, flush):
    flush(1)
    (segment,) = store.segments("conn")
    segment.path.unlink()
    with pytest.raises(FileNotFoundError):
        holds.held(segment.path, segment.number)


def test_what_is_told_is_small(tmp_path, monkeypatch):
    parts = [Segment("", "conn", "s", "zeek", tmp_path, 1, 1, 0, 0, (), number=n) for n in range(0, 34_560, 2)]
    monkeypatch.setattr(holds, "held", lambda path, number: [number])
    assert len(holds.metadata(parts)[holds.KEY]) < 1_000  # a day of flushes every five seconds
