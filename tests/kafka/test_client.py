"""librdkafka's consumer against a real broker: claims, fences, ends, and positions that are gone."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from aegis_enrich.config import Kafka
from aegis_enrich.errors import ConfigError
from aegis_enrich.kafka.address import Address, settings
from aegis_enrich.kafka.claims import Claim, Frontier
from aegis_enrich.kafka.client import Client, Down, Part, Refused

PATIENCE_S = 60.0


def client(broker, *topics, group="g", instance="a", **config):
    made = settings(Address(broker, topics or ("zeek",), group), Kafka(**config), instance=instance)
    return Client(made)


def until(step, reached):
    """Steps until something came; what it was."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        step()
        if found := reached():
            return found
        assert time.monotonic() < deadline_s


def joined(one, topic):
    """Joins a group and waits for the partitions that it gives."""
    given = []
    one.join([topic], given.append, lambda: given.append(None))
    return until(lambda: one.fetch(10, 0.1), lambda: [g for g in given if g is not None])[-1]


def test_topics_have_ids_that_tell_them_apart(broker, topic):
    first, second = topic(3), topic(1)
    with closing(client(broker)) as one:
        found: dict = {}
        until(lambda: found.update(one.topics([first, second, "nothing"])), lambda: len(found) >= 2)
    assert {name: count for name, (_, count) in found.items()} == {first: 3, second: 1}
    assert found[first][0] != found[second][0] != ""


def test_messages_come_with_their_ends(broker, topic, send):
    name = topic(2)
    send(name, ((n % 2, b"s", b"%d" % n) for n in range(10)))
    with closing(client(broker, group=name)) as one:
        assert sorted(joined(one, name)) == [Part(name, 0), Part(name, 1)]
        assert one.bounds(Part(name, 0)) == (0, 5)
        one.read_from({Part(name, 0): 0, Part(name, 1): 3})
        found: dict = {}

        def step():
            for part, new in one.fetch(100, 0.1).items():
                values, _ = found.get(part, ([], None))
                found[part] = values + list(zip(new.numbers, new.keys, new.values, strict=True)), new.end

        until(step, lambda: len(found) == 2 and all(end == 5 for _, end in found.values()))
    assert found[Part(name, 0)][0] == [(n, b"s", b"%d" % (2 * n)) for n in range(5)]
    assert [n for n, _, _ in found[Part(name, 1)][0]] == [3, 4]


def test_a_claim_is_read_by_all_and_refused_to_those_who_are_out(broker, topic):
    name = topic(1)
    part = Part(name, 0)
    frontier = Frontier().claimed("a", Claim(0, 7))
    with closing(client(broker, group=name)) as one:
        joined(one, name)
        assert one.frontiers([part]) == {part: Frontier()}
        one.claim(part, frontier)
        assert one.frontiers([part]) == {part: frontier}
        member = one.member()
        with closing(client(broker, group=name)) as same:  # another process with this state
            joined(same, name)
            assert same.frontiers([part]) == {part: frontier}
            with pytest.raises(Refused):
                one.claim(part, frontier.claimed("a", Claim(0, 9)))
            same.claim(part, frontier.claimed("a", Claim(0, 8)))
            until(lambda: one.fetch(1, 0.1), lambda: one.fatal)
        assert member and "fenced" in one.fatal
    with closing(client(broker, group=name, instance="b")) as reader:  # no member: reads, and claims nothing
        assert reader.frontiers([part])[part].offset == 8
        with pytest.raises(Refused):
            reader.claim(part, frontier)


def test_a_position_that_is_gone_is_said(broker, topic, send):
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    name = topic(1)
    send(name, ((0, None, b"x") for _ in range(10)))
    admin = AdminClient({"bootstrap.servers": broker})
    for future in admin.delete_records([TopicPartition(name, 0, 6)]).values():
        future.result(30)
    part = Part(name, 0)
    with closing(client(broker, group=name)) as one:
        one.read_from({part: 2})
        seen: list = []
        until(lambda: seen.extend(one.fetch(10, 0.1).items()), lambda: any(new.gone for _, new in seen))
        assert one.bounds(part) == (6, 10)
        one.read_from({part: 6})
        until(lambda: seen.extend(one.fetch(10, 0.1).items()), lambda: any(new.numbers for _, new in seen))
        assert [n for _, new in seen for n in new.numbers][:1] == [6]


def test_brokers_that_do_not_answer_are_down():
    with closing(client("127.0.0.1:1", settings={"socket.timeout.ms": "1000"})) as one:
        one._timeout_s = 0.5
        with pytest.raises(Down):
            one.frontiers([Part("zeek", 0)])
        with pytest.raises(Down):
            one.bounds(Part("zeek", 0))
        with pytest.raises(Down):
            one.topics(["zeek"])


@pytest.mark.parametrize("wrong", [{"no.such.setting": "1"}, {"socket.timeout.ms": "soon"}])
def test_settings_that_are_none_are_said(wrong):
    with pytest.raises(ConfigError, match=r"kafka.settings: .*librdkafka's CONFIGURATION.md"):
        client("127.0.0.1:1", settings=wrong)
