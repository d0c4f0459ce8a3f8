"""The upkeep: small steps that end, in which nothing of what is held is lost."""

from __future__ import annotations

import logging

import pytest

from aegis_enrich.config import Retention
from aegis_enrich.plugin import DAY_US, HOUR_US
from aegis_enrich.store import DiskFull, Holds, Upkeep, compact

NOW = 1_000 * DAY_US


@pytest.fixture
def filled(flush):
    for hour in range(3):
        for n in range(8):
            flush(hour * 3600 + n)
    flush(10 * 3600)


def settle(upkeep, holds=None, *, now_us=NOW):
    """Steps until there is nothing more to do; how many they were."""
    steps = 1
    while upkeep.step(holds or Holds(), now_us=now_us):
        steps += 1
        assert steps < 50
    return steps


def test_a_step_merges_one_group_and_the_last_says_that_all_is_done(store, filled, uids, files):
    before = uids(store)
    upkeep = Upkeep(store, Retention())
    assert settle(upkeep) == 4
    assert uids(store) == before
    assert len(store.segments("conn")) == 4
    assert len(files(store.root)) == 28
    assert settle(upkeep, now_us=NOW + HOUR_US) == 1
    assert len(files(store.root)) == 4


def test_on_a_disk_that_is_nearly_full_replaced_files_go_at_once_and_nothing_is_merged(store, filled, files):
    settle(Upkeep(store, Retention()))
    short = Upkeep(store, Retention(), min_free_bytes=2**62)
    assert settle(short) == 1
    assert len(files(store.root)) == 4


def test_a_full_disk_is_said_and_tried_again(store, filled, monkeypatch, uids):
    before = uids(store)

    def no_space(path):
        raise OSError(28, "No space left on device")

    upkeep = Upkeep(store, Retention())
    with monkeypatch.context() as patched:
        patched.setattr(compact, "sync_file", no_space)
        for _ in range(2):
            with pytest.raises(DiskFull):
                upkeep.step(Holds(), now_us=NOW)
    assert uids(store) == before
    assert settle(upkeep) == 4


def test_a_group_that_cannot_be_merged_holds_up_no_other(store, filled, caplog):
    store.segments("conn")[0].path.write_bytes(b"not a segment")
    upkeep = Upkeep(store, Retention())
    with caplog.at_level(logging.WARNING):
        assert settle(upkeep) == 4
        assert settle(upkeep) == 1
    assert len(store.segments("conn")) == 8 + 2 + 1
    assert [r.getMessage()[:30] for r in caplog.records] == ["conn: 8 segments stay small: P"]


def test_age_and_bytes_and_all_the_rest_go_in_a_step(store, filled):
    with store.transaction() as tx:
        tx.execute("INSERT INTO dead_letters (origin, offset, reason, body) VALUES ('x', 1, '', '')")
    settle(Upkeep(store, Retention(rows_days=5 / 24, dead_letters=0)))
    assert [s.min_us for s in store.segments("conn")] == [10 * HOUR_US]
    assert store.query("SELECT * FROM dead_letters") == []
    settle(Upkeep(store, Retention(max_size="1KB")), Holds(needs={("conn", "sensor"): 0}))
    assert store.segments("conn") == []
    assert store.counters()["retention_lost_windows", "sensor"] == 1


def test_what_a_cursor_has_not_passed_keeps_its_id_until_it_has(store, filled):
    ids = {part.segment for part in store.parts("conn", after=0, limit=100)}
    upkeep = Upkeep(store, Retention())
    settle(upkeep, Holds(rows={"conn": 10}))
    parts = store.parts("conn", after=10, limit=100)
    assert [p.number for p in parts] == list(range(11, 26))
    assert {p.segment for p in parts} < ids
    settle(upkeep, Holds(rows={"conn": 25}))
    assert store.query("SELECT count(*) FROM parts") == [(0,)]
