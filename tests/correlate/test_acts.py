"""Alerts of the same act: one leads, the others corroborate it."""

from correlate.conftest import made, seen

from aegis_enrich.correlate.acts import acts, relations

C2 = ("TA0011/T1071",)


def shape(*documents):
    return [(a.lead.rule, [o.rule for o in a.others]) for a in acts(seen(*documents))]


def test_two_detectors_over_one_channel_are_one_act_that_the_worse_leads():
    beacon = made("beaconing", target="203.0.113.9", for_s=900, techniques=C2, severity=73)
    tls = made("tls_c2", target="203.0.113.9", at_s=5, for_s=900, techniques=("TA0011/T1573",))
    upload = made("exfiltration", target="203.0.113.9", at_s=600, techniques=("TA0010/T1041",))
    assert shape(beacon, tls, upload) == [("beaconing", ["tls_c2", "exfiltration"])]
    told = relations(acts(seen(beacon, tls)))
    assert told[tls["event"]["id"]] == (beacon["event"]["id"], ())
    lead, others = told[beacon["event"]["id"]]
    assert (lead, [o.rule for o in others]) == ("", ["tls_c2"])


def test_another_place_another_time_or_another_tactic_is_another_act():
    beacon = made("beaconing", target="203.0.113.9", for_s=900, techniques=C2)
    assert len(shape(beacon, made("tls_c2", target="203.0.113.10", techniques=C2))) == 2
    assert len(shape(beacon, made("tls_c2", target="203.0.113.9", at_s=5000, techniques=C2))) == 2
    assert len(shape(beacon, made("port_scan", target="203.0.113.9"))) == 2
    assert len(shape(beacon, made("tls_c2", "10.0.0.6", "203.0.113.9", techniques=C2))) == 2


def test_a_name_or_an_address_in_common_is_enough():
    by_name = made("dns_tunnel", name="c2.test", for_s=900, techniques=C2)
    both = made("beaconing", target="203.0.113.9", name="c2.test", at_s=1, for_s=900, techniques=C2, score=0.9)
    by_address = made("tls_c2", target="203.0.113.9", at_s=2, for_s=900, techniques=C2)
    assert shape(by_name, both, by_address) == [("beaconing", ["dns_tunnel", "tls_c2"])]


def test_an_act_on_many_hosts_is_one_of_its_own():
    scan = made(hosts_sample=["10.0.0.6", "10.0.0.7"], for_s=100)
    assert len(shape(scan, made("icmp_anomaly", target="10.0.0.6"))) == 2
