"""What is claimed, as the group's offset and its metadata tell it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.kafka.claims import MOST, Claim, Frontier, read_frontier

states = st.text("0123456789abcdef", min_size=16, max_size=16)
offsets = st.integers(0, 2**63 - 1)


@given(st.lists(st.tuples(states, offsets, offsets), max_size=200))
def test_what_is_written_is_read(claims):
    frontier = Frontier()
    for state, start, end in claims:
        frontier = frontier.claimed(state, Claim(start, end))
    read = read_frontier(frontier.offset, frontier.metadata() if claims else None)
    assert read == frontier and list(read.claims) == list(frontier.claims)
    assert len(frontier.metadata()) <= 4096  # offset.metadata.max.bytes of a broker
    if claims:
        state, start, end = claims[-1]
        assert read.last(state) == read.of(state) == (start, end)


def test_the_newest_claims_are_remembered():
    frontier = Frontier()
    for n in range(MOST + 5):
        frontier = frontier.claimed(f"{n}", Claim(n, n + 1))
    assert len(frontier.claims) == MOST and frontier.of("4") is None and frontier.of("5") is not None
    assert frontier.claimed("5", Claim(0, 99)).last("5") == (0, 99)


def test_a_claim_behind_the_frontier_is_not_the_last():
    frontier = Frontier().claimed("a", Claim(0, 5)).claimed("b", Claim(5, 9))
    assert frontier.of("a") == (0, 5) and frontier.last("a") is None and frontier.last("b") == (5, 9)


@pytest.mark.parametrize("metadata", [None, "", "consumer-1", "aegis2 a:1-2", "aegis1 a", "aegis1 a:1", "aegis1 a:x-2"])
def test_metadata_of_others_says_nothing(metadata):
    assert read_frontier(7, metadata) == Frontier(7)


def test_no_offset_is_no_claim():
    assert read_frontier(None, None) == read_frontier(-1001, "aegis1 a:1-2") == Frontier()
