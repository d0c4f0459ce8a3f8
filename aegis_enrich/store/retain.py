"""Retention: what is older than its age goes, and the oldest rows go where the lake is larger than it may be.

Ages count in event time back from the newest row: of the sensor for rows and derived tables, so that old logs of one
sensor can be read beside live ones of another, and of all sensors for alerts. Rows from the future move nothing.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from ..config import Retention, size_bytes
from ..plugin import DAY_US, HOUR_US
from .lake import Segment
from .letters import KEPT_BYTES
from .state import Store, add

log = logging.getLogger(__name__)

TOMBSTONE_US = HOUR_US  # wall clock: how long the file of a replaced segment stays for those who read it
OUTBOX_US = 6 * HOUR_US  # wall clock: how long the outbox keeps what is not the newest revision
HEALTH_DOCUMENTS = 50_000  # of the outbox: five weeks of one sensor, about 40 MB
NOBODY = 2**62  # the position that all sinks have passed where there is none
FUTURE_US = HOUR_US
AT_ONCE = 1_000  # rows or segments a transaction

Needs = Mapping[tuple[str, str], int]  # (table, sensor) -> the least event time that an open window needs


def newest(store: Store, now_us: int) -> dict[str, int]:
    """Sensor -> how far its rows reach; those ahead of the wall clock are left out."""
    return dict(
        store.query(
            "SELECT sensor, max(max_us) FROM segments WHERE tombstone_us IS NULL AND max_us <= ? GROUP BY sensor",
            [now_us + FUTURE_US],
        )
    )


def old_segments(store: Store, ages: Retention, newest: Mapping[str, int]) -> list[Segment]:
    """Those all of whose rows are older than they may be."""
    found: list[Segment] = []
    for sensor, newest_us in newest.items():
        for derived, days in ((0, ages.rows_days), (1, ages.derived_days)):
            cut = newest_us - int(days * DAY_US)
            found += store.living("sensor = ? AND derived = ? AND max_us < ?", [sensor, derived, cut])
    return found[:AT_ONCE]


def excess_segments(store: Store, max_bytes: int) -> list[Segment]:
    """The oldest segments, as many as lie over the lake's size; derived tables go when no rows are left."""
    if store.query("SELECT total(bytes) FROM segments WHERE tombstone_us IS NULL")[0][0] <= max_bytes:
        return []
    rows = store.query(
        "SELECT segment_id, sum(bytes) OVER (ORDER BY derived DESC, max_us DESC, segment_id) AS upto FROM segments"
        " WHERE tombstone_us IS NULL ORDER BY upto DESC LIMIT ?",
        [AT_ONCE],
    )
    ids = [segment for segment, upto in rows if upto > max_bytes]
    return store.living(f"segment_id IN ({', '.join('?' * len(ids))})", ids) if ids else []


def remove(store: Store, segments: Sequence[Segment], *, now_us: int, needs: Needs, held: Mapping[str, int]) -> None:
    """Takes segments out of the manifest; their files stay an hour. Counts what was still needed, an ERROR each time.

    `held`: as `passed` of `compact.forget_parts`: rows that a cursor has not passed are not delivered any more.
    """
    if not segments:
        return
    undelivered = sum(_rows_held(store, segment, held[segment.table]) for segment in segments if segment.table in held)
    with store.transaction() as tx:
        tx.executemany("UPDATE segments SET tombstone_us = ? WHERE segment_id = ?", [(now_us, s.id) for s in segments])
        tx.executemany("DELETE FROM parts WHERE holder = ?", [(s.id,) for s in segments])
        lost = {sensor: _note_lost(tx, sensor, hours) for sensor, hours in _needed(segments, needs).items()}
        add(tx, "retention_undelivered_rows", "", undelivered)
    for sensor, count in lost.items():
        if count:
            log.error(
                "%s: retention.max_size removed rows of %d hours that detectors had not seen yet; raise it, or lower"
                " the load",
                sensor,
                count,
            )
    if undelivered:
        log.error("retention removed %d log rows that were not delivered yet; make the sink keep up", undelivered)


def _rows_held(store: Store, segment: Segment, passed: int) -> int:
    """How many rows of a segment a cursor has not passed."""
    rows = store.query(
        "SELECT count(*), coalesce(sum(CASE WHEN committed > ? THEN rows END), 0) FROM parts WHERE holder = ?",
        [passed, segment.id],
    )
    parts, held = rows[0]
    return int(held) if parts else (segment.rows if segment.number > passed else 0)


def _needed(segments: Sequence[Segment], needs: Needs) -> dict[str, set[int]]:
    """Sensor -> hours in which an open window needs rows of these segments."""
    lost: dict[str, set[int]] = {}
    for segment in segments:
        least_us = needs.get((segment.table, segment.sensor))
        if least_us is not None and segment.max_us >= least_us:
            lost.setdefault(segment.sensor, set()).update(h for h in segment.hours if h + HOUR_US > least_us)
    return lost


def _note_lost(tx: sqlite3.Connection, sensor: str, hours: set[int]) -> int:
    """Counts the hours of a sensor that are newly lost; the oldest go first, so the last one is a mark."""
    key = f"retention_lost:{sensor}"
    row = tx.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
    new = {h for h in hours if row is None or h > int(row[0])}
    if new:
        tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, str(max(new))])
        add(tx, "retention_lost_windows", sensor, len(new))
    return len(new)


def unlink_replaced(store: Store, *, now_us: int, grace_us: int = TOMBSTONE_US) -> int:
    """Removes the files that were replaced or taken out so long ago; how many.

    The files go first, since a full disk may have no room for the transaction; nobody asks for them any more.
    """
    before_us = now_us - grace_us
    rows = store.query(
        "SELECT segment_id, path FROM segments WHERE tombstone_us <= ? ORDER BY tombstone_us LIMIT ?",
        [before_us, AT_ONCE],
    )
    if rows:
        for _, path in rows:
            (store.root / path).unlink(missing_ok=True)
            store.crash("tombstone unlinked")
        with store.transaction() as tx:
            tx.executemany("DELETE FROM segments WHERE segment_id = ?", [(segment,) for segment, _ in rows])
    return len(rows)


def forget_alerts(store: Store, ages: Retention, newest: Mapping[str, int]) -> int:
    """Drops closed alerts that are older than they may be, with their findings; how many.

    What belongs to an incident stays as long as that goes on, and goes with it.
    """
    if not newest:
        return 0
    cut = max(newest.values()) - int(ages.alerts_days * DAY_US)
    rows = store.query(
        "SELECT alert_id FROM alerts WHERE status != 'open' AND pending = 0 AND last_us < ?1 AND closes_us < ?1"
        " AND NOT EXISTS (SELECT 1 FROM incidents AS i"
        " WHERE i.incident_id = json_extract(nullif(told, ''), '$.incident.id') AND i.last_us >= ?1) LIMIT ?2",
        [cut, AT_ONCE],
    )
    if rows:
        with store.transaction() as tx:
            tx.executemany("DELETE FROM findings WHERE alert_id = ?", rows)
            tx.executemany("DELETE FROM alerts WHERE alert_id = ?", rows)
            tx.executemany("DELETE FROM ties WHERE alert_id = ?", rows)
            tx.execute(
                "DELETE FROM incidents AS i WHERE status != 'open' AND pending = 0 AND last_us < ?1 AND NOT EXISTS ("
                # what was said of one that became part of another is said of that
                "SELECT 1 FROM incidents AS h WHERE h.incident_id = i.merged_into AND h.last_us >= ?1)",
                [cut],
            )
            tx.execute("DELETE FROM late_windows WHERE hour_us < ?", [cut])
            tx.execute("DELETE FROM windows_failed WHERE end_us < ?", [cut])
    return len(rows)


def forget_documents(store: Store, *, now_us: int, delivered: Mapping[str, int]) -> int:
    """Drops what the outbox need not keep; how many.

    Revisions that are not the newest go once every sink has passed them, or after some hours where one has not: the
    newest holds all that they said. That one stays as long as the alert or the incident, so that a sink that comes
    later gets every alert once. Health documents go once they are passed, and the oldest where there are too many.
    `delivered`: kind -> the position that every sink in use which takes it has passed; no entry where none takes it.
    """
    before_us = now_us - OUTBOX_US
    kinds = [kind for (kind,) in store.query("SELECT DISTINCT kind FROM outbox")]
    passed = json.dumps({kind: delivered.get(kind, NOBODY) for kind in kinds})
    superseded = "EXISTS (SELECT 1 FROM outbox AS n WHERE n.kind = o.kind AND n.id = o.id AND n.seq > o.seq)"
    rows = store.query(
        "SELECT seq, seq > passed.value FROM outbox AS o JOIN json_each(?) AS passed ON passed.key = o.kind"
        f" WHERE queued_us < ? AND ({superseded} OR (seq <= passed.value AND ("
        " kind = 'health'"
        " OR (kind = 'alert' AND NOT EXISTS (SELECT 1 FROM alerts AS a WHERE a.alert_id = o.id))"
        " OR (kind = 'incident' AND NOT EXISTS (SELECT 1 FROM incidents AS i WHERE i.incident_id = o.id))))) LIMIT ?",
        [passed, before_us, AT_ONCE],
    )
    health = store.query(
        "SELECT seq FROM outbox WHERE kind = 'health' ORDER BY seq DESC LIMIT ? OFFSET ?", [AT_ONCE, HEALTH_DOCUMENTS]
    )
    if rows or health:
        with store.transaction() as tx:
            tx.executemany("DELETE FROM outbox WHERE seq = ?", [(seq,) for seq, _ in rows])
            dropped = tx.executemany("DELETE FROM outbox WHERE seq = ?", health).rowcount
            add(tx, "outbox_superseded", "", sum(undelivered for _, undelivered in rows))
            add(tx, "outbox_dropped_health", "", max(0, dropped))
    return len(rows) + len(health)


def forget_dead_letters(store: Store, most: int, most_bytes: int = KEPT_BYTES) -> int:
    """Keeps the newest lines and the newest documents, so many of each, documents up to so many bytes; how many went.

    (Counters tell how many there were.) A flood of bad lines drives out no refused alert.
    """
    rows = store.query(
        "SELECT letter_id FROM dead_letters WHERE kind = '' ORDER BY letter_id DESC LIMIT ? OFFSET ?", [AT_ONCE, most]
    )
    rows += store.query(
        "SELECT letter_id FROM (SELECT letter_id, row_number() OVER newest AS number,"
        " sum(length(body)) OVER newest AS upto FROM dead_letters WHERE kind != ''"
        " WINDOW newest AS (ORDER BY letter_id DESC)) WHERE number > ? OR upto > ? LIMIT ?",
        [most, most_bytes, AT_ONCE],
    )
    if rows:
        with store.transaction() as tx:
            tx.executemany("DELETE FROM dead_letters WHERE letter_id = ?", rows)
    return len(rows)


def over(store: Store, ages: Retention, newest: Mapping[str, int]) -> Iterator[list[Segment]]:
    """What has to go: first by age, then by bytes."""
    yield old_segments(store, ages, newest)
    yield excess_segments(store, size_bytes(ages.max_size))
