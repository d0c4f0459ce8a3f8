"""The state: all of a flush or none of it, beside readers, over versions."""

from __future__ import annotations

import dataclasses
import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.follow import LogState
from aegis_enrich.plugin import HOUR_US
from aegis_enrich.store import DeadLetter, DiskFull, LogProgress, Rows, Store, database
from aegis_enrich.store.database import SCHEMA, Schema
from aegis_enrich.store.state import add

DAY_S = 86_400


def log(log_id="log", **changes):
    values = {f.name: "" if f.type == "str" else 0 for f in dataclasses.fields(LogState)}
    return LogState(**{**values, "id": log_id, "sensor": "sensor", "name": "conn", "done": False, **changes})


def test_rows_positions_and_dead_letters_come_together(store, made, uids):
    store.flush(
        [Rows("conn", "sensor", made(1, 2))],
        [LogProgress(log(position=100), {"conn": 2_000_000}, 2, 1)],
        [DeadLetter("conn.log", 7, b"x" * 5000, "too short")],
        within=lambda tx: add(tx, "seen", "sensor", 3),
    )
    store.flush([], [LogProgress(log(position=150), {"conn": 1_000_000, "dns": 5}, 1, 0)])
    (progress,) = store.progress()
    assert (progress.state.position, progress.rows, progress.bad) == (150, 3, 1)
    assert progress.reached == {"conn": 2_000_000, "dns": 5}
    assert uids(store) == ["C1", "C2"]
    assert store.query("SELECT origin, offset, length(body), reason FROM dead_letters") == [
        ("conn.log", 7, 4096, "too short")
    ]
    assert store.counters()["seen", "sensor"] == 3


def test_what_raises_inside_undoes_rows_too(store, made, uids, files):
    def failing(tx):
        add(tx, "seen", "", 1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.flush([Rows("conn", "sensor", made(1))], [LogProgress(log(), {}, 1, 0)], within=failing)
    assert (uids(store), files(store.root), store.progress()) == ([], set(), [])
    assert ("seen", "") not in store.counters()


def test_a_database_that_cannot_grow_is_a_full_disk(store, made, uids, files):
    store.flush([Rows("conn", "sensor", made(1))], [])
    pages = store.query("PRAGMA page_count")[0][0]
    store.query(f"PRAGMA max_page_count = {pages}")
    letters = [DeadLetter("conn.log", n, b"x" * 4096, "bad") for n in range(100)]
    with pytest.raises(DiskFull, match="make room"):
        store.flush([Rows("conn", "sensor", made(2))], [LogProgress(log(), {}, 1, 0)], letters)
    with pytest.raises(DiskFull):
        store.commit_derived("pair_hour", "s" * 100_000, 0, made(1), "hour:pair_hour")
    assert (uids(store), len(files(store.root)), store.progress()) == (["C1"], 1, [])
    store.query("PRAGMA max_page_count = 1000000")
    store.flush([Rows("conn", "sensor", made(2))], [], letters)
    assert uids(store) == ["C1", "C2"]


def test_another_error_of_the_database_is_itself(store):
    with pytest.raises(sqlite3.OperationalError, match="no such table"), store.transaction() as tx:
        tx.execute("INSERT INTO missing VALUES (1)")
    with pytest.raises(OSError, match="denied"), store.transaction():
        raise OSError(errno.EACCES, "denied")


def test_segments_are_those_of_the_span(store, flush):
    flush(10)
    flush(3600, 7200)
    flush(20, sensor="other")
    flush(30, table="dns")

    def spans(*args, **span):
        return [(s.min_us // 10**6, s.max_us // 10**6) for s in store.segments(*args, **span)]

    assert spans("conn") == [(10, 10), (20, 20), (3600, 7200)]
    assert spans("conn", "sensor") == [(10, 10), (3600, 7200)]
    assert spans("conn", "sensor", start_us=10_000_001) == [(3600, 7200)]
    assert spans("conn", "sensor", start_us=7_200_000_000) == [(3600, 7200)]
    assert spans("conn", "sensor", end_us=3_600_000_000) == [(10, 10)]
    assert spans("conn", "sensor", source="suricata") == []
    assert [s.number for s in store.segments("conn")] == [1, 3, 2]


def test_hours_are_those_that_hold_rows(store, flush):
    flush(-10, 10, 3 * 3600, DAY_S + 5)
    flush(5 * 3600, table="dns")
    flush(6 * 3600, sensor="other")
    hours = [h // HOUR_US for h in store.hours(("conn", "dns"), "sensor")]
    assert hours == [-1, 0, 3, 5, 24]
    assert [h // HOUR_US for h in store.hours(("conn",), "sensor", after_us=4 * HOUR_US)] == [24]
    assert [h // HOUR_US for h in store.hours(("conn",), "sensor", after_us=4 * HOUR_US - 1)] == [3, 24]
    assert store.hours(("http",), "sensor") == []


def test_suricata_is_shown_where_zeek_does_not_write(store, flush):
    assert store.shown_source("conn", "sensor") is None
    flush(1, source="suricata")
    flush(1, table="dns", source="suricata")
    assert store.shown_source("conn", "sensor") == "suricata"
    flush(2)
    assert store.shown_source("conn", "sensor") == "zeek"
    assert store.shown_source("dns", "sensor") == "suricata"
    view = store.view("conn", "sensor", 0, HOUR_US, store_schema())
    assert view.rows == 1


def store_schema():
    from aegis_enrich.tables import TABLES

    return TABLES["conn"].schema


def test_marks_never_go_back(store):
    for sealed_us in (5, 3, 9):
        with store.transaction() as tx:
            store.seal(tx, "sensor", "detector:x", sealed_us)
        assert store.sealed("sensor", "detector:x") == max(5, sealed_us)
    assert store.sealed("sensor", "detector:y") is None


# Versions


NEXT = dataclasses.replace(
    SCHEMA,
    version=SCHEMA.version + 1,
    migrations={
        **SCHEMA.migrations,
        SCHEMA.version: "ALTER TABLE alerts ADD COLUMN note TEXT;\n-- and\nUPDATE counters SET value = 10 * value;\n",
    },
)


def counted(root):
    with Store(root) as store:
        with store.transaction() as tx:
            add(tx, "seen", "", 4)
        store.flush([], [LogProgress(log(position=9), {}, 1, 0)])


def test_an_older_state_is_brought_up_to_date(tmp_path):
    counted(tmp_path)
    with pytest.raises(StateError, match=r"older AegisEnrich .*start `aegis-enrich watch`"):
        Store(tmp_path, read_only=True, schema=NEXT)
    for _ in range(2):  # once, not at every start
        with Store(tmp_path, schema=NEXT) as store:
            assert store.counters()["seen", ""] == 40
            assert store.query("SELECT note FROM alerts") == []
            assert store.progress()[0].state.position == 9
    with Store(tmp_path, read_only=True, schema=NEXT) as store:
        assert store.counters()["seen", ""] == 40


def test_a_migrated_state_is_like_a_new_one(tmp_path):
    first = (Path(__file__).parents[1] / "data" / "state" / "schema_1.sql").read_text(encoding="utf-8")
    Store(tmp_path / "old", schema=Schema(version=1, script=lambda: first, migrations={})).close()

    def shape(store):
        tables = sorted(t for (t,) in store.query("SELECT name FROM sqlite_schema WHERE type = 'table'"))
        indexes = store.query("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name")
        return {t: store.query(f"SELECT * FROM pragma_table_xinfo('{t}') ORDER BY name") for t in tables}, indexes

    with Store(tmp_path / "old") as old, Store(tmp_path / "new") as new:
        assert shape(old) == shape(new)


def test_a_migration_that_fails_changes_nothing(tmp_path):
    counted(tmp_path)
    broken = dataclasses.replace(
        NEXT, migrations={SCHEMA.version: "UPDATE counters SET value = 0;\nUPDATE no SET x = 1;"}
    )
    unended = dataclasses.replace(NEXT, migrations={SCHEMA.version: "UPDATE counters SET value = 0"})
    for schema in (broken, unended):
        with pytest.raises(sqlite3.Error):
            Store(tmp_path, schema=schema)
    with Store(tmp_path) as store:
        assert store.counters()["seen", ""] == 4


def test_a_newer_state_is_refused(tmp_path):
    Store(tmp_path, schema=NEXT).close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute(f"PRAGMA user_version = {NEXT.version}")
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StateError, match=rf"of a newer AegisEnrich \(state version {NEXT.version}.*; update"):
            Store(tmp_path, read_only=read_only)


# Readers


def test_a_reader_sees_what_a_writer_committed_and_never_checkpointed(store, flush, uids):
    store.query("PRAGMA wal_autocheckpoint = 0")
    flush(1)
    assert (store.root / "state.db").stat().st_size < (store.root / "state.db-wal").stat().st_size
    with Store(store.root, read_only=True) as reader:
        assert uids(reader) == ["C1"]
        with store.transaction() as tx:
            add(tx, "seen", "", 1)
            assert ("seen", "") not in reader.counters()
        assert reader.counters()["seen", ""] == 1
        flush(2)
        assert uids(reader) == ["C1", "C2"]
        with pytest.raises(sqlite3.OperationalError, match="readonly"), reader.transaction() as tx:
            add(tx, "seen", "", 1)


def test_a_reader_of_a_state_whose_writer_was_killed(tmp_path, uids):
    code = (
        "import os, sys; from pathlib import Path; from aegis_enrich.store import Store; from aegis_enrich.store.state"
        " import add\nstore = Store(Path(sys.argv[1]))\nwith store.transaction() as tx: add(tx, 'seen', '', 1)\n"
        "os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    assert (tmp_path / "state.db-wal").exists()
    with Store(tmp_path, read_only=True) as reader:
        assert reader.counters()["seen", ""] == 1


def test_there_is_nothing_to_read_yet(tmp_path):
    with pytest.raises(StateError, match="holds no state; run"):
        Store(tmp_path / "none", read_only=True)
    (tmp_path / "state.db").touch()
    with pytest.raises(StateError, match="holds no state yet"):
        Store(tmp_path, read_only=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("writing", [True, False])
def test_another_user_may_read(tmp_path, monkeypatch, writing):
    root = tmp_path / "a #1?"
    with Store(root) as store:
        with store.transaction() as tx:
            add(tx, "seen", "", 1)
        if writing:
            assert read_as_nobody(root) == {("seen", ""): 1}
    if not writing:
        assert read_as_nobody(root) == {("seen", ""): 1}


def read_as_nobody(root):
    """The counters as an ordinary user reads them, in a process of its own."""
    for folder in (root, *root.parents):
        if os.access(folder, os.W_OK) and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgid(65534)
            os.setuid(65534)
            with Counters(root) as counters:
                os.write(writing, repr(counters).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return eval(pipe.read() or "None")


class Counters:
    """A state's counters, read beside whoever writes it."""

    def __init__(self, root):
        self.store = Store(root, read_only=True)

    def __enter__(self):
        return self.store.counters()

    def __exit__(self, *exception):
        self.store.close()


def test_the_paths_of_the_state_may_hold_anything(tmp_path):
    with Store(tmp_path / "100% #1?a=b") as store:
        assert store.query("PRAGMA database_list")[0][2] == str(tmp_path / "100% #1?a=b" / "state.db")
        assert database.SCHEMA.version == store.query("PRAGMA user_version")[0][0]


def test_a_state_has_an_id_that_stays(tmp_path):
    with Store(tmp_path / "a") as store, Store(tmp_path / "b") as other:
        first, second = store.id, other.id
    assert len(first) == 16 and first != second
    with Store(tmp_path / "a") as store:
        assert store.id == first
    with Store(tmp_path / "a", read_only=True) as reader:
        assert reader.id == first
