"""Doubling, holes, spreading and probes change what they say and nothing else."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.edits import byte_probes, double, head, holes, spread
from lab.pcaps import Packet, parts, read, sealed

CAPTURES = Path(__file__).parents[1] / "data" / "pcap"
times = st.lists(st.integers(0, 10**9), min_size=1, max_size=50).map(sorted)


def at(*times_us: int) -> list[Packet]:
    return [Packet(t, f"{i}".encode()) for i, t in enumerate(times_us)]


@given(times)
def test_every_frame_is_there_twice_and_in_order(times_us: list[int]) -> None:
    packets = at(*times_us)
    doubled = double(packets)
    assert Counter(p.data for p in doubled) == {p.data: 2 for p in packets}
    assert [p.ts_us for p in doubled] == sorted(p.ts_us for p in doubled)
    assert set(packets) <= set(doubled)


@given(times)
def test_a_copy_comes_within_its_time(times_us: list[int]) -> None:
    first = {p.data: p.ts_us for p in at(*times_us)}
    gaps = sorted(p.ts_us - first[p.data] for p in double(at(*times_us), most_us=7))
    assert gaps[: len(times_us)] == [0] * len(times_us)
    assert all(1 <= gap <= 7 for gap in gaps[len(times_us) :])


def test_copies_mix_with_what_follows_at_once() -> None:
    data = [p.data for p in double(at(*range(100)), most_us=40)]
    assert data != [d for p in at(*range(100)) for d in (p.data, p.data)]


def test_holes_are_bursts_of_about_the_share() -> None:
    packets = at(*range(100_000))
    kept = holes(packets, share=0.03, mean=5.0)
    gone = [b.ts_us - a.ts_us - 1 for a, b in pairwise(kept) if b.ts_us > a.ts_us + 1]
    assert sum(gone) / len(packets) == pytest.approx(0.03, abs=0.005)
    assert sum(gone) / len(gone) == pytest.approx(5.0, abs=0.5)


def test_edits_give_the_same_each_time() -> None:
    packets = at(*range(1000))
    assert double(packets) == double(packets) != double(packets, seed=2)
    assert holes(packets) == holes(packets) != holes(packets, seed=4)


def test_the_head_is_so_many_seconds() -> None:
    assert [p.ts_us for p in head(at(5, 1_000_004, 1_000_005), 1)] == [5, 1_000_004]


def test_spreading_moves_flows_and_keeps_what_is_within() -> None:
    packets = read(CAPTURES / "latency.pcap.gz")
    moved = spread(packets, 180)
    begin, end = moved[0].ts_us, moved[-1].ts_us
    assert begin == packets[0].ts_us and (end - begin) / 3.6e9 == pytest.approx(9, abs=0.1)

    def inner(some: list[Packet]) -> set[tuple[object, ...]]:
        by_flow: dict[object, list[int]] = {}
        for packet in some:
            if where := parts(packet.data):
                by_flow.setdefault(where.flow, []).append(packet.ts_us)
        return {(flow, *(t - ts[0] for t in ts)) for flow, ts in by_flow.items()}

    assert inner(moved) == inner(packets)


def test_probes_carry_a_byte_and_nothing_else_changes() -> None:
    before, after = read(CAPTURES / "keepalive.pcap.gz"), read(CAPTURES / "keepalive_byte.pcap.gz")
    assert byte_probes(before) == after
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 98  # as many as tshark calls keep-alive
    for old, new in changed:
        a, b = parts(old.data), parts(new.data)
        assert a and b and a.payload == a.end and b.payload + 1 == b.end and a.flow == b.flow
        assert sealed(new.data) == new.data
