"""Every form in which senders wrap a line, to the line; and what is none."""

from __future__ import annotations

import json

import pytest

from aegis_enrich.kafka.envelope import open_messages

CONN = b'{"ts":1591367999.305988,"uid":"C1","id.orig_h":"10.0.0.1"}'
BEAT = {"@timestamp": "2026-01-01T00:00:00.000Z", "agent": {"type": "filebeat"}, "ecs": {"version": "8.0.0"}}


def beat(**fields):
    return json.dumps(BEAT | fields).encode()


def opened(*values, topic="zeek", **options):
    return open_messages(topic, list(range(10, 10 + len(values))), ["s"] * len(values), values, **options)


def lines(found):
    return [(g.log, list(map(int, g.numbers)), g.data) for g in found.groups]


@pytest.mark.parametrize(
    "value",
    [
        b'{"conn": ' + CONN + b"}",
        b' { "conn" : ' + CONN + b" } \n",
        b'{"conn": ' + CONN + b',"site": "x"}',
        beat(message=CONN.decode(), event={"dataset": "zeek.connection"}),
        beat(message=CONN.decode(), log={"file": {"path": "/opt/zeek/logs/current/conn.log"}}),
        beat(message=CONN.decode(), data_stream={"dataset": "zeek.connection"}, host={"name": "h"}),
    ],
)
def test_a_line_of_conn_comes_out_as_it_was_written(value):
    assert lines(opened(value)) == [("conn", [10], CONN + b"\n")]


def test_fields_of_filebeat_are_taken_out_of_it():
    ours = json.loads(CONN)
    for value in (beat(json=ours, event={"dataset": "zeek.connection"}), beat(**ours, event={"dataset": "zeek.conn"})):
        ((log, numbers, data),) = lines(opened(value))
        assert (log, numbers, json.loads(data)) == ("conn", [10], ours)


def test_lines_as_they_are():
    assert lines(opened(CONN, topic="zeek.conn")) == [("conn", [10], CONN + b"\n")]
    with_path = b'{"_path":"dns",' + CONN[1:]
    assert lines(opened(with_path)) == [("dns", [10], with_path + b"\n")]
    assert lines(opened(b'{"_path":"conn"}', topic="zeek.open_conn")) == [("open_conn", [10], b'{"_path":"conn"}\n')]
    eve = b'{"timestamp":"2026-01-01T00:00:00.000000+0000","event_type":"flow"}'
    assert lines(opened(eve)) == lines(opened(eve, topic="zeek.conn")) == [("eve", [10], eve + b"\n")]
    assert lines(opened(beat(message=eve.decode()))) == [("eve", [10], eve + b"\n")]
    tsv = "1.5\tC1\t10.0.0.1"
    assert lines(opened(tsv.encode(), topic="conn")) == [("conn", [10], tsv.encode() + b"\n")]
    assert lines(opened(beat(message=tsv, log={"file": {"path": "conn.log"}}))) == [
        ("conn", [10], tsv.encode() + b"\n")
    ]


def test_logs_and_sensors_are_sorted_out_in_order():
    values = [b'{"dns": {"ts":1}}', b'{"conn": {"ts":2}}', b'{"dns": {"ts":3},"sensor":"b"}', b"", b'{"dns": {"ts":4}}']
    found = open_messages("zeek", [3, 5, 8, 9, 11], ["a"] * 5, values, sensor_field="sensor")
    assert [(g.sensor, g.log, list(g.numbers), g.data) for g in found.groups] == [
        ("a", "conn", [5], b'{"ts":2}\n'),
        ("a", "dns", [3, 11], b'{"ts":1}\n{"ts":4}\n'),
        ("b", "dns", [8], b'{"ts":3}\n'),
    ]


@pytest.mark.parametrize("field", ["observer.name", "observer"])
def test_a_field_names_the_sensor(field):
    value = json.dumps({"conn": {"ts": 1}, "observer": {"name": "lab"} if "." in field else "lab"}).encode()
    assert opened(value, sensor_field=field).groups[0].sensor == "lab"
    assert opened(value, sensor_field="nothing.here").groups[0].sensor == "s"


def test_logs_that_are_not_read_are_counted():
    found = opened(
        b'{"reporter": {"ts":1}}', b'{"reporter": {"ts":2}}', b'{"_path":"stats","ts":1}', b'{"conn": {"ts":1}}'
    )
    assert found.skipped == {"reporter": 2, "stats": 1} and not found.refused
    assert lines(found) == [("conn", [13], b'{"ts":1}\n')]


def test_what_is_nothing_is_refused_and_harms_no_other():
    found = opened(b"garbage \xff\x00", b'{"a":1', b'{"ts":1}', b"[1]", b'{"conn": {"ts":1}}', b'{"conn": 5}')
    assert lines(found) == [("conn", [14], b'{"ts":1}\n')]
    assert [(sensor, number) for sensor, number, _, _ in found.refused] == [
        ("s", 10),
        ("s", 11),
        ("s", 12),
        ("s", 13),
        ("s", 15),
    ]
    assert found.refused[0][2:] == (b"garbage \\\\xff\x00", "not JSON, and the topic is not named after a log")
    assert "no log is named" in found.refused[2][3]


def test_a_message_of_several_lines_is_one_line():
    value = json.dumps({"conn": {"ts": 1, "uid": "a\nb"}}, indent=2).encode()
    ((_, _, data),) = lines(opened(value, CONN.replace(b"C1", b"C2"), topic="conn"))
    assert data.count(b"\n") == 2 and json.loads(data.split(b"\n")[0])["uid"] == "a\nb"


def test_nothing_is_nothing():
    assert opened(b"").groups == [] and opened(b"", b"").refused == []
