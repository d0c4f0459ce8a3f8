"""What is fetched of a partition and not handed on, whatever gaps its offsets have."""

from __future__ import annotations

from aegis_enrich.follow import LogState
from aegis_enrich.kafka.client import Fetched, Part
from aegis_enrich.kafka.partition import Partition, Reading


def fetched(*numbers, end=None, size=10):
    return Fetched(list(numbers), [None] * len(numbers), [b"x" * size for _ in numbers], end)


def test_messages_are_handed_on_by_bytes():
    reading = Reading(5)
    assert not reading.ready and reading.behind and reading.batch(100) is None
    reading.add(fetched(5, 6, 9), now_s=1.0)
    reading.add(fetched(12, end=14), now_s=2.0)
    assert (reading.next, reading.size, reading.since_s, reading.caught_up) == (13, 40, 1.0, True)
    batch = reading.batch(15)
    assert (batch.numbers, batch.end) == ([5, 6], 7)
    reading.drop(batch, now_s=3.0)
    assert (reading.at, reading.size, reading.since_s) == (7, 20, 3.0)
    batch = reading.batch(1)
    assert (batch.numbers, batch.end) == ([9], 10)
    reading.drop(batch, now_s=3.0)
    reading.drop(reading.batch(10**6), now_s=3.0)
    assert reading.at == 13 and not reading.behind and reading.batch(1) is None
    reading.add(fetched(14), now_s=4.0)
    assert reading.behind and not reading.caught_up


def test_what_was_fetched_twice_is_taken_once():
    reading = Reading(3)
    reading.add(fetched(1, 2, 3, 4), now_s=0.0)
    reading.add(fetched(3, 4, 5), now_s=0.0)
    assert reading.numbers == [3, 4, 5]


def test_an_end_is_reached_by_messages_or_by_the_end_of_all():
    reading = Reading(0, end=10)
    reading.add(fetched(0, 4), now_s=0.0)
    assert reading.batch(10**6).end == 5 and not reading.over
    reading.add(fetched(11, 12), now_s=0.0)  # the ones between were compacted away
    batch = reading.batch(10**6)
    assert (batch.numbers, batch.end) == ([0, 4], 10)
    reading.drop(batch, now_s=0.0)
    assert reading.done and not reading.behind and reading.batch(1) is None

    empty = Reading(4, end=10)
    empty.add(fetched(end=10), now_s=0.0)
    assert empty.ready and empty.behind
    batch = empty.batch(1)
    assert (batch.numbers, batch.end) == ([], 10)

    assert Reading(10, end=10).done


def test_a_partition_knows_its_own_logs_only():
    part = Partition(Part("zeek", 3), "id")
    mine = part.log("s", "conn").state
    states = [
        LogState("a", "s", "conn", mine.node, head_hash="id", path="kafka:zeek/3", position=7),
        LogState("b", "t", "dns", mine.node, head_hash="id", path="kafka:zeek/3", position=9),
        LogState("c", "s", "ssl", mine.node, head_hash="another topic of this name", path="kafka:zeek/3", position=99),
        LogState("d", "s", "ssl", mine.node, head_hash="id", path="kafka:zeek/33", position=99),
    ]
    known = Partition(Part("zeek", 3), "id")
    known.know(states)
    assert (known.durable, known.handed, known.sensors) == (9, 9, ["s", "t"])
    assert known.log("s", "conn").state.id == "a"
    assert all(log.together is known.together for log in known.logs.values()) and len(known.together) == 2
    assert part.log("s", "conn").state == mine and part.log("t", "conn").state.id != mine.id
