"""The table of ties: what it finds, and that it is what the alerts make of it."""

from correlate.conftest import INTRUSION, made, seen

from aegis_enrich.correlate.nearby import Span, reached, renew_ties
from aegis_enrich.correlate.settings import Settings

H_US = 3_600_000_000


def test_ties_are_renewed_and_both_the_old_and_the_new_are_told(store):
    (alert,) = seen(made("brute_force", got_into=["10.0.0.6"]))
    (moved,) = seen({**made("brute_force", got_into=["10.0.0.7"]), "event": made("brute_force")["event"]})
    with store.transaction() as tx:
        assert {s.tie for s in renew_ties(tx, alert, None, Settings())} == {"a:10.0.0.5", "e:10.0.0.6"}
        assert {s.tie for s in renew_ties(tx, moved, None, Settings())} == {"a:10.0.0.5", "e:10.0.0.6", "e:10.0.0.7"}
        assert {s.tie for s in renew_ties(tx, moved, (), Settings())} == {"a:10.0.0.5", "e:10.0.0.7"}
    assert store.query("SELECT * FROM ties") == []


def at(alert, hours: float, kind: str = "a") -> Span:
    return Span(f"{kind}:10.0.0.5", alert.first_us + int(hours * H_US), alert.first_us + int(hours * H_US))


def test_what_is_near_in_time_is_reached(store):
    alerts = seen(*INTRUSION)
    by_rule = {a.id: a.rule for a in alerts}
    with store.transaction() as tx:
        for alert in alerts:
            renew_ties(tx, alert, None, Settings())
        first = alerts[0]
        near = reached(tx, [at(first, 0.2)], (), Settings())
        assert sorted(by_rule[i] for i in near) == ["beaconing", "brute_force", "brute_force", "port_scan"]
        assert reached(tx, [at(first, -25)], (), Settings()) == reached(tx, [at(first, 0)], near, Settings()) == set()


def test_what_only_tried_or_only_joins_reaches_no_other_of_its_kind(store):
    """Else all who ever tried an exploit at one server, and all that is low of a host, would be read each time."""
    tried = [made("http_jndi", f"198.51.100.{n}", "10.0.0.5", techniques=("TA0001/T1190",)) for n in (1, 2)]
    low, worse = (made("beaconing", severity=s, at_s=600, techniques=("TA0011/T1071",)) for s in (21, 47))
    worse["event"]["id"] = "worse"
    with store.transaction() as tx:
        for alert in seen(*tried, low, worse):
            renew_ties(tx, alert, None, Settings())
        attempt = seen(tried[0])[0]
        assert reached(tx, [at(attempt, 0, "t")], (), Settings()) == {"worse"}
        assert reached(tx, [at(attempt, 1, "l")], (), Settings()) == {"worse"}
        assert len(reached(tx, [at(attempt, 0.2)], (), Settings())) == 4
        assert reached(tx, [at(attempt, -2, "t")], (), Settings()) == set()
