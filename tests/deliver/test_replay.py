"""Refused documents go again once it is asked for: taken they are gone, refused they stay with the new reason."""

from __future__ import annotations

import pytest

from aegis_enrich.deliver import Delivery
from aegis_enrich.deliver.replay import Replay, replayed
from aegis_enrich.errors import SinkError
from aegis_enrich.plugin import Document
from aegis_enrich.store.letters import Selection, carry_out, letters, order, refuse


@pytest.fixture
def refused(store):
    """Three alerts and a row that the sink refused, all marked."""
    with store.transaction() as tx:
        refuse(tx, "told:here", [(Document("alert", f"a{n}", 1, {"n": n}), n, "400") for n in range(3)])
        refuse(tx, "told:here#conn", [(Document("row", "seg-1", 0, {"uid": "C1"}), 1, "400")], "conn")
        refuse(tx, "other:there", [(Document("alert", "b", 1, {}), 1, "400")])
        carry_out(tx, "replay", Selection(origin="told"))
    return store


def left(store):
    return [(x.document, x.reason, x.attempts, x.replay) for x in letters(store, Selection(origin="told"))]


def test_what_is_taken_is_gone_and_what_is_refused_stays(refused, told):
    told.answers = [".x."]
    assert Replay(refused, told, "told:here").run_once()
    assert [d.id for d in told.took] == ["a0", "a2", "seg-1"]
    assert left(refused) == [("a1", "said refused", 2, False)]
    assert refused.counters()["replayed", ""] == 3
    assert len(letters(refused, Selection(origin="other"))) == 1


def test_what_must_wait_stays_marked(refused, told, down):
    told.answers = ["r.r", "."]
    replay = Replay(refused, told, "told:here")
    assert replay.run_once() and replay.waits() == 2
    told.answers = [down]
    assert replayed(replay) == str(down) and replay.waits() == 2
    told.answers = ["rr"]
    with pytest.raises(SinkError, match="said retry"):
        replay.run_once()
    assert replayed(replay) == "" and left(refused) == []


def test_a_running_delivery_takes_up_orders(store, told):
    with store.transaction() as tx:
        refuse(tx, "told:here", [(Document("alert", "a", 1, {}), 1, "400")])
    delivery = Delivery(store, {"told": told})
    order(store.root, "replay", Selection())
    assert delivery._workers[0].turn()
    assert [d.id for d in told.took] == ["a"] and left(store) == []
    delivery.close()


def test_at_the_end_of_a_run_what_is_marked_goes_too(refused, told):
    delivery = Delivery(refused, {"told": told})
    assert delivery.drain(10) == []
    delivery.close()
    assert left(refused) == []


def test_a_sink_that_is_down_makes_its_lane_wait(refused, put, told, down):
    put(("new", 1))
    told.answers = [".", down]
    delivery = Delivery(refused, {"told": told})
    worker = delivery._workers[0]
    assert worker.turn() and worker.lanes[0].waiting()
    assert not worker.turn()
    assert [d.id for d in told.took] == ["new"] and len(left(refused)) == 4
