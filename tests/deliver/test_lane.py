"""Whatever a sink answers and wherever the process dies: nothing is lost, nothing is sent again without need."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_enrich.deliver.alerts import AlertLane
from aegis_enrich.errors import SinkError

DOCUMENTS = 12
ANSWERS = st.lists(st.one_of(st.text("...xrrt", max_size=DOCUMENTS), st.just("down"), st.just("killed")), max_size=25)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Killed(BaseException):
    """The process dies before the transaction is committed."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=ANSWERS)
def test_each_document_is_taken_or_a_dead_letter_and_only_failed_ones_go_again(store, put, told, monkeypatch, answers):
    monkeypatch.setattr(type(told), "at_once", 5)
    with store.transaction() as tx:
        for table in ("outbox", "cursors", "dead_letters"):
            tx.execute(f"DELETE FROM {table}")
    put(*((f"d{n}", 1) for n in range(DOCUMENTS)))
    told.took, told.answers = [], []
    clock, deaths = Clock(), 0
    way = AlertLane(store, told, "told:here", clock=clock)
    for answer in [*answers, *[""] * DOCUMENTS]:
        clock.now += 100
        told.answers = [SinkError("down") if answer == "down" else answer]
        if answer == "killed":
            deaths += 1
            store.crash = _die
            told.answers = ["....."]
        try:
            way.run_once()
        except Killed:
            way = AlertLane(store, told, "told:here", clock=clock)
        store.crash = lambda point: None
    taken = Counter(d.id for d in told.took)
    refused = Counter(id_ for (id_,) in store.query("SELECT doc_id FROM dead_letters"))
    there = {f"d{n}" for n in range(DOCUMENTS)} - taken.keys() - refused.keys()
    assert way.backlog() == 0 and way.cursor.position == store.query("SELECT max(seq) FROM outbox")[0][0]
    assert set(refused.values()) <= {1}
    assert len(there) <= sum(a.count("t") for a in answers if a not in ("down", "killed")), (
        "the sink said that it has them"
    )
    if not deaths:
        assert set(taken.values()) <= {1} and not taken.keys() & refused.keys()


def _die(point):
    if point == "before commit":
        raise Killed
