"""Confidence: what raises it, what lowers it and says why."""

from correlate.conftest import INTRUSION, made, seen

from aegis_enrich.correlate.acts import acts
from aegis_enrich.correlate.grounds import Ground, confidence, witnesses
from aegis_enrich.correlate.sequences import matches
from aegis_enrich.decide.conditions import Condition, Conditions

C2 = ("TA0011/T1071",)
SCANNER = Ground("scanner", "it is our scanner", Conditions((Condition("actor", "is", ("10.0.0.5",)),)), 0.1, 0.4)


def of(*documents, grounds=(), health=(), rules=()):
    alerts = seen(*documents)
    return confidence(acts(alerts), matches(alerts, rules), grounds, seen(*health))


def test_one_medium_alert_is_less_likely_than_not_and_says_why():
    sure = of(made())
    assert sure.value == 0.41  # odds 1 * 0.7
    assert sure.doubts == ("one detector alone says so (Port scan)",)
    assert sure.false_positive == 0.59


def test_severity_further_detectors_tactics_and_sensors_raise_it():
    alone = of(made(severity=73)).value
    two = of(made(severity=73), made("syn_flood", severity=47, at_s=5, techniques=("TA0007/T1046",))).value
    tactics = of(made(severity=73), made("syn_flood", at_s=5, techniques=("TA0040/T1498",))).value
    sensors = of(made(severity=73, sensors=("a", "b"))).value
    assert alone < sensors < two < tactics


def test_a_sequence_raises_it_and_nothing_is_certain(shipped):
    assert of(*INTRUSION, rules=shipped.sequences).value == 0.99
    scan_and_guess = INTRUSION[:2]
    assert of(*scan_and_guess, rules=shipped.sequences).value <= 0.99


def test_a_known_reason_lowers_confidence_and_risk_by_its_share():
    all_of_it = of(made(), grounds=[SCANNER])
    assert (all_of_it.value, all_of_it.risk) == (0.07, 0.4)
    assert "it is our scanner" in all_of_it.doubts
    half = of(made(), made("port_scan", "10.0.0.6", at_s=5), grounds=[SCANNER])
    assert half.risk == 0.7
    assert "it is our scanner (for 50 % of it)" in half.doubts
    assert of(made(actor="10.0.0.6"), grounds=[SCANNER]).risk == 1


def test_lost_packets_lower_it_and_are_told():
    lost = made("packet_loss", techniques=())
    assert of(made(), health=[lost]).value < of(made()).value
    assert any("packets were lost" in d for d in of(made(), health=[lost]).doubts)


def test_the_grounds_that_ship_know_scanners_content_networks_and_popular_places(shipped):
    by_id = {g.id: g for g in shipped.grounds}

    def holds(name, doc):
        return by_id[name].when.hold(seen(doc)[0].values())

    cdn = made("beaconing", target="203.0.113.9", name="a1.g.akamaiedge.net", techniques=C2)
    assert holds("content_network", cdn) and not holds("content_network", made(name="akamaiedge.net.evil.test"))
    assert holds("many_clients", made(clients=9, clients_share=0.6))
    assert not holds("many_clients", made(clients=1, clients_share=1.0))
    assert not holds("scanner", made())


def test_signatures_are_a_witness_of_their_own():
    assert witnesses(seen(made(), made("suricata_alert", at_s=1))) == ["sensor", "sensor (signatures)"]
