from dataclasses import replace
from datetime import UTC, datetime

from aegis_enrich.evaluate import Act, Hosts, Truth, measure, totals
from aegis_enrich.evaluate.truth import FOREVER

S = 1_000_000


def iso(second):
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")


def alert(rule, source, destination=None, *, at=(100, 110), severity=47, domain=None):
    return {
        "rule": {"id": rule},
        "event": {"severity": severity, "reason": f"{rule} of {source}", "start": iso(0)},
        "aegis": {"first_seen": iso(at[0]), "last_seen": iso(at[1])},
        "source": {"ip": source} if source else {},
        "destination": {k: v for k, v in (("ip", destination), ("domain", domain)) if v},
    }


def act(what="scan", who="10.0.0.1", whom="10.0.1.1", *, rules=("port_scan",), at=(100, 200), expected=True):
    hosts = Hosts(whom) if whom else None
    return Act(what, Hosts(who), hosts, at[0] * S, at[1] * S, frozenset(rules), expected)


def of(acts, *alerts, host_days=None):
    return measure(Truth("t", tuple(acts)), alerts, lambda rule: 630.0 if rule == "port_scan" else 0.0, host_days)


def test_found_by_the_rule_that_ought_to():
    result = of([act()], alert("port_scan", "10.0.0.1", "10.0.1.1"))
    tally = result.rules["port_scan"]
    assert (tally.found, tally.missed, tally.beside, dict(tally.false)) == (1, 0, 0, {})
    assert tally.delays_s == [530.0]  # window from 0, evaluated at 630, the act began at 100
    assert not result.missed


def test_an_act_of_unknown_time_has_no_delay():
    always = replace(act(), start_us=FOREVER[0], end_us=FOREVER[1])
    result = of([always], alert("port_scan", "10.0.0.1", "10.0.1.1"))
    assert (result.rules["port_scan"].found, result.rules["port_scan"].delays_s) == (1, [])


def test_two_alerts_of_one_act_are_one_find():
    result = of([act()], alert("port_scan", "10.0.0.1"), alert("port_scan", "10.0.0.1", at=(150, 160)))
    assert result.rules["port_scan"].found == 1


def test_another_rule_stands_beside_and_the_act_is_missed():
    result = of([act()], alert("syn_flood", "10.0.0.1", "10.0.1.1"))
    assert result.rules["syn_flood"].beside == 1
    assert result.rules["port_scan"].missed == 1
    assert result.missed == {"scan": 1}


def test_what_is_too_short_is_not_missed():
    result = of([act(expected=False)])
    assert not result.missed
    assert result.rules == {}


def test_false_alerts_by_severity():
    alerts = [
        alert("port_scan", "10.0.0.2"),
        alert("port_scan", "10.0.0.1", "10.0.9.9", severity=73),  # at somebody else
        alert("port_scan", "10.0.0.1", "10.0.1.1", at=(500, 600)),  # long after
    ]
    result = of([act()], *alerts)
    assert dict(result.rules["port_scan"].false) == {47: 2, 73: 1}
    assert [severity for _, severity, _ in result.false] == [47, 73, 47]
    assert result.missed == {"scan": 1}


def test_an_alert_about_the_target_and_one_from_its_side():
    result = of([act(rules=())], alert("syn_flood", None, "10.0.1.1"), alert("packet_loss", "10.0.1.1", "10.0.0.1"))
    assert result.rules["syn_flood"].found == result.rules["packet_loss"].found == 1
    assert not result.false


def test_a_name_will_do_and_a_row_rule_has_no_delay():
    result = of([act(whom="c2.test", rules=("intel",))], alert("intel", "10.0.0.1", "192.0.2.1", domain="a.c2.test"))
    assert result.rules["intel"].found == 1
    assert result.rules["intel"].delays_s == [0.0]


def test_a_rule_tells_of_its_own_act_rather_than_of_others():
    guessing = act("guessing", rules=("brute_force",), at=(110, 150))
    result = of([act(), guessing], alert("port_scan", "10.0.0.1"), alert("brute_force", "10.0.0.1"))
    assert result.rules["port_scan"].beside == result.rules["brute_force"].beside == 0


def test_sums_over_scenarios():
    one = of([act()], alert("port_scan", "10.0.0.1"), alert("port_scan", "10.0.0.7", severity=21), host_days=3)
    two = of([act()], alert("port_scan", "10.0.0.7", severity=73), host_days=1)
    assert totals([one, two])["port_scan"] == {
        "found": 1,
        "missed": 1,
        "beside": 0,
        "false": {"21": 1, "73": 1},
        "loud_false_per_host_day": 0.25,
        "median_delay_s": 530.0,
    }
