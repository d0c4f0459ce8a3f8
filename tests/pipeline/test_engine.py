"""From folders of logs to alerts in the state: once, again, with more rows, from several sensors, on a full disk."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from aegis_enrich.config import shipped_rules
from aegis_enrich.errors import ConfigError
from aegis_enrich.pipeline import engine as module
from aegis_enrich.pipeline.engine import Engine
from aegis_enrich.plugin import HOUR_US, MICROS

BASE_US = 475_000 * HOUR_US
PATIENCE_S = 60.0

SCENARIOS = [
    ("scan_udp", "port_scan"),
    ("dns_tunnel", "dns_tunnel"),
    ("beacon_https_60s", "beaconing"),
]


@pytest.mark.parametrize(("scenario", "rule"), SCENARIOS)
def test_recorded_logs_give_their_alert_once_from_either_format(scenario, rule, lab, start, alerts) -> None:
    found = []
    for form in ("tsv", "json"):
        with start(lab / scenario / form, state=form) as engine:
            engine.run_to_end()
            found.append(alerts(engine))
            assert engine.store.query("SELECT * FROM windows_failed") == []
            assert engine.store.query("SELECT * FROM late_windows") == []
            assert sum(engine.intake.counts.bad.values()) == 0
    assert found[0] == found[1]
    (alert,) = [a for a in found[0] if a["event"]["severity"] >= 47]
    assert (alert["rule"]["id"], alert["status"]) == (rule, "open")


def test_running_again_changes_nothing(lab, start, alerts) -> None:
    revisions = []
    for _ in range(2):
        with start(lab / "multistage" / "tsv") as engine:
            engine.run_to_end()
            found = alerts(engine)
            sent = engine.store.query("SELECT count(*) FROM outbox WHERE kind = 'alert'")[0][0]
            assert sent == sum(a["revision"] for a in found)
        revisions.append({a["id"]: a["revision"] for a in found})
    assert len(revisions[0]) >= 2 and revisions[0] == revisions[1]
    assert sum(engine.intake.counts.rows.values()) == 0  # nothing is read twice


def test_more_rows_revise_an_open_alert_under_its_id(tmp_path, write, probes, start, alerts) -> None:
    write(tmp_path / "logs" / "conn.log", probes(20))
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        (before,) = alerts(engine)
    write(tmp_path / "logs" / "conn.log", probes(200, first_s=30, **{"id.resp_h": "198.51.100.8"}))
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        (after,) = alerts(engine)
    assert after["id"] == before["id"] and after["revision"] > before["revision"]
    assert (before["aegis"]["evidence"]["ports"], after["aegis"]["evidence"]["ports"]) == (20, 200)


def test_a_log_that_was_emptied_while_nobody_read_is_one_loss(tmp_path, write, probes, start) -> None:
    """What was written after the last look is gone and nobody knows how much; later starts have nothing to add."""
    log = tmp_path / "logs" / "conn.log"
    for n, size in enumerate((5, 2, 1, 1)):
        if n == 1:
            os.truncate(log, 0)
        write(log, probes(size, 60.0 * n))
        with start(tmp_path / "logs") as engine:
            engine.run_to_end()
            counted = engine.store.counters().get(("lost_bytes", "sensor"), 0)
            assert counted == min(n, 1)
            assert sum(p.rows for p in engine.store.progress()) == (5, 7, 8, 9)[n]


def test_an_alert_of_a_period_that_is_over_is_closed(tmp_path, write, probes, start, alerts) -> None:
    write(tmp_path / "logs" / "conn.log", probes(20) + probes(1, first_s=3 * 3600))
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        (alert,) = alerts(engine)
    assert alert["status"] == "closed"


def test_late_rows_are_counted_with_their_windows_and_reach_no_sealed_one(tmp_path, write, probes, start, alerts):
    log = tmp_path / "logs" / "conn.log"
    write(log, probes(1) + probes(1, first_s=3 * 3600))
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        assert engine.store.query("SELECT * FROM late_windows") == []
    write(log, probes(30, first_s=10) + probes(5, first_s=3 * 3600 + 10))
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        late = engine.store.query("SELECT sensor, detector, hour_us, rows FROM late_windows ORDER BY detector")
        assert alerts(engine) == []
        assert engine.intake.counts.late == {"conn": 30}
    assert {(s, hour, n) for s, _, hour, n in late} == {("sensor", BASE_US, 30)}
    assert {d for _, d, _, _ in late} >= {"beaconing", "long_connection", "port_scan"}


def test_a_row_that_a_detector_does_not_count_is_not_late_for_it(tmp_path, write, probes, start) -> None:
    log = tmp_path / "logs" / "conn.log"
    write(log, probes(1) + probes(1, first_s=3 * 3600))
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
    write(log, probes(30, first_s=10, conn_state="S1", history="ShADad"))
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        late = {row[0] for row in engine.store.query("SELECT detector FROM late_windows")}
    assert late >= {"beaconing", "long_connection"} and "port_scan" not in late


def test_rows_of_1970_and_2022_in_one_log(tmp_path, write, probes, start, alerts) -> None:
    since = 30_000 - BASE_US // MICROS
    write(tmp_path / "logs" / "conn.log", probes(20) + probes(20, first_s=since, source="10.0.0.8"))
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        found = {a["source"]["ip"]: a["@timestamp"][:4] for a in alerts(engine)}
    assert found["10.0.0.8"] == "1970" and int(found["10.0.0.9"]) > 2020


def test_several_sensors_are_seen_apart_and_one_finding_names_them_all(tmp_path, write, probes, start, alerts) -> None:
    write(tmp_path / "north" / "conn.log", probes(40) + probes(10, source="10.0.0.7"))
    write(tmp_path / "south" / "conn.log", probes(20) + probes(10, first_s=20, source="10.0.0.7"))
    sensors = {name: [tmp_path / name] for name in ("north", "south")}
    with start(sensors=sensors) as engine:
        engine.run_to_end()
        (alert,) = alerts(engine)  # ten ports there and ten here are no scan
    assert alert["observer"]["name"] == ["north", "south"]
    assert alert["aegis"]["evidence"]["ports"] == 40
    assert alert["aegis"]["count"] == 1


def test_of_zeek_and_suricata_on_one_link_zeek_s_rows_are_shown(tmp_path, lab, start, alerts) -> None:
    both = tmp_path / "both"
    shutil.copytree(lab / "scan_vertical" / "tsv", both)
    shutil.copy(lab / "scan_vertical" / "eve.json.gz", both)
    with start(lab / "scan_vertical" / "tsv", state="zeek") as engine:
        engine.run_to_end()
        zeek = alerts(engine)
    with start(both, state="both") as engine:
        engine.run_to_end()
        sources = engine.store.query("SELECT source, sum(rows) FROM segments WHERE tbl = 'conn' GROUP BY 1 ORDER BY 1")
        assert [s for s, _ in sources] == ["suricata", "zeek"] and min(n for _, n in sources) >= 1000
        assert alerts(engine) == zeek
        assert engine.store.query("SELECT * FROM late_windows") == []


def test_suricata_s_late_rows_are_none_where_zeek_s_are_shown(tmp_path, lab, write, probes, start) -> None:
    folder = tmp_path / "both"
    write(folder / "conn.log", probes(1, first_s=-BASE_US // MICROS + 4_000_000_000))  # all of the past is sealed
    with start(folder) as engine:
        engine.run_to_end()
    shutil.copy(lab / "scan_vertical" / "eve.json.gz", folder)
    with start(folder) as engine:
        engine.run_to_end()
        late = {row[0] for row in engine.store.query("SELECT detector FROM late_windows")}
    assert late == set()


def until(condition, seconds: float = PATIENCE_S):
    """A `progress` that ends a run once a condition holds, or it takes too long."""
    begun = time.monotonic()

    def look(engine: Engine) -> None:
        if condition(engine) or time.monotonic() - begun > seconds:
            engine.stopping.set()

    return look


def sealed(unit: str):
    return lambda engine: engine.store.sealed("sensor", unit) is not None and not engine.beside.busy


def test_watching_seals_evaluates_beside_and_closes(tmp_path, write, probes, start, alerts) -> None:
    write(tmp_path / "logs" / "conn.log", probes(20) + probes(1, first_s=3 * 3600))
    done = until(lambda e: e.store.query("SELECT 1 FROM alerts WHERE status = 'closed'"))
    with start(tmp_path / "logs", live=True, progress=done) as engine:
        engine.run()
        (alert,) = alerts(engine)
    assert (alert["status"], alert["aegis"]["evidence"]["ports"]) == ("closed", 20)


def test_a_stop_is_no_end_of_the_input(tmp_path, write, probes, start, alerts) -> None:
    write(tmp_path / "logs" / "conn.log", probes(20))
    with start(tmp_path / "logs", live=True, progress=until(lambda e: e.store.progress())) as engine:
        engine.run()
        assert alerts(engine) == []  # the window is open yet
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        assert len(alerts(engine)) == 1


def test_a_process_that_stood_still_looks_again_before_it_seals(tmp_path, write, probes, start, monkeypatch) -> None:
    """A machine that was suspended for hours: its sensor has written meanwhile what it has not seen yet."""
    log = tmp_path / "logs" / "conn.log"
    write(log, probes(1))
    with start(tmp_path / "logs", live=True, progress=until(lambda e: e.store.progress())) as engine:
        engine.run()
        write(log, probes(20, first_s=60))
        later = SimpleNamespace(**{**vars(time), "monotonic": lambda: time.monotonic() + 4 * 3600})
        monkeypatch.setattr(module, "time", later)
        monkeypatch.setattr(engine.intake, "clock", later.monotonic)
        for _ in range(2):
            engine._detect()
            engine._mark_row_rules()
            assert not engine.beside.busy
            assert engine.store.query("SELECT max(sealed_us) FROM sealed") <= [(BASE_US,)]
            engine._due_s.clear()
            assert engine.intake.look()


def test_rows_of_the_future_are_stored_and_counted_and_move_nothing(tmp_path, write, probes, start, monkeypatch):
    monkeypatch.setattr(module, "wall_us", lambda: BASE_US + HOUR_US // 2)
    write(tmp_path / "logs" / "conn.log", probes(20) + probes(3, first_s=1800 + 3601) + probes(1, first_s=5000))
    done = until(lambda e: e.store.progress())
    with start(tmp_path / "logs", live=True, progress=done) as engine:
        engine.run()
        assert engine.store.counters()["future_rows", "sensor"] == 3 == engine.intake.counts.future
        assert engine.store.query("SELECT sum(rows) FROM segments WHERE tbl = 'conn'") == [(24,)]
        (log,) = engine.store.progress()
        assert log.reached == {"conn": BASE_US + 5000 * MICROS + 1000}
        assert engine.marks.of("sensor", ["conn"], now_s=time.monotonic()) == BASE_US + 5000 * MICROS + 1000


def rules_in(tmp_path: Path) -> Path:
    shutil.copytree(shipped_rules(), tmp_path / "rules")
    return tmp_path / "rules"


def test_changed_rules_are_taken_up_and_broken_ones_are_not(tmp_path, write, probes, start, caplog) -> None:
    rules = rules_in(tmp_path)
    rule = rules / "detectors" / "port_scan.yml"
    text = rule.read_text(encoding="utf-8")
    write(tmp_path / "logs" / "conn.log", probes(1))
    with start(tmp_path / "logs", live=True, rules=str(rules)) as engine:
        before = engine.rules

        def look() -> None:
            engine._due_s.clear()
            engine._keep_house()

        look()
        assert engine.rules is before
        rule.write_text(text.replace("min_ports: 15 ", "min_ports: 25 "), encoding="utf-8")
        look()
        assert engine.rules.hash != before.hash
        assert engine.scheduler.watches["port_scan"].tuning.min_ports == 25
        taken = engine.rules
        with caplog.at_level(logging.WARNING):
            rule.write_text(text.replace("min_ports: 15 ", "min_ports: many "), encoding="utf-8")
            look()
            look()
        assert engine.rules is taken
        assert len(caplog.records) == 1 and "port_scan.yml" in caplog.text and "many" in caplog.text
        rule.write_text(text, encoding="utf-8")
        look()
        assert engine.rules.hash == before.hash


def test_alerts_name_the_lists_in_force_after_they_changed(tmp_path, write, probes, start) -> None:
    rules = rules_in(tmp_path)
    write(tmp_path / "logs" / "conn.log", probes(1))
    with start(tmp_path / "logs", live=True, rules=str(rules)) as engine:
        before = engine.decider.config_hash
        networks = rules / "networks.yml"
        networks.write_text(networks.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        (rules / "intel" / "local.txt").write_text("192.0.2.77\n", encoding="utf-8")
        engine._due_s.clear()
        engine._keep_house()
        changed = engine.decider.config_hash
        assert changed != before
    with start(tmp_path / "logs", live=True, rules=str(rules)) as again:
        assert again.decider.config_hash == changed


def test_a_tuning_in_force_decides_what_is_found(tmp_path, write, probes, start, alerts) -> None:
    rules = rules_in(tmp_path)
    rule = rules / "detectors" / "port_scan.yml"
    rule.write_text(rule.read_text(encoding="utf-8").replace("min_ports: 15 ", "min_ports: 25 "), encoding="utf-8")
    write(tmp_path / "logs" / "conn.log", probes(20))
    with start(tmp_path / "logs", rules=str(rules)) as engine:
        engine.run_to_end()
        assert alerts(engine) == []


def test_rules_of_which_none_is_enabled_are_refused(tmp_path, start) -> None:
    (tmp_path / "rules").mkdir()
    with pytest.raises(ConfigError, match="no rule is enabled"), start(tmp_path, rules=str(tmp_path / "rules")):
        pass


def test_reading_waits_while_there_is_little_room(tmp_path, write, probes, start, monkeypatch, caplog) -> None:
    write(tmp_path / "logs" / "conn.log", probes(20))
    looks = []

    def look(engine: Engine) -> None:
        looks.append(sum(engine.intake.counts.rows.values()))
        if len(looks) == 3:
            free[0] = 10**12
        if engine.store.progress():
            engine.stopping.set()

    free = [10**6]
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    with start(tmp_path / "logs", live=True, progress=look) as engine, caplog.at_level(logging.WARNING):
        monkeypatch.setattr(engine.store, "free_bytes", lambda: free[0])
        engine.run(until_s=time.monotonic() + PATIENCE_S)
        assert [p.rows for p in engine.store.progress()] == [20]
    assert looks[:3] == [0, 0, 0]
    assert "are free; reading waits" in caplog.text and "there is room again" in caplog.text


def no_room() -> sqlite3.OperationalError:
    """What SQLite raises on a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


@pytest.mark.parametrize("point", ["segments written", "before commit"])
def test_a_full_disk_stops_reading_and_loses_nothing(point, tmp_path, write, probes, start, monkeypatch, caplog):
    write(tmp_path / "logs" / "conn.log", probes(20))
    armed = [False]

    def crash(at: str) -> None:
        if armed[0] and at == point:
            raise OSError(errno.ENOSPC, "No space left on device") if point == "segments written" else no_room()

    def look(engine: Engine) -> None:
        if "nothing is lost" in caplog.text:
            armed[0] = False
        if engine.store.progress():
            engine.stopping.set()

    monkeypatch.setattr(module, "FULL_S", 0.05)
    with start(tmp_path / "logs", live=True, crash=crash, progress=look) as engine, caplog.at_level(logging.WARNING):
        armed[0] = True
        engine.run(until_s=time.monotonic() + PATIENCE_S)
        assert not armed[0]
        assert [p.rows for p in engine.store.progress()] == [20]
        segments = engine.store.segments("conn", "sensor")
        assert sum(s.rows for s in segments) == 20
        on_disk = {p.stem for p in (engine.store.root / "lake").rglob("*.parquet")}
        assert on_disk == {s.id for s in segments}


def test_a_full_disk_while_detecting_is_waited_out(tmp_path, write, probes, start, alerts, monkeypatch, caplog) -> None:
    write(tmp_path / "logs" / "conn.log", probes(20) + probes(1, first_s=3 * 3600))
    engines: list[Engine] = []
    refused = []

    def crash(at: str) -> None:
        detecting = engines and engines[0].store.progress() and not refused
        if detecting and at == "before commit" and engines[0].store.query("SELECT 1 FROM findings LIMIT 1"):
            refused.append(at)
            raise no_room()

    done = until(lambda e: e.store.query("SELECT 1 FROM alerts WHERE status = 'closed'"))
    monkeypatch.setattr(module, "FULL_S", 0.05)
    with start(tmp_path / "logs", live=True, crash=crash, progress=done) as engine, caplog.at_level(logging.WARNING):
        engines.append(engine)
        engine.run()
        (alert,) = alerts(engine)
        assert refused and alert["status"] == "closed" and alert["aegis"]["evidence"]["ports"] == 20
        assert engine.store.query("SELECT * FROM windows_failed") == []


def scan(first_s: float, ports: int = 100, **columns: object) -> dict:
    """A minute of Zeek's scan log: so many refused ports of one host."""
    row = {"ts": first_s, "ts_end": BASE_US // MICROS + first_s + ports - 1, "src": "10.0.0.9", "attempts": ports}
    row |= {"hosts": 1, "ports": ports, "capped": False, "kind": "vertical", "answered": 0, "refused": ports}
    row |= {"unanswered": 0, "half_open": 0, "syn": ports, "udp": 0, "icmp": 0, "local_orig": True, "node": "zeek"}
    return row | {"sample": ["198.51.100.7:22/tcp"]} | columns


def test_a_row_of_the_scan_log_is_an_alert_before_any_window_is_sealed(tmp_path, write, probes, start, alerts) -> None:
    """And it is the alert that the window makes of conn later."""
    logs = tmp_path / "logs"
    write(logs / "conn.log", probes(1, first_s=100))
    steps = []

    def grow(engine: Engine) -> None:
        if not steps and engine.store.progress():
            steps.append((time.monotonic(), [dict(a) for a in alerts(engine)]))
            write(logs / "aegis_scan.log", [scan(100)])
        elif len(steps) == 1 and alerts(engine):
            steps.append((time.monotonic(), alerts(engine)))
            assert (engine.store.sealed("sensor", "detector:port_scan") or 0) <= BASE_US
            write(logs / "conn.log", [*probes(100, first_s=100)[1:], *probes(1, first_s=4 * 3600, source="10.0.0.8")])
            write(logs / "aegis_scan.log", [scan(4 * 3600, 3, src="10.0.0.8", kind="")])
        done(engine)

    done = until(lambda e: e.store.query("SELECT 1 FROM alerts WHERE status = 'closed'"))
    with start(logs, live=True, progress=grow) as engine:
        engine.run()
        (closed,) = alerts(engine)
        outbox = engine.store.query("SELECT id, revision FROM outbox WHERE kind = 'alert' ORDER BY seq")
    (begun_s, before), (told_s, (opened,)) = steps
    assert before == []
    assert told_s - begun_s < 10
    assert opened["aegis"]["evidence"]["basis"] == "aegis_scan"
    assert (opened["event"]["severity"], opened["source"]["ip"]) == (47, "10.0.0.9")
    # once opened, once closed, and once more where it is told of its incident only then
    assert closed["id"] == opened["id"] and outbox[:2] == [(closed["id"], 1), (closed["id"], 2)] and len(outbox) <= 3
    assert "basis" not in closed["aegis"]["evidence"]
    for same in ("score", "count", "entity", "period", "first_seen"):
        assert closed["aegis"][same] == opened["aegis"][same]
    with start(logs, state="batch") as engine:
        engine.run_to_end()
        (batch,) = alerts(engine)
    assert {**batch, "status": "", "revision": 0} == {**closed, "status": "", "revision": 0}


def test_a_crash_between_a_row_and_its_early_alert_loses_nothing(tmp_path, write, start, alerts) -> None:
    write(tmp_path / "logs" / "aegis_scan.log", [scan(100)])
    with start(tmp_path / "logs", live=True) as engine:
        engine.intake.read()
        engine.intake.flush()
        assert alerts(engine) == []
    with start(tmp_path / "logs", live=True, progress=until(alerts, 20)) as engine:
        engine.run()
        assert len(alerts(engine)) == 1


def test_without_attempts_in_conn_the_scan_log_has_the_last_word(tmp_path, write, start, alerts) -> None:
    """Halves of two nodes, in logs of their own."""
    half = {"attempts": 8, "refused": 8, "syn": 8, "ports": 8, "ts_end": BASE_US // MICROS + 110}
    for node in ("proxy-1", "manager"):
        write(tmp_path / "logs" / f"aegis_scan_{node}.log", [scan(100, **half, node=node)])
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        (alert,) = alerts(engine)
    evidence = alert["aegis"]["evidence"]
    assert (evidence["ports"], evidence["least_ports"], evidence["attempts"], evidence["nodes"]) == (16, 8, 16, 2)


def test_attempts_for_which_a_script_had_no_room_are_counted(tmp_path, write, start, alerts) -> None:
    full = scan(100, kind="overflow")
    del full["src"]
    write(tmp_path / "logs" / "aegis_scan.log", [full, scan(200)])
    with start(tmp_path / "logs") as engine:
        engine.run_to_end()
        assert len(alerts(engine)) == 1
        assert engine.store.counters()["overflow_rows", "sensor"] == 1
