"""Risk ranks: more of what matters is more, nothing fills the scale, repetition adds nothing."""

from correlate.conftest import ELSEWHERE, INTRUSION, made, seen
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.correlate.acts import acts
from aegis_enrich.correlate.grounds import confidence
from aegis_enrich.correlate.risk import risk
from aegis_enrich.correlate.sequences import matches
from aegis_enrich.correlate.settings import Settings

C2 = ("TA0011/T1071",)
DAY = 86_400


def of(*documents, rules=()):
    alerts = seen(*documents)
    found, matched = acts(alerts), matches(alerts, rules)
    return risk(found, matched, confidence(found, matched, (), ()), Settings())


def names(found):
    return [f.name for f in found.factors]


def test_one_alert_gives_its_share_of_its_own_risk():
    alone = of(made(severity=73, score=1.0))  # 98 of 100 as an alert
    assert (alone.score, alone.base, alone.factors) == (68.6, 68.6, ())


def test_the_worked_example_of_the_documentation():
    two = of(made(severity=73, score=1.0), made("tls_c2", at_s=5, severity=47, techniques=C2))
    assert names(two) == ["tactics"]
    assert two.score == 72.4  # 100 * (1 - (1 - 0.686) * (1 - 0.12))


def test_the_same_again_adds_nothing_but_days_do():
    assert of(made(), made(at_s=60), made(at_s=120)).score == of(made()).score
    days = of(*(made(at_s=n * DAY) for n in range(4)))
    assert names(days) == ["days"] and days.factors[0].why == "seen on 4 days"
    assert days.score > of(made()).score


def test_each_factor_is_named_with_its_reason(shipped):
    whole = of(*INTRUSION, rules=shipped.sequences)
    assert names(whole) == ["tactics", "sequence break_in", "hosts"]
    assert whole.score > 85
    corroborated = of(
        made("beaconing", target="203.0.113.9", techniques=C2),
        made("tls_c2", target="203.0.113.9", techniques=C2, sensors=("a", "b"), clients_share=0.01),
    )
    assert names(corroborated) == ["corroboration", "sensors", "rare target"]
    assert names(of(made(criticality="critical"))) == ["asset"]


def test_outsiders_that_only_tried_have_half():
    outside = made("port_scan", "198.51.100.7", "10.0.0.5", techniques=("TA0043/T1595.001",))
    tried = of(outside)
    many = made("brute_force", None, "10.0.0.5", techniques=("TA0006/T1110.001",), got_into=[], source_internal=False)
    assert of(many).left == 0.5
    assert tried.score == of(made("port_scan", "10.0.0.7", "10.0.0.5", techniques=("TA0043/T1595.001",))).score / 2
    assert tried.why_left == ("outsiders tried, and nothing shows that they got in",)
    assert of(*INTRUSION[:2]).left == 1.0


KINDS = st.builds(
    made,
    rule=st.sampled_from(["port_scan", "beaconing", "tls_c2", "exfiltration"]),
    actor=st.sampled_from(["10.0.0.5", "10.0.0.6"]),
    target=st.sampled_from(["203.0.113.9", "10.0.0.7"]),
    at_s=st.integers(0, 5 * DAY),
    severity=st.sampled_from([21, 47, 73, 99]),
    score=st.floats(0, 1),
    techniques=st.sampled_from([C2, ("TA0007/T1046",), ("TA0010/T1041",)]),
    sensors=st.sampled_from([("a",), ("a", "b")]),
    criticality=st.sampled_from(["", "high", "critical"]),
)


@given(st.lists(KINDS, min_size=1, max_size=12, unique_by=lambda d: d["event"]["id"]))
def test_an_inside_incident_never_loses_risk_by_more_evidence_and_never_reaches_the_end(documents):
    scores = [of(*documents[:n]).score for n in range(1, len(documents) + 1)]
    assert scores == sorted(scores)
    assert 0 < scores[-1] < 100


def test_an_intrusion_outranks_a_lone_beacon():
    assert of(*INTRUSION).score > of(ELSEWHERE).score
