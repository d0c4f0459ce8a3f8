"""`doctor`: each thing that can be wrong with an installation is made wrong, and it names it."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from aegis_enrich.plugin import Document
from aegis_enrich.store import Store
from aegis_enrich.store.letters import refuse
from aegis_enrich.store.state import add


def problems(ran):
    return [(c["area"], c["what"]) for c in ran.json if c["level"] == "problem"]


@pytest.fixture
def doctor(aegis, tmp_path):
    def run(*arguments):
        return aegis("doctor", "--json", "--state", tmp_path / "s", *arguments)

    return run


@pytest.fixture
def logs(tmp_path):
    """A folder with a log that is being written: one row, of this moment."""
    folder = tmp_path / "logs"
    folder.mkdir()
    write(folder / "conn.log", time.time())
    return folder


def write(path, ts):
    row = {"ts": ts, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 1, "id.resp_h": "10.0.0.2", "id.resp_p": 2}
    path.write_text(json.dumps({**row, "proto": "tcp"}) + "\n", encoding="utf-8")


def config(tmp_path, text):
    (tmp_path / "aegis.yml").write_text(text, encoding="utf-8")
    return "--config", tmp_path / "aegis.yml"


def test_all_is_well(doctor, logs):
    ran = doctor(logs)
    assert problems(ran) == []
    assert ran.code == 0


def test_for_a_person_there_is_a_line_a_check(aegis, logs, tmp_path):
    ran = aegis("doctor", logs, "--state", tmp_path / "s")
    assert "its clock agrees with this machine's" in ran.out
    assert ran.out.endswith("0 problems\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_log_that_may_not_be_read(doctor, logs):
    (logs / "conn.log").chmod(0)
    assert any("Permission denied" in what for _, what in problems(doctor(logs)))


def test_what_cannot_be_read_is_named(doctor, logs, monkeypatch):
    """As above for any user: the follower says what it could not open."""
    from aegis_enrich.follow import Follower

    monkeypatch.setattr(Follower, "unreadable", {str(logs / "dns.log"): "Permission denied"})
    (found,) = problems(doctor(logs))
    assert found == ("sensor", f"{logs / 'dns.log'}: Permission denied; let the user of aegis-enrich read it")


def test_a_folder_that_is_not_there(doctor, tmp_path):
    ran = doctor(tmp_path / "no")
    assert ran.code == 1
    assert "no such file or folder" in problems(ran)[0][1]


def test_no_logs_yet(doctor, tmp_path):
    (tmp_path / "empty").mkdir()
    ((area, what),) = problems(doctor(tmp_path / "empty"))
    assert area == "sensor"
    assert "no logs yet" in what


@pytest.mark.parametrize(
    ("shift_s", "said"), [(600, "ahead of this machine's clock"), (-36_000, "older than the file")]
)
def test_clock_skew(doctor, logs, shift_s, said):
    write(logs / "conn.log", time.time() + shift_s)
    ((_, what),) = problems(doctor(logs))
    assert what.startswith("clock skew: ")
    assert said in what


def test_old_logs_are_no_clock_skew(doctor, logs):
    write(logs / "conn.log", 1_600_000_000)
    os.utime(logs / "conn.log", (1_600_000_100, 1_600_000_100))
    assert problems(doctor(logs)) == []


def test_an_mmdb_that_is_missing(doctor, tmp_path):
    ((area, what),) = problems(doctor(*config(tmp_path, "geo: {city: none.mmdb}\n")))
    assert (area, "none.mmdb: there is no such file" in what) == ("geo", True)


def test_an_mmdb_that_is_old(doctor, tmp_path, monkeypatch):
    writer = MMDBWriter(4, "GeoLite2-ASN", languages=["en"])
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"autonomous_system_number": 64_500})
    monkeypatch.setattr(time, "time", lambda: 1_600_000_000.0)
    writer.to_db_file(str(tmp_path / "asn.mmdb"))
    monkeypatch.undo()
    ran = doctor(*config(tmp_path, "geo: {asn: asn.mmdb}\n"))
    assert any("asn.mmdb was built" in c["what"] for c in ran.json if c["area"] == "geo")


def test_rules_that_do_not_check_are_all_named(doctor, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "one.yml").write_text("thresold: 3\n", encoding="utf-8")
    (rules / "two.yml").write_text("id: [\n", encoding="utf-8")
    found = [what for area, what in problems(doctor("--rules", rules)) if area == "rules"]
    assert any("one.yml" in f for f in found)
    assert any("two.yml" in f for f in found)


def test_a_rule_with_a_column_that_no_table_has_is_named_as_a_watch_would(doctor, tmp_path):
    (tmp_path / "rules").mkdir()
    text = (
        "{id: odd, name: Odd, table: conn, where: {orig_host: 10.0.0.1}, entity: [orig_h], severity: low, reason: odd}"
    )
    (tmp_path / "rules" / "odd.yml").write_text(text, encoding="utf-8")
    assert any("orig_host" in what for _, what in problems(doctor("--rules", tmp_path / "rules")))


def test_no_rule_at_all(doctor, tmp_path):
    (tmp_path / "rules").mkdir()
    assert ("rules", f"{tmp_path / 'rules'}: no rule is enabled, so nothing is watched; enable one") in problems(
        doctor("--rules", tmp_path / "rules")
    )


def test_a_configuration_that_does_not_check(doctor, tmp_path):
    ran = doctor(*config(tmp_path, "stat: x\nflush: {rows: many}\n"))
    assert [area for area, _ in problems(ran)] == ["configuration", "configuration"]


def test_a_disk_that_is_nearly_full(doctor, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**8))
    ((area, what),) = problems(doctor())
    assert (area, what.startswith("nearly full: 0.1 GB")) == ("disk", True)


def test_what_the_state_remembers(doctor, tmp_path):
    with Store(tmp_path / "s") as store, store.transaction() as tx:
        store.note_failed_window(tx, "dmz", "beaconing", 0, 3_600_000_000, "Out of Memory")
        tx.execute("INSERT INTO late_windows VALUES ('dmz', 'port_scan', 0, 5)")
        add(tx, "lost_bytes", "dmz", 4_000)
        add(tx, "future_rows", "dmz", 7)
        add(tx, "overflow_rows", "dmz", 3)
        tx.execute("INSERT INTO dead_letters (origin, offset, reason, body) VALUES ('conn.log', 3, 'no JSON', x'00')")
        tx.execute("INSERT INTO outbox (kind, id, revision, body) VALUES ('alert', 'a', 1, '{}')")
        tx.execute("INSERT INTO cursors VALUES ('elasticsearch:http://es', 0, '')")
    ran = doctor()
    said = " | ".join(what for _, what in problems(ran))
    assert "1 windows of beaconing failed, the last that ends 1970-01-01 01:00:00 UTC: Out of Memory" in said
    assert "dmz: 5 late rows (port_scan 5)" in said
    assert "4,000 bytes of logs were gone" in said
    assert "dmz: 3 rows of a Zeek script say that it met more sources than it may hold" in said
    assert "7 rows came from more than an hour ahead" in said
    notes = " | ".join(c["what"] for c in ran.json if c["level"] == "note")
    assert "conn.log: 1 dead letters, such as: no JSON" in notes
    assert "1 documents wait for elasticsearch:http://es" in notes
    assert "no watch is running" in notes


def test_each_sink_that_is_configured_is_looked_at(doctor, tmp_path):
    chat, siem = "{sink: webhook, url: https://x.test}", "{sink: syslog, host: 127.0.0.1, port: 9}"
    ran = doctor(*config(tmp_path, f"plugins: {{chat: {chat}, bad: {{sink: webhook}}, siem: {siem}}}\n"))
    assert ("chat", "ok") in [(c["area"], c["level"]) for c in ran.json]
    said = [what for _, what in problems(ran)]
    assert "plugins.bad.url" in str(said)
    assert any("tcp://127.0.0.1:9: cannot be reached" in what for what in said)
    unknown = doctor(*config(tmp_path, "plugins: {chat: {sink: webhok, url: https://x}}\n"))
    assert any("plugins.chat: the sink webhok is not installed" in what for _, what in problems(unknown))


def test_documents_that_were_refused_are_a_problem_until_they_went_again(doctor, tmp_path):
    with Store(tmp_path / "s") as store, store.transaction() as tx:
        refuse(tx, "es:x", [(Document("alert", "a", 1, {}), 1, "no \x1b[2J")])
        add(tx, "refused", "", 5)
    ran = doctor()
    assert any("1 documents that a sink refused are kept" in what for _, what in problems(ran))
    assert "\x1b" not in ran.out and "no \\\\u001b[2J" in ran.out
    with Store(tmp_path / "s") as store, store.transaction() as tx:
        tx.execute("DELETE FROM dead_letters")
    assert not any("refused" in what for _, what in problems(doctor()))


def test_only_what_a_sink_takes_waits_for_it(doctor, tmp_path):
    with Store(tmp_path / "s") as store, store.transaction() as tx:
        for kind in ("alert", "incident", "incident", "health"):
            tx.execute("INSERT INTO outbox (kind, id, revision, body) VALUES (?, 'a', 1, '{}')", [kind])
        for sink in ("ndjson:/x", "elasticsearch:http://es", "both:http://hook"):
            tx.execute("INSERT INTO cursors VALUES (?, 0, '')", [sink])
        add(tx, "outbox_superseded", "", 7)
        add(tx, "outbox_dropped_health", "", 9)
    ran = doctor(*config(tmp_path, "plugins: {both: {sink: webhook, kinds: [alert, incident], url: https://x}}\n"))
    said = " | ".join(c["what"] for c in ran.json)
    assert "1 documents wait for ndjson:/x" in said and "3 documents wait for both:http://hook" in said
    assert "7 revisions of alerts and incidents were delivered as part of later ones" in said
    assert "9 health documents went before they were delivered" in " | ".join(what for _, what in problems(ran))


def test_who_writes_the_state(doctor, tmp_path):
    with Store(tmp_path / "s"):
        assert any(f"written by process {os.getpid()}" in c["what"] for c in doctor().json)


def test_what_reads_captures(doctor, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("aegis_enrich.capture.sensors.PLACES", {"zeek": (), "suricata": ()})

    def said():
        return [(c["level"], c["what"]) for c in doctor().json if c["area"] == "captures"]

    ((level, what),) = said()
    assert (level, what.startswith("neither Zeek nor Suricata is installed here")) == ("note", True)
    for name, script in (("zeek", "echo zeek version 8.0.10"), ("suricata", "exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    zeek, suricata = said()
    assert zeek == ("ok", f"Zeek 8.0.10 ({tmp_path / 'zeek'}) reads captures for `aegis-enrich analyze`")
    assert suricata[0] == "problem"


def test_an_index_that_does_not_answer(doctor):
    found = [what for area, what in problems(doctor("--es", "http://127.0.0.1:9")) if area == "elasticsearch"]
    assert len(found) == 1
    assert "127.0.0.1:9" in found[0]
