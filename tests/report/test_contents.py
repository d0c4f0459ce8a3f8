import dataclasses
import shutil
from collections import Counter

import pytest

from aegis_enrich.correlate.load import Correlation
from aegis_enrich.report import contents as module
from aegis_enrich.report.clock import micros
from aegis_enrich.report.contents import Reading, newest, read
from aegis_enrich.store import Store

# The break-in was at 02:29:28, what follows is the attacker's from inside.
MIDDLE = micros("2026-11-22T02:29:35Z")


@pytest.fixture
def store(state):
    with Store(state, read_only=True) as opened:
        yield opened


def test_everything_of_a_state(contents):
    assert contents.alert_count == len(contents.alerts) == 7
    assert contents.severities == Counter(a["event"]["severity"] for a in contents.alerts)
    assert [t.document["message"][:8] for t in contents.incidents] == ["Break-in"]
    assert contents.incidents[0].story
    assert [h.host.address for h in contents.hosts] == ["10.10.0.14", "203.0.113.66", "10.10.0.15"]
    assert contents.seen["TA0006", "T1110.001"] == 2
    assert {log.name: log.rows for log in contents.logs}["conn"] == 1384
    assert contents.rows == 2045
    assert set(contents.health["sensor"]) == set(module.HEALTH)
    assert (contents.late, contents.failed, contents.reasons) == ((), 0, ())


def test_the_worst_alerts_come_first(contents):
    risks = [a["event"]["risk_score"] for a in contents.alerts]
    assert risks == sorted(risks, reverse=True)


def test_a_span_leaves_out_what_was_not_seen_in_it(store, reading):
    early = read(store, dataclasses.replace(reading, until_us=MIDDLE))
    late = read(store, dataclasses.replace(reading, since_us=MIDDLE))
    assert [a["rule"]["id"] for a in early.alerts] == ["brute_force", "port_scan"]
    assert early.alert_count + late.alert_count == 7
    assert early.incident_count == late.incident_count == 1  # it goes through both
    assert {h.host.address for h in early.hosts} == {"203.0.113.66"}
    assert early.last_us == MIDDLE and late.first_us == MIDDLE
    assert early.stretch.end_us <= MIDDLE + early.stretch.bucket_us
    assert sum(early.seen.values()) + sum(late.seen.values()) == sum(read(store, reading).seen.values())
    assert (early.beacon_count, late.beacon_count) == (0, 1)
    none = read(store, dataclasses.replace(reading, since_us=MIDDLE + 10**12))
    assert (none.alert_count, none.incident_count, none.stretch, none.talkers) == (0, 0, None, ())


def test_what_is_read_is_bounded(store, reading, monkeypatch):
    for name in ("MOST_ALERTS", "MOST_INCIDENTS", "TALKERS"):
        monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(module, "TOLD", 0)
    found = read(store, reading)
    assert (found.alert_count, len(found.alerts)) == (7, 1)
    assert found.alerts[0]["event"]["severity"] == 99
    assert found.incidents[0].story is None
    assert len(found.talkers) == 1


def test_rules_that_do_not_check_take_only_the_advice(store):
    found = read(store, Reading())
    assert found.alert_count == 7
    assert found.hosts == ()
    assert found.incidents[0].story.chapters
    assert found.incidents[0].story.respond == ()


def test_a_state_without_rows(tmp_path, reading):
    with Store(tmp_path) as store:
        assert newest(store) == (None, None)
        found = read(store, reading)
    assert (found.rows, found.alerts, found.health, found.stretch) == (0, (), {}, None)
    assert isinstance(reading.correlation, Correlation)


def test_several_sensors_are_not_added_up(state, reading, tmp_path):
    shutil.copytree(state, tmp_path / "two")
    with Store(tmp_path / "two") as store, store.transaction() as tx:
        for table in ("segments", "logs"):
            rows = tx.execute(f"SELECT * FROM {table}").fetchall()
            columns = [c[1] for c in tx.execute(f"PRAGMA table_info({table})")]
            for row in rows:
                other = dict(zip(columns, row, strict=True)) | {"sensor": "other", columns[0]: f"{row[0]}-2"}
                tx.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", list(other.values()))
    with Store(tmp_path / "two", read_only=True) as store:
        found = read(store, reading)
    with Store(state, read_only=True) as store:
        alone = read(store, reading)
    assert found.sensors == ("other", "sensor")
    assert found.talkers == alone.talkers
    assert found.health["other"] == found.health["sensor"] == alone.health["sensor"]


def test_withdrawn_alerts_are_none(state, reading, tmp_path):
    shutil.copytree(state, tmp_path / "s")
    with Store(tmp_path / "s") as store:
        with store.transaction() as tx:
            tx.execute("UPDATE alerts SET status = 'withdrawn'")
        found = read(store, reading)
    assert (found.alert_count, found.alerts, found.seen, found.hosts) == (0, (), {}, ())
