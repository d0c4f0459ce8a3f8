"""Shipping: each row once at the far side, whatever is merged, dropped or killed meanwhile."""

from __future__ import annotations

import contextlib
import random
from datetime import UTC, datetime, timedelta

import pytest

from aegis_enrich.errors import StateError
from aegis_enrich.ship import Far, Round, Shipper
from aegis_enrich.store import Store, common_lake


class Killed(Exception):
    """The process is gone."""


class Mortal(Far):
    """Ends at one of its next calls, before or after it was done."""

    left = 10**9

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name not in ("read", "put", "copy", "delete", "files_in"):
            return found

        def call(*arguments):
            self.left -= 1
            if self.left == 0:
                raise Killed
            result = found(*arguments)
            self.left -= 1
            if self.left == 0:
                raise Killed
            return result

        return call


def test_what_is_committed_is_shipped_once(state, far, shipped):
    for hour in (0, 1, 30):
        state.flush("s1", hour=hour)
        state.flush("s2", hour=hour, table="dns")
    shipper = Shipper(state.root, far)
    done = shipper.round()
    assert (done.copied, done.replaced, done.missed) == (6, 0, 0) and done.bytes > 0
    assert shipped(far) == state.uids()
    assert shipper.round() == Round() == Shipper(state.root, far).round()
    with Store(state.root, read_only=True) as store:
        id_ = store.id
    assert sorted(far.files_in("s1/manifest")) == [f"s1/manifest/1970-01-0{d}.{id_}.jsonl" for d in (1, 2)]


def test_a_merged_segment_takes_the_place_of_its_parts(state, far, shipped, named):
    for _ in range(8):
        state.flush()
    shipper = Shipper(state.root, far)
    shipper.round()
    state.flush(hour=1)
    assert state.merge() == 1
    assert shipper.round().replaced == 8
    assert shipped(far) == state.uids()
    assert len(named(far)) == 2


def test_however_often_they_were_merged_meanwhile(state, far, shipped):
    for hour in range(8):
        for _ in range(8):
            state.flush(hour=hour)
        if hour == 3:
            Shipper(state.root, far).round()
        state.merge()
    assert Shipper(state.root, far).round().replaced >= 8
    assert shipped(far) == state.uids()


def test_what_retention_takes_stays_in_the_lake(state, far, shipped):
    for _ in range(9):
        state.flush()
    Shipper(state.root, far).round()
    before = shipped(far)
    state.merge()
    state.forget()
    state.flush(table="dns")
    assert Shipper(state.root, far).round().replaced == 0
    assert shipped(far) == before + state.uids()


def test_what_goes_while_it_is_copied_is_left_for_the_next_round(state, far, shipped):
    for _ in range(8):
        state.flush()
    shipper = Shipper(state.root, far)
    living = shipper._living()
    state.merge()
    shipper._living = lambda: living
    assert shipper.round() == Round(missed=8)
    assert Shipper(state.root, far).round().copied == 1
    assert shipped(far) == state.uids()


def test_files_that_nothing_names_go_after_an_hour(state, far, named):
    for _ in range(8):
        state.flush()
    now = datetime.now(UTC)
    shipper = Shipper(state.root, far, now=lambda: now)
    shipper.round()
    state.merge()
    shipper.round()

    def files():
        return sorted(path for table in far.folders("s1") for path in far.files_in(f"{table}/1970-01-01"))

    assert len(files()) == 9
    far.put("s1/conn/1970-01-01/another.0000.parquet", "of another state")
    now = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    shipper.round()
    (segment,) = named(far)
    assert files() == sorted(["s1/conn/1970-01-01/another.0000.parquet", str(segment.path)])


def test_two_states_fill_one_lake(state, far, shipped, tmp_path, named):
    other = type(state)(tmp_path / "other")
    other.rows = 1000
    for one in (state, other):
        for _ in range(8):
            one.flush()
        one.flush(hour=0, derived=True)
        one.flush(hour=1, derived=True)
    state.flush(hour=1)
    for one in (state, other):
        Shipper(one.root, far).round()
        one.merge()
        Shipper(one.root, far).round()
    assert shipped(far) == state.uids() + other.uids()
    # of the hour that both have, neither's derived hour is whole; in the next one, only one of them has rows
    assert [(s.hours, s.derived) for s in named(far) if s.derived] == [((3_600_000_000,), True)]


@pytest.mark.parametrize("derived", [False, True])
def test_days_are_dropped_on_demand_only(state, far, shipped, named, derived):
    for hour in (0, 30):
        state.flush(hour=hour)
        state.flush(hour=hour, derived=True)
    shipper = Shipper(state.root, far)
    shipper.round()
    assert shipper.drop("1970-01-02").dropped == 0  # the state still holds it
    with Store(state.root) as store, store.transaction() as tx:
        tx.execute("DELETE FROM segments WHERE min_us < 3600000000")
    assert shipper.drop("1970-01-02", derived=derived).dropped == 1 + derived
    assert shipped(far) == state.uids()
    assert sum(s.derived for s in named(far)) == 2 - derived
    assert far.files_in("s1/conn/1970-01-01") == {}
    assert shipper.round() == Round()


def test_a_round_stops_between_two_segments(state, far, shipped):
    for _ in range(4):
        state.flush()
    asked = iter([False, False, True, True, True])
    assert Shipper(state.root, far, stop=lambda: next(asked, True)).round().copied == 1
    assert sum(shipped(far).values()) == 2
    Shipper(state.root, far).round()
    assert shipped(far) == state.uids()


@pytest.mark.parametrize("seed", range(5))
def test_killed_anywhere_each_row_is_there_once(state, lake, shipped, seed):
    rng = random.Random(seed)
    far = Mortal(lake[0], endpoint=lake[1])
    reader = Far(lake[0], endpoint=lake[1])
    for _ in range(8):
        for _ in range(rng.randint(1, 5)):
            state.flush(rng.choice(["s1", "s2"]), hour=rng.choice([0, 0, 0, 30]))
        if rng.random() < 0.5:
            state.merge()
        far.left = rng.randint(1, 40)
        with contextlib.suppress(Killed):
            Shipper(state.root, far).round()
        far.left = 10**9
        seen = shipped(reader)
        assert set(seen.values()) <= {1} and not seen - state.uids()
    Shipper(state.root, far).round()
    assert shipped(reader) == state.uids()


def test_a_manifest_that_is_none_is_said(state, far):
    state.flush()
    with Store(state.root, read_only=True) as store:
        path = common_lake.manifest_of("s1", "1970-01-01", store.id)
    far.put(path, "{}\n")
    with pytest.raises(StateError, match=r"jsonl:1: is no segment"):
        Shipper(state.root, far).round()


def test_a_state_that_is_none_is_said(tmp_path, far):
    with pytest.raises(StateError, match="holds no state"):
        Shipper(tmp_path / "none", far).round()
