"""Addresses and settings: what an operator may set, and what not."""

from __future__ import annotations

import pytest

from aegis_enrich.config import Kafka
from aegis_enrich.errors import ConfigError, Problems
from aegis_enrich.kafka.address import Address, is_address, parse, settings


def test_an_address_is_brokers_and_topics():
    text = "kafka://b1:9092,b2/zeek,suricata?group=site&sensor_field=observer.name"
    assert is_address(text) and not is_address("/var/log/zeek")
    found = parse(text, Kafka(), sensor="lab")
    assert found == Address("b1:9092,b2", ("zeek", "suricata"), "site", "lab", "observer.name")
    assert str(found) == "kafka://b1:9092,b2/zeek,suricata"
    assert parse("kafka://b/t", Kafka(group="g", sensor_field="f")) == Address("b", ("t",), "g", "", "f")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kafka://b1:9092", "write it as kafka://BROKER:9092"),
        ("kafka:///zeek", "write it as kafka://BROKER:9092"),
        ("kafka://b/a/b", "write it as kafka://BROKER:9092"),
        ("kafka://user:secret@b/zeek", "use AEGIS_KAFKA_USERNAME and AEGIS_KAFKA_PASSWORD"),
        ("kafka://b/zeek?from=1", "unknown option from; known are group and sensor_field"),
    ],
)
def test_what_is_no_address_is_said(text, said):
    with pytest.raises(ConfigError, match=said) as raised:
        parse(text, Kafka())
    assert "secret" not in str(raised.value)


def test_the_settings_that_all_depends_on_are_ours(monkeypatch):
    monkeypatch.setenv("AEGIS_KAFKA_PASSWORD", "s3cret")
    config = Kafka(settings={"security.protocol": "SASL_SSL", "socket.timeout.ms": "5000"}, away_s=30)
    found = settings(Address("b:9092", ("zeek",), "g"), config, instance="0123")
    assert found["group.id"] == "g" and found["group.instance.id"] == "aegis-0123"
    assert found["enable.auto.commit"] is False and found["auto.offset.reset"] == "error"
    assert found["session.timeout.ms"] == 30_000 <= found["max.poll.interval.ms"]
    once = settings(Address("b:9092", ("zeek",), "g"), config, instance="0123", once=True)
    assert once == found | {"session.timeout.ms": 10_000}
    assert found["partition.assignment.strategy"] == "range"
    assert (found["security.protocol"], found["socket.timeout.ms"]) == ("SASL_SSL", "5000")
    assert found["sasl.password"] == "s3cret" and "sasl.username" not in found


def test_all_that_cannot_be_set_is_said_at_once():
    wrong = {"enable.auto.commit": "true", "group.id": "x", "sasl.password": "x"}
    wrong |= {"partition.assignment.strategy": "cooperative-sticky"}
    with pytest.raises(Problems) as raised:
        settings(Address("b", ("t",)), Kafka(settings=wrong), instance="0")
    said = str(raised.value).splitlines()
    assert len(said) == 4
    assert "sasl.password is a secret; put it into AEGIS_KAFKA_PASSWORD" in str(raised.value)
    assert "group.id cannot be set: use kafka.group" in str(raised.value)
