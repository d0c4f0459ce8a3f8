"""The source over a group that rebalances, fences, forgets and does not answer: each message once over all states."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from group import Group
from watch import Watch

from aegis_enrich.errors import AegisError, ConfigError
from aegis_enrich.kafka import member, source
from aegis_enrich.kafka.address import Address
from aegis_enrich.kafka.client import Down
from aegis_enrich.kafka.envelope import Group as Lines
from aegis_enrich.kafka.envelope import Opened

STEPS = 200


@pytest.fixture
def plain(monkeypatch):
    """Messages are lines of conn, without a look into them."""

    def opened(topic, numbers, sensors, values, *, sensor_field=""):
        named = sorted(set(sensors))
        of = {s: [i for i, name in enumerate(sensors) if name == s] for s in named}
        return Opened([Lines(s, "conn", b"x\n" * len(of[s]), [numbers[i] for i in of[s]]) for s in named])

    monkeypatch.setattr(source, "open_messages", opened)


def drain(group, watches):
    """Lets all run until there is nothing left to read or to commit."""
    group.fails = lambda call: ""
    for watch in watches:
        if watch.source is None:
            watch.start()
    for _ in range(80):
        for watch in watches:
            watch.read()
            watch.flush()


def assert_each_once(group, watches):
    sent = [(f"kafka:zeek/{part.number}", n) for part in group.parts for n in range(len(group.messages[part]))]
    got = Counter(row for watch in watches for row in watch.rows)
    assert {row: n for row, n in got.items() if n != 1} == {}, "doubled"
    assert sorted(set(sent) - set(got)) == [], "lost"


@pytest.mark.parametrize("seed", range(150))
def test_each_message_is_in_one_state_once(plain, seed):
    rng = random.Random(seed)
    group = Group(3)
    watches = [Watch(group, name) for name in "abc"[: rng.choice([2, 3])]]
    unsure = rng.choice([0.0, 0.05, 0.3])
    group.fails = lambda call: rng.choice(["before", "after"]) if rng.random() < unsure else ""
    for _ in range(STEPS):
        watch = rng.choice(watches)
        what = rng.choice(["send", "read", "read", "read", "read", "flush", "kill", "start", "kick", "rebalance"])
        if what == "send":
            for _ in range(rng.randint(1, 8)):
                group.send(rng.choice(group.parts), b"x", rng.choice([b"s", b"t"]))
        elif what == "start" and watch.source is None:
            watch.start()
        elif what == "kick":
            group.kick(watch.name)
        elif what == "rebalance" and group.members:
            group.rebalance(rng.sample(sorted(group.members), len(group.members)))
        elif watch.source is not None:
            if what == "kill":
                watch.kill()
            elif what == "read":
                watch.read(rng.choice([1, 3, 100]))
            elif what == "flush":
                watch.flush(rng.choice([None, 0, 1, 2]))
    drain(group, watches)
    assert_each_once(group, watches)


def started(group, name="a", **options):
    watch = Watch(group, name)
    watch.start(**options)
    return watch


def settle(*watches, rounds=30):
    for _ in range(rounds):
        for watch in watches:
            watch.read()
            watch.flush()


def test_a_new_group_begins_with_the_first_message():
    group = Group(2)
    for n in range(7):
        group.send(group.parts[n % 2], b'{"conn": {"ts":%d}}' % n)
    watch = started(group)
    settle(watch)
    assert_each_once(group, [watch])
    assert group.offsets[group.parts[0]] == (4, "aegis1 a:0-4")


def test_partitions_with_unread_messages_hold_and_lag_is_told(plain):
    group = Group(1)
    watch = started(group)
    settle(watch)
    assert watch.source.pending() == [] and watch.source.lag_bytes == 0
    group.send(group.parts[0], b"x" * 100)
    assert [(log.sensor, log.state.path) for log in watch.source.pending()] == [("s", "kafka:zeek/0")]
    settle(watch)
    assert watch.source.pending() == []
    for _ in range(30):
        group.send(group.parts[0], b"x" * 100)
    assert watch.source.lag_by_log() == {("s", "conn"): 3000} and watch.source.lag_bytes == 3000
    settle(watch)


@pytest.mark.parametrize("why", ["no broker", "stood still"])
def test_while_nobody_knows_what_is_unread_it_may_be(plain, why):
    group = Group(1)
    group.send(group.parts[0], b"x")
    watch = started(group)
    settle(watch)
    client, source_ = watch.source.member.client, watch.source
    bounds = client.bounds

    def no_answer(part, *, cached=False):
        raise Down("timed out")

    client.bounds = no_answer
    if why == "no broker":
        client.down = why
    else:
        for _ in range(40):
            next(watch.ticks)
    assert source_.pending(), "nobody knows"
    for _ in range(20):
        assert source_.pending()
    assert source_.unreadable.keys() == {"kafka://broker:9092/zeek"}
    client.bounds = lambda part, *, cached=False: (setattr(client, "down", ""), bounds(part))[1]
    for _ in range(20):
        source_.wait(0.0)
    assert source_.pending() == [] and source_.unreadable == {}


def test_nothing_is_handed_on_before_every_partition_has_been_heard(plain, monkeypatch):
    group = Group(2)
    watch = started(group)
    group.send(group.parts[0], b"x")
    group.send(group.parts[1], b"x")
    heard = {group.parts[0]}
    fetch = watch.source.member.client.fetch
    monkeypatch.setattr(
        watch.source.member.client, "fetch", lambda *a: {p: f for p, f in fetch(*a).items() if p in heard}
    )
    for _ in range(2):
        watch.read()
    assert watch.waiting == []
    heard.add(group.parts[1])
    watch.source.member.client.at[group.parts[1]] = 0
    settle(watch)
    assert_each_once(group, [watch])


def test_poison_is_told_by_its_offset():
    group = Group(1)
    for value in (b'{"conn": {"ts":1}}', b"poison", b'{"conn": {"ts":"?"}}'):
        group.send(group.parts[0], value)
    watch = started(group)
    settle(watch)
    assert watch.letters == [("kafka:zeek/0", 1)]
    assert watch.rows == [("kafka:zeek/0", 0), ("kafka:zeek/0", 2)]  # what the decoder makes of the last, it says


def test_messages_that_were_deleted_are_said_as_lost(plain):
    group = Group(1)
    for _ in range(10):
        group.send(group.parts[0], b"x")
    group.low[group.parts[0]] = 4
    watch = started(group)
    settle(watch)
    assert watch.source.lost == [] and len(watch.rows) == 6  # before a group's first start is no loss
    watch.kill()
    for _ in range(5):
        group.send(group.parts[0], b"x")
    group.low[group.parts[0]] = 12
    watch.start()
    settle(watch)
    assert [(lost.path, lost.messages, lost.sensor) for lost in watch.source.lost] == [("kafka:zeek/0", 2, "s")]
    assert watch.rows[-1] == ("kafka:zeek/0", 14) and len(watch.rows) == 9


def test_messages_that_are_deleted_while_it_reads_are_lost(plain):
    group = Group(1)
    watch = started(group)
    settle(watch)
    part = group.parts[0]
    for _ in range(40):
        group.send(part, b"x")
    watch.source.member.client.at[part] = 0
    group.low[part] = 30
    settle(watch)
    assert sum(lost.messages for lost in watch.source.lost) == 30
    assert len(watch.rows) == 10


def test_brokers_that_lost_messages_are_said(plain):
    group = Group(1)
    for _ in range(10):
        group.send(group.parts[0], b"x")
    watch = started(group)
    settle(watch)
    watch.kill()
    del group.messages[group.parts[0]][5:]
    watch.start()
    settle(watch)
    assert [lost.messages for lost in watch.source.lost] == [0]  # how many is not known
    group.send(group.parts[0], b"x")
    settle(watch)
    assert watch.rows[-1] == ("kafka:zeek/0", 5)


def test_what_is_owed_and_deleted_is_lost_and_holds_nobody_up(plain):
    group = Group(1)
    for _ in range(6):
        group.send(group.parts[0], b"x")
    a, b = started(group, "a"), Watch(group, "b")
    for _ in range(10):
        a.read()
    assert len(a.waiting) and not a.rows
    a.kill()
    b.start()
    group.kick("a")
    settle(b)
    group.low[group.parts[0]] = 6
    for _ in range(3):
        group.send(group.parts[0], b"x")
    a.start()
    settle(b, a)
    assert sum(lost.messages for lost in a.source.lost) == 6
    group.kick("b")
    settle(a)
    group.send(group.parts[0], b"x")
    settle(a)
    assert len(a.rows) + len(b.rows) == 4


def test_a_topic_that_is_made_anew_is_read_from_its_beginning(plain):
    group = Group(1)
    for _ in range(10):
        group.send(group.parts[0], b"x")
    watch = started(group)
    settle(watch)
    group.messages = {p: [(b"s", b"y")] * 12 for p in group.parts}
    group.identity, group.offsets = "id-2", {}
    for _ in range(100):
        next(watch.ticks)
    settle(watch)
    assert len(watch.rows) == 22


def test_a_run_that_ends_with_the_input_ends_where_that_was(plain):
    group = Group(2)
    for n in range(9):
        group.send(group.parts[n % 2], b"x")
    watch = started(group, once=True)
    watch.read()
    group.send(group.parts[0], b"later")
    while watch.read():
        watch.flush()
    watch.flush()
    assert len(watch.rows) == 9
    watch.start(once=True)
    while watch.read():
        watch.flush()
    watch.flush()
    assert_each_once(group, [watch])


def test_it_says_why_no_partitions_come():
    group = Group(1)
    watch = started(group, once=True)
    watch.source.member.client.topics = lambda names: {}
    with pytest.raises(ConfigError, match="no topic zeek; name one that is there"):
        watch.read()
    watch.start(once=True)
    group.fails = lambda call: "before"
    with pytest.raises(AegisError, match="no partitions came in 25 s: timed out"):
        watch.read()


def test_a_claim_of_another_is_seen_though_nobody_told(plain):
    group = Group(1)
    watch = started(group)
    settle(watch)
    group.offsets[group.parts[0]] = (3, "aegis1 b:0-3")
    for _ in range(5):
        group.send(group.parts[0], b"x")
    settle(watch)
    assert watch.rows == []
    group.rebalance()
    settle(watch)
    assert watch.rows == [("kafka:zeek/0", 3), ("kafka:zeek/0", 4)]


def test_a_claim_outside_of_the_group_ends_the_run(plain, monkeypatch):
    group = Group(1)
    watch = started(group)
    settle(watch)
    group.send(group.parts[0], b"x")
    client = watch.source.member.client
    monkeypatch.setattr(member, "UNFENCED_S", 0.0)
    monkeypatch.setattr(client, "claim", lambda part, frontier: setattr(client, "_id", ""))
    with pytest.raises(AegisError, match="while this watch had been put out of its group"):
        settle(watch)
    assert watch.rows == []


def test_a_state_that_is_used_twice_is_said():
    watch = started(Group(1))
    watch.source.member.client.fatal = "Static consumer fenced by other consumer with same group.instance.id"
    with pytest.raises(AegisError, match="has the state been copied, and both are in use"):
        watch.read()


def test_a_fixed_sensor_and_what_is_skipped():
    group = Group(1)
    for value in (b'{"conn": {"ts":1}}', b'{"reporter": {"ts":1}}'):
        group.send(group.parts[0], value, key=b"key")
    watch = started(group, address=Address("broker:9092", ("zeek",), sensor="lab"))
    settle(watch)
    assert {s.sensor for s in watch.states.values()} == {"lab"}
    assert list(watch.source.skipped) == ["reporter"] and watch.rows == [("kafka:zeek/0", 0)]


def test_a_partition_that_is_not_read_is_not_fetched_on(plain, monkeypatch):
    monkeypatch.setattr(member, "BUFFER_BYTES", 100)
    group = Group(1)
    for _ in range(50):
        group.send(group.parts[0], b"x" * 50)
    watch = started(group)
    for _ in range(20):
        watch.source.wait(0.0)
    assert watch.source.member.parts[group.parts[0]].main.size <= 500
    settle(watch, rounds=60)
    assert_each_once(group, [watch])
