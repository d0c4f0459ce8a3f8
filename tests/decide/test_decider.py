"""The life of an alert: what opens, revises, delivers, closes and withdraws it, and that nothing counts twice."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_enrich.decide import RuleSet, alert_documents, evaluate_rows
from aegis_enrich.decide.decider import SUPPRESSED, Decider
from aegis_enrich.detect.windows import Window
from aegis_enrich.store import Store

ODD = """
id: odd
name: Odd
table: conn
where: {orig_pkts: {known: true}}
entity: [orig_h]
per: hour
severity: {column: orig_pkts, map: {9: high}, otherwise: low}
reason: "{orig_pkts} packets"
"""


@pytest.fixture
def life(deciding, rules, probe):
    return deciding(rules(probe, ODD))


def test_a_finding_opens_an_alert_and_the_end_of_its_period_closes_it(life, finding):
    life.window(finding(1), hour=1)
    assert life.said() == [("open", 1, 21, 1)]
    # the period is the day; the last window that starts in it ends an hour into the next
    assert life.close(24) == 0
    assert life.close(25) == 1
    assert life.said() == [("open", 1, 21, 1), ("closed", 2, 21, 1)]
    assert life.close(26) == 0
    first, last = life.delivered()
    assert first["event"]["id"] == last["event"]["id"]
    assert first["aegis"]["config_hash"] == "abc"


def test_later_findings_revise_it_at_most_once_a_minute(life, finding):
    life.window(finding(1), hour=1)
    for hour, after_s in ((2, 10), (3, 20), (4, 40)):
        life.now_s = 1_000 + after_s
        life.window(finding(hour), hour=hour)
    assert life.said() == [("open", 1, 21, 1)]
    assert life.settle() == 0
    life.now_s = 1_060
    assert life.settle() == 1
    assert life.settle() == 0
    assert life.said() == [("open", 1, 21, 1), ("open", 2, 21, 4)]
    life.now_s = 1_125
    life.window(finding(5), hour=5)
    assert life.said()[2:] == [("open", 3, 21, 5)]
    first, *_, last = life.delivered()
    assert last["aegis"]["first_seen"] == first["aegis"]["first_seen"]
    assert last["aegis"]["last_seen"] > first["aegis"]["last_seen"]
    assert last["event"]["start"] == first["event"]["start"]
    assert last["event"]["end"] > first["event"]["end"]


def test_all_that_waits_is_delivered_at_the_end(life, finding):
    life.window(finding(1), hour=1)
    life.window(finding(2), hour=2)
    with life.store.transaction() as tx:
        assert life.decider.settle(tx, all_of_them=True) == 1
    assert life.said()[-1] == ("open", 2, 21, 2)


def test_a_rise_of_severity_is_delivered_at_once_and_a_fall_waits(life, finding):
    life.window(finding(1), hour=1)
    life.window(finding(2, score=0.7), hour=2)
    assert life.said() == [("open", 1, 21, 1), ("open", 2, 73, 2)]
    life.window(hour=2)
    assert len(life.delivered()) == 2
    life.now_s += 60
    life.settle()
    assert life.said()[-1] == ("open", 3, 21, 1)


def test_the_highest_scoring_finding_speaks(life, finding):
    for hour, score in ((1, 0.1), (2, 0.3), (3, 0.2)):
        life.now_s += 60
        evidence = {"ports": hour}
        life.window(finding(hour, score, evidence=evidence, reason=f"window {hour}"), hour=hour)
    last = life.delivered()[-1]
    assert (last["aegis"]["score"], last["aegis"]["evidence"]) == (0.3, {"ports": 2})
    assert last["event"]["reason"] == "window 2"


def test_a_window_that_is_evaluated_again_replaces_what_it_said(life, finding):
    life.window(finding(1), hour=1)
    life.window(finding(1), hour=1)
    assert life.said() == [("open", 1, 21, 1)]
    life.now_s += 60
    life.window(finding(1, evidence={"ports": 30}), hour=1)
    assert life.said()[1:] == [("open", 2, 21, 1)]
    assert life.store.query("SELECT count(*) FROM findings") == [(1,)]


def test_what_is_found_early_opens_the_alert_and_the_window_takes_its_place(life, finding):
    life.window(finding(1, 0.1), early=True)
    life.window(finding(1, 0.7), early=True)
    life.window(finding(1, 0.3, evidence={"ports": 40}))
    life.now_s += 60
    life.settle()
    assert life.said() == [("open", 1, 21, 1), ("open", 2, 73, 1), ("open", 3, 21, 1)]
    assert life.delivered()[-1]["aegis"]["evidence"] == {"ports": 40}
    assert len({d["event"]["id"] for d in life.delivered()}) == 1
    assert life.store.query("SELECT detector FROM findings") == [("probe",)]


def test_an_early_finding_that_the_window_does_not_bear_out_is_withdrawn(life, finding):
    life.window(finding(1), early=True)
    life.window()
    assert [s[:2] for s in life.said()] == [("open", 1), ("withdrawn", 2)]


def test_what_is_found_early_says_nothing_beside_the_whole_window(life, finding):
    """A window that an end of the input evaluated, and that is open still."""
    other = finding(1, entity={"orig_h": "10.0.0.1", "resp_h": "192.0.2.2"})
    life.window(finding(1, 0.3))
    life.window(finding(1, 0.9), other, early=True)
    life.window(early=True)
    assert [s[:3] for s in life.said()] == [("open", 1, 21), ("open", 1, 21), ("withdrawn", 2, 21)]
    assert [alert["aegis"]["entity"]["resp_h"] for alert in life.delivered()][1:] == ["192.0.2.2"] * 2


def test_early_findings_of_two_sensors_are_one(life, finding):
    life.window(finding(1), early=True)
    life.window(finding(1, sensor="t"), sensor="t", early=True)
    life.window(finding(1))
    life.now_s += 60
    life.settle()
    assert (life.delivered()[-1]["aegis"]["sensors"], life.said()[-1][3]) == (["s", "t"], 1)


def test_a_suppressed_early_finding_is_no_alert_and_is_counted_by_its_window(deciding, rules, probe, finding):
    life = deciding(rules(probe + "suppress: [{where: {orig_h: 10.0.0.1}, reason: known}]\n"))
    for _ in range(3):
        life.window(finding(1), early=True)
    assert (life.said(), life.store.counters()) == ([], {})
    life.window(finding(1))
    assert life.store.counters() == {(SUPPRESSED + "probe", "s"): 1}


def test_an_alert_of_which_nothing_is_left_is_withdrawn_and_may_open_again(life, finding):
    other = finding(1, entity={"orig_h": "10.0.0.1", "resp_h": "192.0.2.2"})
    life.window(finding(1), hour=1)
    life.window(other, hour=1)
    assert sorted(s[:2] for s in life.said()) == [("open", 1), ("open", 1), ("withdrawn", 2)]
    life.window(finding(1), other, hour=1)
    assert life.said()[-1] == ("open", 3, 21, 1)
    assert life.close(25) == 2


def test_a_closed_alert_that_is_revised_stays_closed(life, finding):
    life.window(finding(1), hour=1)
    life.close(25)
    life.window(finding(2), hour=2)
    assert life.said()[-1] == ("closed", 3, 21, 2)


def test_sensors_share_an_alert_and_a_window_counts_once(life, finding):
    life.window(finding(1, score=0.2), hour=1)
    life.window(finding(1, score=0.4, sensor="t"), hour=1, sensor="t")
    life.now_s += 60
    life.settle()
    last = life.delivered()[-1]
    assert (last["aegis"]["count"], last["aegis"]["sensors"], last["aegis"]["score"]) == (1, ["s", "t"], 0.4)
    assert len({d["event"]["id"] for d in life.delivered()}) == 1


def test_findings_that_are_grouped_are_one(deciding, rules, probe, finding):
    life = deciding(rules(probe + "group_by: [orig_h]\n"))
    several = [finding(1, score=n / 10, entity={"orig_h": "10.0.0.1", "resp_h": f"192.0.2.{n}"}) for n in (1, 3, 2)]
    life.window(*several, hour=1)
    (doc,) = life.delivered()
    assert doc["aegis"]["entity"] == {"orig_h": "10.0.0.1"}
    assert (doc["aegis"]["count"], doc["aegis"]["score"]) == (1, 0.3)
    assert doc["destination"]["ip"] == "192.0.2.3"


def test_a_finding_for_which_no_severity_holds_is_no_alert(deciding, rules, probe, finding):
    life = deciding(rules(probe.replace("{severity: low}", "{severity: low, at_least: 0.2}")))
    life.window(finding(1, score=0.1), hour=1)
    assert life.delivered() == []


def test_what_is_suppressed_is_counted_and_no_alert(deciding, rules, probe, finding):
    suppress = "[{rule: [probe], where: {evidence.ports: {at_most: 20}, resp_p: 22, sensor: s}, reason: known}]"
    life = deciding(rules(probe, suppress=suppress))
    life.window(finding(1), hour=1)
    life.window(finding(2, evidence={"ports": 21}), hour=2)
    assert life.said() == [("open", 1, 21, 1)]
    assert life.store.counters() == {(SUPPRESSED + "probe", "s"): 1, ("opened:probe:21", ""): 1}


def test_of_a_detector_without_a_rule_nothing_stays(life, deciding, finding):
    life.window(finding(1), hour=1)
    without = deciding(RuleSet.of([]))
    without.window(finding(1), hour=1)
    assert [s[:2] for s in without.said()] == [("open", 1), ("withdrawn", 2)]


def hits(life, table, *rows):
    return evaluate_rows(life.decider.rules, "conn", "s", table("conn", *rows))


def test_row_hits_open_at_once_and_add_up(life, table):
    first = hits(life, table, {"orig_h": "10.0.0.1", "orig_pkts": 1, "uid": "A"})
    more = hits(life, table, *[{"orig_h": "10.0.0.1", "orig_pkts": n, "ts": n} for n in (2, 3)])
    worst = hits(life, table, {"orig_h": "10.0.0.1", "orig_pkts": 9, "ts": 5})
    for batch in (first, more, worst):
        with life.store.transaction() as tx:
            life.decider.rows(tx, batch)
    assert life.said() == [("open", 1, 21, 1), ("open", 2, 73, 4)]
    assert life.close(0, "odd") == 0
    assert life.close(1, "odd") == 1
    assert life.delivered()[-1]["event"]["reason"] == "9 packets"


def test_rows_of_a_transaction_that_is_rolled_back_are_not_counted_twice(life, table):
    batch = hits(life, table, *[{"orig_h": "10.0.0.1", "orig_pkts": n} for n in (1, 2)])
    for _ in range(2):
        with pytest.raises(RuntimeError), life.store.transaction() as tx:
            life.decider.rows(tx, batch)
            raise RuntimeError
    assert life.delivered() == []
    with life.store.transaction() as tx:
        life.decider.rows(tx, batch)
    assert life.said() == [("open", 1, 21, 2)]


def test_several_hits_of_one_alert_in_one_flush_are_one_delivery(life, table):
    batches = [hits(life, table, {"orig_h": "10.0.0.1", "orig_pkts": n, "ts": n}) for n in (1, 9)]
    with life.store.transaction() as tx:
        life.decider.rows(tx, [h for batch in batches for h in batch])
    assert life.said() == [("open", 1, 73, 2)]


def test_suppressed_rows_are_counted(deciding, rules, table):
    life = deciding(rules(ODD, suppress="[{where: {orig_h: 10.0.0.0/24}, reason: known}]"))
    batch = hits(
        life, table, *[{"orig_h": h, "orig_pkts": 1} for h in ("10.0.0.1", "10.0.0.1", "10.0.0.2", "10.1.0.1")]
    )
    with life.store.transaction() as tx:
        life.decider.rows(tx, batch)
    assert life.said() == [("open", 1, 21, 1)]
    assert life.store.counters()[SUPPRESSED + "odd", "s"] == 3


def test_documents_of_the_state_carry_status_and_revision(life, finding):
    life.window(finding(1), hour=1)
    life.close(25)
    rows = life.store.query("SELECT document, status, revision FROM alerts")
    (doc,) = alert_documents(rows)
    assert doc == life.delivered()[-1]


def test_a_row_rules_document_knows_the_row_alone(life, table):
    with life.store.transaction() as tx:
        life.decider.rows(tx, hits(life, table, {"orig_h": "10.0.0.1", "orig_pkts": 1, "resp_p": 80, "uid": "A"}))
    (doc,) = life.delivered()
    assert doc["aegis"]["uids"] == ["A"]
    assert doc["aegis"]["detector"] == "odd"
    assert doc["destination"] == {"port": 80}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from("st"), st.integers(0, 9)), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_order_of_windows_and_sensors_does_not_matter(rules, probe, finding, tmp_path_factory, found, random):
    loaded = rules(probe)
    by_window = {(hour, sensor): score for hour, sensor, score in found}

    def contents(order):
        with Store(tmp_path_factory.mktemp("state")) as store:
            decider = Decider(loaded, lambda k, v: {}, "", lambda: random.randint(0, 10**9))
            for (hour, sensor), score in order:
                one = finding(hour, score / 10, sensor=sensor)
                with store.transaction() as tx:
                    decider.window(tx, "probe", sensor, Window(one.window_start_us, one.window_end_us), [one])
            return store.query("SELECT alert_id, document, severity, closes_us FROM alerts ORDER BY alert_id")

    windows = list(by_window.items())
    assert contents(windows) == contents(random.sample(windows, len(windows)))
