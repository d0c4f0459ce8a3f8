"""Incidents as they are read: the worst first, with triage, and those that became part of others."""

from correlate.conftest import ELSEWHERE, INTRUSION, living

from aegis_enrich.correlate.read import incident_documents, resolve
from aegis_enrich.store.triage import Mark, Triage


def test_the_worst_comes_first_and_merged_ones_are_left_out(store, put, correlate):
    put(INTRUSION[1], INTRUSION[5], ELSEWHERE)
    correlate()
    put(*INTRUSION)
    correlate()
    found = incident_documents(store)
    assert [d["aegis"]["alert_count"] for d in found] == [6, 1]
    assert found[0]["event"]["risk_score"] > found[1]["event"]["risk_score"]
    assert found[0]["aegis"]["status"] == "open"


def test_what_was_said_of_an_incident_goes_with_it_into_another(store, put, correlate):
    put(INTRUSION[1], INTRUSION[5])
    correlate()
    second = max(living(store), key=lambda d: d["@timestamp"])["event"]["id"]
    Triage(store.root).say(Mark(second, "2026-05-29T08:00:00+00:00", "open", "our backup?", "ada", 1))
    put(*INTRUSION)
    correlate()
    (whole,) = incident_documents(store)
    assert resolve(store, second) == whole["event"]["id"] == resolve(store, whole["event"]["id"])
    assert whole["aegis"]["triage"]["notes"][0]["note"] == "our backup?"
