"""Hosts by the risk of what they do."""

from correlate.conftest import ELSEWHERE, INTRUSION, made

from aegis_enrich.correlate.hosts import rank


def test_each_is_ranked_by_what_it_does_alone(store, put, shipped):
    put(*INTRUSION, ELSEWHERE, made("packet_loss", "10.0.0.99", techniques=()), made("syn_flood", None, "10.0.0.1"))
    put(made("long_connection", "10.0.0.77", severity=21, techniques=("TA0011/T1071",)))
    ranked = rank(store, shipped, {"packet_loss"})
    assert [r.host.address for r in ranked] == [
        "10.0.0.5",
        "198.51.100.7",
        "10.0.9.9",
        "10.0.0.6",
        "10.0.0.77",
    ]
    assert ranked[0].tactics == ("TA0011", "TA0007", "TA0006", "TA0008")
    assert [r.risk for r in ranked] == sorted((r.risk for r in ranked), reverse=True)


def test_only_what_was_seen_since(store, put, shipped):
    put(*INTRUSION)
    since_us = 1_780_000_000_000_000 + 900 * 1_000_000
    assert [r.host.address for r in rank(store, shipped, since_us=since_us)] == ["10.0.0.6"]
