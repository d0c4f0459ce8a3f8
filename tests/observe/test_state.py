"""What a scrape reads of the state, and that it never waits or raises."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from aegis_enrich.deliver.alerts import AlertLane
from aegis_enrich.observe.state import KEPT_S, StateReadings
from aegis_enrich.plugin import Sink
from aegis_enrich.store import Store
from aegis_enrich.store.state import add


class Nowhere(Sink):
    name, target = "nowhere", "nowhere"

    def deliver(self, documents):
        return [("stored", "")] * len(documents)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "state") as store:
        yield store


def taken(readings: StateReadings) -> dict[tuple[str, tuple[str, ...]], float]:
    return {(name, labels): value for name, labels, value in readings.take()}


def test_counters_become_metrics_by_their_names(store):
    with store.transaction() as tx:
        for name, sensor, value in (
            ("lost_bytes", "dmz", 7),
            ("future_rows", "dmz", 3),
            ("refused", "", 2),
            ("retention_undelivered_rows", "", 9),
            ("opened:port_scan:73", "", 4),
            ("opened:sigma:with:colons:21", "", 1),
            ("suppressed:dga", "dmz", 5),
            ("suppressed:dga", "office", 6),
            ("of a later version", "dmz", 1),
        ):
            add(tx, name, sensor, value)
    found = taken(StateReadings(store.root, dict))
    assert found["lost_bytes_total", ("dmz",)] == 7
    assert found["future_rows_total", ("dmz",)] == 3
    assert found["refused_documents_total", ()] == 2
    assert found["retention_undelivered_rows_total", ()] == 9
    assert found["alerts_opened_total", ("port_scan", "73")] == 4
    assert found["alerts_opened_total", ("sigma:with:colons", "21")] == 1
    assert found["suppressed_findings_total", ("dga",)] == 11


def test_what_waits_is_asked_of_the_lane_over_a_connection_that_only_reads(store):
    lane = AlertLane(store, Nowhere({}), "nowhere:nowhere")
    with store.transaction() as tx:
        for seq in range(3):
            tx.execute("INSERT INTO outbox (kind, id, revision, body) VALUES ('alert', ?, 1, '{}')", [str(seq)])
        tx.execute("UPDATE outbox SET queued_us = queued_us - 100000000")
    readings = StateReadings(store.root, lambda: {"nowhere": [lane]})
    found = taken(readings)
    assert found["outbox_documents", ("nowhere", "documents")] == 3
    assert 100 <= found["outbox_oldest_age_seconds", ("nowhere",)] < 200
    while lane.run_once():
        pass
    assert found == taken(readings)  # kept for some seconds
    later = taken(StateReadings(store.root, lambda: {"nowhere": [lane]}))
    assert later["outbox_documents", ("nowhere", "documents")] == 0
    assert later["outbox_oldest_age_seconds", ("nowhere",)] == 0
    readings.close()


def test_it_reads_beside_an_open_transaction_and_sees_what_was_committed_before(store):
    with store.transaction() as tx:
        add(tx, "lost_bytes", "dmz", 1)
    with store.transaction() as tx:
        add(tx, "lost_bytes", "dmz", 1)
        assert taken(StateReadings(store.root, dict))["lost_bytes_total", ("dmz",)] == 1


def test_a_state_that_is_not_there_yet_gives_nothing_and_then_something(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    clock = SimpleNamespace(now_s=0.0)
    readings = StateReadings(tmp_path / "state", dict, clock=lambda: clock.now_s)
    assert (list(readings.take()), readings.ok) == ([], False)
    assert "no readings of the state" in caplog.text
    with Store(tmp_path / "state"):
        clock.now_s += KEPT_S
        assert (bool(readings.take()), readings.ok) == (True, True)
        (tmp_path / "state" / "state.db").write_bytes(b"no database at all, but for its size" * 1000)
        clock.now_s += KEPT_S
        readings.take()  # whatever it finds, it raises nothing
    readings.close()
