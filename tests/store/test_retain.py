"""Retention: by age in event time, by bytes, and what is counted when something still needed it."""

from __future__ import annotations

import logging

import pytest

from aegis_enrich.config import Retention
from aegis_enrich.plugin import DAY_US, HOUR_US, Document
from aegis_enrich.store import compact, retain
from aegis_enrich.store.letters import refuse

DAY_S = 86_400
NOW = 1_000 * DAY_US


def left(store, table="conn"):
    return [s.max_us // DAY_US for s in store.living("tbl = ? ORDER BY max_us --", [table])]


def remove(store, segments, *, needs=None, held=None):
    retain.remove(store, segments, now_us=NOW, needs=needs or {}, held=held or {})


def age(store, **ages):
    retention = Retention(**ages)
    remove(store, retain.old_segments(store, retention, retain.newest(store, NOW)))


def test_rows_go_by_their_age_back_from_the_newest_of_their_sensor(store, flush):
    for day in (1, 5, 9, 10):
        flush(day * DAY_S + 10)
    flush(10, sensor="of old logs")
    age(store, rows_days=5)
    assert left(store) == [0, 5, 9, 10]
    age(store, rows_days=0.5)
    assert left(store) == [0, 10]


def test_rows_of_the_future_age_nothing(store, flush):
    flush(990 * DAY_S)
    flush(1001 * DAY_S)
    assert retain.newest(store, NOW) == {"sensor": 990 * DAY_US}
    flush(1000 * DAY_S + 3600)
    assert retain.newest(store, NOW) == {"sensor": NOW + HOUR_US}
    age(store, rows_days=5)
    assert left(store) == [1000, 1001]


def test_derived_tables_have_an_age_of_their_own(store, flush, made):
    for day in (1, 50, 100):
        flush(day * DAY_S)
        store.commit_derived("pair_hour", "sensor", day * DAY_US, made(1), "hour:pair_hour")
    age(store, rows_days=10, derived_days=60)
    assert (left(store), left(store, "pair_hour")) == ([100], [50, 100])


def test_the_oldest_rows_go_where_the_lake_is_too_large_and_derived_tables_last(store, flush, made):
    for day in (3, 1, 2, 4):
        flush(day * DAY_S)
    store.commit_derived("pair_hour", "sensor", 0, made(1), "hour:pair_hour")
    (derived,) = store.segments("pair_hour")
    sizes = [s.bytes for s in store.segments("conn")]
    remove(store, retain.excess_segments(store, derived.bytes + sum(sizes)))
    assert len(left(store)) == 4
    remove(store, retain.excess_segments(store, derived.bytes + sum(sizes) - sizes[0] - 1))
    assert (left(store), len(left(store, "pair_hour"))) == ([3, 4], 1)
    remove(store, retain.excess_segments(store, derived.bytes - 1))
    assert (left(store), left(store, "pair_hour")) == ([], [])


def test_files_stay_an_hour_for_those_who_read_them(store, flush, files):
    flush(1)
    path = store.segments("conn")[0].path
    remove(store, store.segments("conn"))
    assert retain.unlink_replaced(store, now_us=NOW + HOUR_US - 1) == 0
    assert path.exists()
    assert retain.unlink_replaced(store, now_us=NOW + HOUR_US) == 1
    assert (files(store.root), store.query("SELECT * FROM segments")) == (set(), [])
    assert retain.unlink_replaced(store, now_us=NOW + HOUR_US) == 0


def test_numbers_go_on_after_all_is_gone(store, flush):
    flush(1)
    flush(2)
    remove(store, store.segments("conn"))
    retain.unlink_replaced(store, now_us=NOW, grace_us=0)
    flush(3)
    assert store.segments("conn")[0].number == 3


def test_rows_that_an_open_window_needs_are_an_error_and_counted_by_hour(store, flush, caplog):
    for hour in (0, 1, 1.5, 2, 3):
        flush(hour * 3600)
        flush(hour * 3600, table="dns")
    needs = {("conn", "sensor"): HOUR_US + HOUR_US // 4, ("dns", "sensor"): 9 * HOUR_US, ("conn", "other"): 0}
    segments = store.living("1", [])
    with caplog.at_level(logging.ERROR):
        remove(store, [s for s in segments if s.max_us <= HOUR_US], needs=needs)
        assert not caplog.records
        remove(store, [s for s in segments if HOUR_US < s.max_us <= 2 * HOUR_US], needs=needs)
        remove(store, [s for s in segments if s.max_us > 2 * HOUR_US and s.table == "dns"], needs=needs)
    assert store.counters()["retention_lost_windows", "sensor"] == 2
    assert [r.getMessage().split(";")[0] for r in caplog.records] == [
        "sensor: retention.max_size removed rows of 2 hours that detectors had not seen yet"
    ]


def test_log_rows_that_were_not_delivered_are_counted(store, flush, caplog):
    for n in range(8):
        flush(n, n + 0.5)
    parts = compact.due(store, {"sensor": DAY_US})
    compact.put_in_place(store, parts, compact.merge(store.lake, parts), now_us=0, passed=5)
    flush(9)
    with caplog.at_level(logging.ERROR):
        remove(store, store.segments("conn"), held={"conn": 5})
    assert store.counters()["retention_undelivered_rows", ""] == 7
    assert "7 log rows" in caplog.text
    assert store.query("SELECT count(*) FROM parts") == [(0,)]


def alert(tx, alert_id, *, status="closed", last_us=0, closes_us=0, pending=0, revisions=1, queued_us=0):
    tx.execute(
        "INSERT INTO alerts VALUES (?, 'rule', 'detector', 0, ?, ?, ?, 47, 0.5, 0, ?, '{}', '{}', ?, 0, 1, '')",
        [alert_id, closes_us, status, revisions, last_us, pending],
    )
    tx.execute("INSERT INTO findings VALUES (?, 'detector', 'sensor', ?, '{}', 0, '{}')", [alert_id, last_us])
    for revision in range(1, revisions + 1):
        tx.execute(
            "INSERT INTO outbox (kind, id, revision, queued_us, body) VALUES ('alert', ?, ?, ?, '{}')",
            [alert_id, revision, queued_us],
        )


def ids(store, table):
    return sorted(r[0] for r in store.query(f"SELECT alert_id FROM {table}"))


def test_closed_alerts_go_with_their_findings_and_open_ones_stay(store):
    with store.transaction() as tx:
        alert(tx, "old")
        alert(tx, "withdrawn", status="withdrawn")
        alert(tx, "open", status="open")
        alert(tx, "changed", pending=1)
        alert(tx, "seen lately", last_us=6 * DAY_US)
        alert(tx, "closed lately", closes_us=6 * DAY_US)
        tx.executemany("INSERT INTO late_windows VALUES ('s', 'd', ?, 1)", [(0,), (6 * DAY_US,)])
        store.note_failed_window(tx, "s", "d", 0, 1, "why")
    newest = {"sensor": 15 * DAY_US, "of old logs": 0}
    assert retain.forget_alerts(store, Retention(alerts_days=10), newest) == 2
    kept = ["changed", "closed lately", "open", "seen lately"]
    assert (ids(store, "alerts"), ids(store, "findings")) == (kept, kept)
    assert store.query("SELECT hour_us FROM late_windows") == [(6 * DAY_US,)]
    assert store.query("SELECT * FROM windows_failed") == []
    assert retain.forget_alerts(store, Retention(alerts_days=10), {}) == 0


def test_an_incident_that_became_part_of_another_is_known_as_long_as_that(store):
    with store.transaction() as tx:
        alert(tx, "old")
        for name, status, into, last_us in (
            ("taken in", "merged", "goes on", 0),
            ("goes on", "closed", "", 6 * DAY_US),
            ("forgotten", "merged", "over", 0),
            ("over", "closed", "", 0),
        ):
            tx.execute(
                "INSERT INTO incidents VALUES (?, 0, ?, 47, 50, ?, ?, 1, '{}', 0, 0)", (name, last_us, status, into)
            )
    assert retain.forget_alerts(store, Retention(alerts_days=10), {"sensor": 15 * DAY_US}) == 1
    assert {i for (i,) in store.query("SELECT incident_id FROM incidents")} == {"taken in", "goes on"}


@pytest.mark.parametrize(
    ("delivered", "kept"),
    [
        ({"alert": 5}, [("a", 3), ("b", 2), ("c", 1), ("c", 2)]),
        ({}, [("a", 3), ("b", 2), ("c", 1), ("c", 2)]),
        ({"alert": 2}, [("a", 3), ("b", 2), ("c", 1), ("c", 2)]),
    ],
)
def test_the_outbox_keeps_the_newest_revision_and_what_is_young(store, delivered, kept):
    with store.transaction() as tx:
        alert(tx, "a", revisions=3)
        alert(tx, "b", revisions=2)
        alert(tx, "c", revisions=2, queued_us=NOW - 6 * HOUR_US)
    assert retain.forget_documents(store, now_us=NOW, delivered=delivered) == 7 - len(kept)
    assert store.query("SELECT id, revision FROM outbox ORDER BY seq") == kept
    undelivered = 1 if delivered == {"alert": 2} else 0  # b's first, which a sink has not passed
    assert store.counters().get(("outbox_superseded", ""), 0) == undelivered


def test_a_sink_that_is_away_makes_the_outbox_no_larger_than_its_alerts(store):
    """A thousand revisions of an alert, none delivered: the newest stays, the others are counted."""
    with store.transaction() as tx:
        alert(tx, "a", revisions=1_500)
    while retain.forget_documents(store, now_us=NOW, delivered={"alert": 0}):
        pass
    assert store.query("SELECT id, revision FROM outbox") == [("a", 1_500)]
    assert store.counters()["outbox_superseded", ""] == 1_499


def health(tx, number, queued_us=0):
    for n in range(number):
        tx.execute(
            "INSERT INTO outbox (kind, id, revision, queued_us, body) VALUES ('health', ?, 1, ?, '{}')",
            [f"sensor-{n}", queued_us],
        )


@pytest.mark.parametrize(("delivered", "left"), [({}, 0), ({"alert": 0}, 0), ({"health": 3}, 7), ({"health": 0}, 10)])
def test_health_documents_go_once_those_who_take_them_have_them(store, delivered, left):
    with store.transaction() as tx:
        health(tx, 10)
    retain.forget_documents(store, now_us=NOW, delivered=delivered)
    assert store.query("SELECT count(*) FROM outbox") == [(left,)]
    assert "outbox_dropped_health" not in {name for name, _ in store.counters()}


def test_of_a_sink_that_is_away_the_oldest_health_documents_go_and_no_alert(store, monkeypatch):
    monkeypatch.setattr(retain, "HEALTH_DOCUMENTS", 4)
    with store.transaction() as tx:
        alert(tx, "a")
        health(tx, 10, NOW)
        alert(tx, "b")
    retain.forget_documents(store, now_us=NOW, delivered={"alert": 0, "health": 0})
    assert [i for (i,) in store.query("SELECT id FROM outbox ORDER BY seq")] == [
        "a",
        *(f"sensor-{n}" for n in range(6, 10)),
        "b",
    ]
    assert store.counters()["outbox_dropped_health", ""] == 6


def test_the_outbox_forgets_an_alert_that_is_gone_once_it_is_delivered(store):
    with store.transaction() as tx:
        alert(tx, "a")
        alert(tx, "b")
        tx.execute("DELETE FROM alerts")
    retain.forget_documents(store, now_us=NOW, delivered={"alert": 1})
    assert store.query("SELECT id FROM outbox") == [("b",)]


def test_the_clock_of_the_outbox_is_the_wall_clock_in_microseconds(store):
    with store.transaction() as tx:
        tx.execute("INSERT INTO outbox (kind, id, revision, body) VALUES ('alert', 'a', 1, '{}')")
    queued_us = store.query("SELECT queued_us FROM outbox")[0][0]
    assert isinstance(queued_us, int)
    assert 1_700_000_000 * 10**6 < queued_us < 10_000_000_000 * 10**6


def test_the_newest_dead_letters_stay(store):
    with store.transaction() as tx:
        for n in range(10):
            tx.execute("INSERT INTO dead_letters (origin, offset, reason, body) VALUES ('x', ?, '', '')", [n])
    assert retain.forget_dead_letters(store, 3) == 7
    assert store.query("SELECT offset FROM dead_letters ORDER BY 1") == [(7,), (8,), (9,)]
    assert retain.forget_dead_letters(store, 3) == 0


def test_bad_lines_drive_out_no_refused_document(store):
    refused = [Document("alert", f"a{n}", 1, {"text": "x" * 100}) for n in range(4)]
    with store.transaction() as tx:
        refuse(tx, "es:here", [(d, n, "no") for n, d in enumerate(refused)])
        for n in range(10):
            tx.execute("INSERT INTO dead_letters (origin, offset, reason, body) VALUES ('x', ?, '', '')", [n])
    assert retain.forget_dead_letters(store, 4) == 6
    assert store.query("SELECT count(*) FROM dead_letters WHERE kind = 'alert'") == [(4,)]
    assert retain.forget_dead_letters(store, 4, most_bytes=250) == 2
    assert store.query("SELECT doc_id FROM dead_letters WHERE kind = 'alert' ORDER BY 1") == [("a2",), ("a3",)]
