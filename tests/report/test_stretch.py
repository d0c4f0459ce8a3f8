import json

import pytest

from aegis_enrich.plugin import DAY_US, HOUR_US, MICROS
from aegis_enrich.report import stretch as module
from aegis_enrich.report.stretch import stretch
from aegis_enrich.store import Store


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path) as opened:
        yield opened


def add(store, *segments, derived=0):
    """(first, last, rows) each, in hours."""
    with store.transaction() as tx:
        for first, last, rows in segments:
            hours = json.dumps([h * HOUR_US for h in range(int(first), int(last) + 1)])
            tx.execute(
                "INSERT INTO segments (segment_id, tbl, sensor, source, path, rows, bytes, min_us, max_us, hours,"
                " derived, committed) VALUES (?, 'conn', 's', 'zeek', '', ?, 0, ?, ?, ?, ?, 1)",
                [f"{first}-{rows}-{derived}", rows, int(first * HOUR_US), int(last * HOUR_US), hours, derived],
            )


def test_no_rows_no_stretch(store):
    assert stretch(store, None, None) is None
    add(store, (1, 2, 10), derived=1)
    assert stretch(store, None, None) is None


def test_it_is_from_the_first_row_to_the_last(store):
    add(store, (1.5, 2.5, 10), (3, 4.25, 10))
    found = stretch(store, None, None)
    assert (found.start_us, found.end_us) == (int(1.5 * HOUR_US), 15_360 * MICROS)
    assert found.bucket_us == 120 * MICROS
    assert found.buckets <= module.BUCKETS + 1
    assert (found.rows, found.outside) == (20, 0)


def test_what_a_long_silence_divides_is_not_one(store):
    far = 50 * 365 * 24
    add(store, (0, 0.5, 100), (far, far + 1, 1000))
    assert stretch(store, None, None).start_us == far * HOUR_US
    found = stretch(store, None, None, near_us=HOUR_US // 2)
    assert (found.start_us, found.rows, found.outside) == (0, 100, 1000)
    assert found.end_us <= HOUR_US


def test_it_keeps_to_what_is_asked_for(store):
    add(store, (0, 9, 100))
    found = stretch(store, 2 * HOUR_US, 4 * HOUR_US)
    assert (found.start_us, found.end_us) == (2 * HOUR_US, 4 * HOUR_US)
    assert stretch(store, 20 * HOUR_US, None) is None


def test_of_too_many_rows_the_newest_hours(store, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 250)
    add(store, *((h, h + 0.9, 100) for h in range(5)))
    found = stretch(store, None, None)
    assert (found.start_us, found.rows, found.outside) == (3 * HOUR_US, 200, 300)


def test_one_hour_is_read_however_many_rows_it_has(store, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 250)
    add(store, (3, 3.5, 1000))
    assert stretch(store, None, None).rows == 1000
    assert module.SILENCE_US == 30 * DAY_US
