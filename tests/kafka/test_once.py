"""`watch --once` over topics: what is there is read to its end; what is no line is a dead letter with its offset."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from aegis_enrich.cli.watch import command
from aegis_enrich.errors import ConfigError
from aegis_enrich.store import Store

LAB = Path(__file__).parents[1] / "data" / "lab"


def watch(*arguments):
    result = CliRunner().invoke(command, [*map(str, arguments), "--once"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_topics_of_a_log_each_and_eve(tmp_path, broker, topic, send):
    conn, eve = topic(1, prefix="x"), topic(2, prefix="x")
    lines = (LAB / "beacon_https_60s" / "json" / "conn.log").read_bytes().splitlines()
    tagged = [b'{"conn": %s}' % line for line in lines]
    send(conn, ((0, b"zeek", line) for line in [*tagged, b"poison", b'{"conn": {"ts":"?"}}', b'{"stats": {"ts":1}}']))
    events = gzip.decompress((LAB / "dns_tunnel" / "eve.json.gz").read_bytes()).splitlines()
    send(eve, ((n % 2, b"suricata", line) for n, line in enumerate(events)))
    address = f"kafka://{broker}/{conn},{eve}?group={conn}"
    output = watch(address, "--state", tmp_path / "s")
    assert "2 bad lines" in output
    with closing(Store(tmp_path / "s", read_only=True)) as store:
        letters = store.query("SELECT origin, offset, body, reason FROM dead_letters ORDER BY offset")
        sensors = dict(store.query("SELECT sensor, sum(rows) FROM logs GROUP BY sensor"))
        tables = {row[0] for row in store.query("SELECT DISTINCT tbl FROM segments WHERE sensor = 'suricata'")}
    assert [letter[:3] for letter in letters] == [
        (f"kafka:{conn}/0", len(lines), b"poison"),
        (f"kafka:{conn}/0", len(lines) + 1, b'{"ts":"?"}'),
    ]
    assert sensors["zeek"] == len(lines) and {"conn", "dns"} <= tables
    kinds = [json.loads(e)["event_type"] for e in events]
    assert sensors["suricata"] >= kinds.count("flow") + kinds.count("dns")

    again = watch(address, "--state", tmp_path / "s")
    assert "\n0 rows () in" in f"\n{again}"
    send(conn, iter([(0, b"zeek", tagged[0])]))
    assert "1 rows (conn 1)" in watch(address, "--state", tmp_path / "s")


def test_one_name_for_all_and_a_topic_that_is_not_there(tmp_path, broker, topic, send):
    name = topic(1, prefix="zeek.conn")  # its end is no log's, so `_path` says it
    send(name, iter([(0, None, b'{"ts":1,"uid":"C1","_path":"conn"}')]))
    watch("--sensor", f"dmz=kafka://{broker}/{name}?group={name}", "--state", tmp_path / "s")
    with closing(Store(tmp_path / "s", read_only=True)) as store:
        assert store.query("SELECT DISTINCT sensor FROM segments WHERE derived = 0") == [("dmz",)]
    with pytest.raises(ConfigError, match="no topic nothing; name one that is there"):
        watch(f"kafka://{broker}/nothing", "--state", tmp_path / "t")


def test_messages_that_kafka_deleted_are_counted_and_said(tmp_path, broker, topic, send, caplog):
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    name = topic(1)
    line = b'{"conn": {"ts":1600000000,"uid":"C1"}}'
    send(name, ((0, b"lab", line) for _ in range(3)))
    arguments = (f"kafka://{broker}/{name}?group={name}", "--state", tmp_path / "s")
    watch(*arguments)
    send(name, ((0, b"lab", line) for _ in range(7)))
    admin = AdminClient({"bootstrap.servers": broker})
    for future in admin.delete_records([TopicPartition(name, 0, 8)]).values():
        future.result(60)
    output = watch(*arguments)
    assert "2 rows (conn 2)" in output
    assert (
        f"kafka:{name}/0: 5 messages are gone that were not read; keep them (retention.ms of the topic) longer"
        in caplog.text
    )
    with closing(Store(tmp_path / "s", read_only=True)) as store:
        assert store.counters()["lost_messages", "lab"] == 5
