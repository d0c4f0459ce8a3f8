"""Incidents in the state: opened, extended, merged, closed and withdrawn; a function of the set of alerts."""

import copy
import dataclasses
import json
import random

import pytest
from correlate.conftest import ELSEWHERE, INTRUSION, START_US, living, made, put_into
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_enrich.correlate import Correlator, correlator
from aegis_enrich.correlate.settings import Settings
from aegis_enrich.store import Store
from aegis_enrich.store.triage import Mark, Triage

H = 3600
C2 = ("TA0011/T1071",)


def outbox(store):
    return [
        (b["aegis"]["status"], b["aegis"]["revision"], b["aegis"]["alert_count"])
        for (b,) in (
            (json.loads(t),) for (t,) in store.query("SELECT body FROM outbox WHERE kind = 'incident' ORDER BY seq")
        )
    ]


def told(store, doc):
    (said,) = store.query("SELECT told FROM alerts WHERE alert_id = ?", [doc["event"]["id"]])[0]
    return json.loads(said) if said else {}


def test_an_intrusion_is_one_incident_that_its_alerts_name(store, put, correlate):
    put(*INTRUSION, ELSEWHERE)
    incidents = correlate()
    assert sorted(d["aegis"]["alert_count"] for d in incidents) == [1, 6]
    whole = next(d for d in incidents if d["aegis"]["alert_count"] == 6)
    assert {told(store, d)["incident"]["id"] for d in INTRUSION} == {whole["event"]["id"]}


def test_alerts_are_put_out_again_once_they_know_their_incident(store, put, correlate):
    put(ELSEWHERE)
    correlate()
    assert store.query("SELECT pending FROM alerts") == [(1,)]
    with store.transaction() as tx:
        tx.execute("UPDATE alerts SET pending = 0")
    correlate()
    assert store.query("SELECT pending FROM alerts") == [(0,)]


def test_late_evidence_extends_it_under_its_id(store, put, correlate):
    put(*INTRUSION[:5])
    (before,) = correlate()
    put(*INTRUSION[5:])
    (after,) = correlate()
    assert after["event"]["id"] == before["event"]["id"]
    assert outbox(store) == [("open", 1, 5)]  # the rest is put out with the next minute
    correlate(now_s=61)
    assert outbox(store) == [("open", 1, 5), ("open", 2, 6)]


def test_what_is_worse_is_put_out_at_once(store, put, correlate):
    put(*INTRUSION[:2])
    correlate()
    put(*INTRUSION[2:])
    correlate()
    assert outbox(store) == [("open", 1, 2), ("open", 2, 6)]


def test_nothing_changed_puts_out_nothing(store, put, correlate):
    put(*INTRUSION)
    correlate()
    put(*INTRUSION)
    correlate(now_s=100)
    assert outbox(store) == [("open", 1, 6)]


def test_two_incidents_that_turn_out_to_be_one_are_merged(store, put, correlate):
    put(INTRUSION[1], INTRUSION[5])  # the break-in, and the other host's upload: nothing ties them yet
    first, second = sorted(correlate(), key=lambda d: d["@timestamp"])
    put(*INTRUSION)
    (whole,) = correlate()
    assert whole["event"]["id"] == first["event"]["id"]
    rows = store.query("SELECT status, merged_into FROM incidents WHERE incident_id = ?", [second["event"]["id"]])
    assert rows == [("merged", whole["event"]["id"])]
    assert outbox(store)[-1][0] == "merged"


def test_what_is_withdrawn_leaves_it_and_takes_it_along(store, put, correlate):
    put(ELSEWHERE)
    assert len(correlate()) == 1
    put(ELSEWHERE, status="withdrawn")
    assert correlate() == []
    assert outbox(store) == [("open", 1, 1), ("withdrawn", 2, 1)]
    assert told(store, ELSEWHERE) == {}
    put(ELSEWHERE)
    assert len(correlate()) == 1
    assert outbox(store)[-1][:2] == ("open", 3)


def test_it_closes_with_its_last_alert_and_opens_again(store, put, correlate):
    put(*INTRUSION[:5], status="closed")
    put(INTRUSION[5])
    correlate()
    put(INTRUSION[5], status="closed")
    correlate()
    put(made("beaconing", "10.0.0.6", "203.0.113.9", at_s=2 * H, techniques=C2))
    correlate()
    assert [s for s, _, _ in outbox(store)] == ["open", "closed", "open"]


def test_too_little_is_no_incident_and_outsiders_that_only_tried_are_none(store, put, correlate):
    put(made("beaconing", severity=21, techniques=C2))
    put(made("port_scan", "198.51.100.7", "10.0.0.5", techniques=("TA0043/T1595.001",), score=0.9))
    assert correlate() == []


def test_alerts_on_the_network_s_state_are_grounds_and_no_part(store, put, correlate):
    put(ELSEWHERE)
    (before,) = correlate()
    put(made("packet_loss", "10.0.9.9", "203.0.113.77", at_s=55, techniques=()))
    (after,) = correlate()
    assert after["aegis"]["alert_count"] == 1
    assert after["aegis"]["confidence"] < before["aegis"]["confidence"]


def test_an_alert_names_what_tells_of_the_same_act(store, put, correlate):
    beacon = made("beaconing", target="203.0.113.9", for_s=900, techniques=C2, severity=73)
    tls = made("tls_c2", target="203.0.113.9", at_s=5, for_s=900, severity=21, techniques=C2)
    put(beacon, tls)
    correlate()
    assert told(store, tls)["lead"] == beacon["event"]["id"]
    assert [c["rule"] for c in told(store, beacon)["corroborated_by"]] == ["tls_c2"]


def test_what_an_analyst_said_stays_and_is_put_out(store, put, shipped):
    put(*INTRUSION[:3])
    correlator = Correlator(store, shipped, (), lambda: 0)
    correlator.run()
    (incident,) = living(store)
    Triage(store.root).say(Mark(incident["event"]["id"], "2026-05-29T08:00:00+00:00", "closed", "known", "ada", 3))
    put(*INTRUSION)
    correlator.run(all_of_them=True)
    last = json.loads(store.query("SELECT body FROM outbox WHERE kind = 'incident' ORDER BY seq DESC LIMIT 1")[0][0])
    assert last["aegis"]["triage"]["status"] == "closed" and last["aegis"]["alert_count"] == 6
    assert last["aegis"]["triage"]["notes"][0]["note"] == "known"


def test_changed_rules_correlate_everything_anew(store, put, shipped):
    put(ELSEWHERE)
    Correlator(store, shipped, (), lambda: 0).run()
    strict = dataclasses.replace(shipped, hash="other")
    assert Correlator(store, strict, (), lambda: 0).run() == 1
    assert Correlator(store, strict, (), lambda: 0).run() == 0


HOSTS = ["10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "198.51.100.7", "203.0.113.9", None]
TECHNIQUES = [
    C2,
    ("TA0007/T1046",),
    ("TA0043/T1595.001",),
    ("TA0006/T1110.001", "TA0008/T1021.004"),
    ("TA0006/T1110.001",),
    ("TA0001/T1190",),
    ("TA0010/T1041",),
    ("TA0011/T1568.002",),
    (),
]
CONTENTS = {
    "actor": st.sampled_from(HOSTS),
    "target": st.sampled_from(HOSTS),
    "name": st.sampled_from([None, None, "c2.example", "other.example"]),
    "at_s": st.integers(0, 80).map(lambda h: h * H),
    "for_s": st.sampled_from([0, 600, 5 * H, 60 * H]),
    "severity": st.sampled_from([21, 47, 73, 99]),
    "techniques": st.sampled_from(TECHNIQUES),
    "sensors": st.sampled_from([("sensor",), ("other",), ("other", "sensor")]),
    "got_into": st.sampled_from([None, None, [], ["10.0.0.5"], ["10.0.0.6"]]),
}
RULES = ["port_scan", "beaconing", "brute_force", "exfiltration", "suricata_alert", "packet_loss"]
HEALTH = ("packet_loss",)
NOTED = ("open", "closed")


@st.composite
def lives(draw):
    """An alert's contents from its first to its last, with its status at each time; the same id and rule."""
    rule, found = draw(st.sampled_from(RULES)), []
    for _ in range(draw(st.integers(1, 3))):
        contents = {k: draw(v) for k, v in CONTENTS.items()}
        if contents["got_into"] is None:
            del contents["got_into"]
        found.append(made(rule, **contents))
    for doc in found:
        doc["event"]["id"] = found[0]["event"]["id"]
    statuses = [draw(st.sampled_from([*NOTED, "withdrawn"])) for _ in found]
    return list(zip(found, statuses, strict=True))


class Killed(Exception):
    """The process dies here."""


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    alerts=st.lists(lives(), min_size=1, max_size=14, unique_by=lambda life: life[0][0]["event"]["id"]),
    chance=st.randoms(use_true_random=False),
)
def test_incidents_are_a_function_of_the_alerts(tmp_path_factory, monkeypatch, shipped, alerts, chance: random.Random):
    """In any order and in batches, whatever they were before, withdrawn and back, under rules that changed and changed
    back, killed and started again."""
    few = dataclasses.replace(shipped, settings=dataclasses.replace(shipped.settings, crowd=2))
    other = dataclasses.replace(few, hash="other", settings=OTHER)
    last = [life[-1] for life in alerts]
    with Store(tmp_path_factory.mktemp("once")) as store:
        for doc, status in last:
            put_into(store, [doc], status)
        Correlator(store, few, HEALTH, lambda: 0).run(all_of_them=True)
        expected = contents(store)

    dying = [False]

    def crash(where: str) -> None:
        if dying[0] and where == "before commit":
            dying[0] = False
            raise Killed

    changes = [(n, number) for number, life in enumerate(alerts) for n in range(len(life))]
    pieces = tmp_path_factory.mktemp("pieces")
    monkeypatch.setattr(correlator, "AT_ONCE", chance.choice([1, 2, 500]))
    for n, number in sorted(changes, key=lambda change: (change[0] if chance.random() < 0.7 else 9, chance.random())):
        doc, status = alerts[number][n]
        with Store(pieces, crash=crash) as store:
            put_into(store, [doc], status)
            if chance.random() < 0.3:
                continue
            started = Correlator(
                store, chance.choice([few, few, other]), chance.choice([HEALTH, HEALTH, ()]), lambda: 0
            )
            dying[0] = chance.random() < 0.3 and bool(store.query("SELECT 1 FROM alerts WHERE correlated = 0"))
            if dying[0]:
                with pytest.raises(Killed):
                    started.run()
            else:
                started.run(all_of_them=chance.random() < 0.3)
    with Store(pieces) as store:
        for doc, status in last:  # what came out of turn is as it is at last
            put_into(store, [doc], status)
        Correlator(store, few, HEALTH, lambda: 0).run(all_of_them=True)
        assert contents(store) == expected


OTHER = Settings(gap_h=5.0, carry_h=2.0, core_severity=21, crowd=3, shared=("TA0011", "TA0007"))


def contents(store):
    """Incidents with their status, and what alerts were told; no two incidents share an alert or a name."""
    rows = store.query("SELECT incident_id, status, document FROM incidents WHERE status IN ('open', 'closed')")
    said = dict(store.query("SELECT alert_id, told FROM alerts"))
    members = [a["id"] for _, _, text in rows for a in json.loads(text)["aegis"]["incident"]["alerts"]]
    assert len(members) == len(set(members))
    named = {i: json.loads(t).get("incident", {}).get("id") for i, t in said.items() if t}
    assert {i for i in named if named[i]} == set(members)
    assert not any(said[i] for (i,) in store.query("SELECT alert_id FROM alerts WHERE status = 'withdrawn'"))
    return sorted(rows), said


def test_health_that_is_told_of_another_time_leaves_the_incident(store, put, correlate):
    put(ELSEWHERE, loss := made("packet_loss", "10.0.9.9", at_s=55, techniques=()))
    (doubted,) = correlate()
    later = made("packet_loss", "10.0.9.9", at_s=90 * H, techniques=())
    later["event"]["id"] = loss["event"]["id"]
    put(later)
    (after,) = correlate()
    assert after["aegis"]["confidence"] > doubted["aegis"]["confidence"]


def test_health_that_changes_twice_between_two_runs_leaves_no_trace(store, put, correlate, monkeypatch):
    monkeypatch.setattr(correlator, "AT_ONCE", 1)
    other = made("exfiltration", "10.0.9.9", "203.0.113.77", at_s=60, techniques=("TA0010/T1041",))
    loss = made("packet_loss", "10.0.9.9", at_s=90 * H, techniques=())
    first = copy.deepcopy(ELSEWHERE)
    first["event"]["id"], loss["event"]["id"] = "a", "b"
    put(first, loss)
    correlate()
    correlate()
    meanwhile = made("packet_loss", "10.0.9.9", at_s=55, techniques=())
    meanwhile["event"]["id"], other["event"]["id"] = "b", "a0"
    put(meanwhile, other)
    correlate()  # the other, with which the incident is made anew
    put(loss)
    correlate()
    (incident,) = correlate()
    assert not any("lost" in ground for ground in incident["aegis"]["false_positive"]["grounds"])


def test_a_rule_that_comes_to_be_of_health_takes_its_alerts_along(store, put, correlate):
    put(ELSEWHERE)
    assert len(correlate()) == 1
    assert correlate(health=("packet_loss", "beaconing")) == []
    assert len(correlate()) == 1


@pytest.mark.parametrize("ids", ["ab", "ba"])
def test_a_shorter_gap_splits_incidents_whole_however_they_are_batched(store, put, shipped, monkeypatch, ids):
    midnight_s = -(START_US // 1_000_000) % (24 * H)  # where stretches of 2 h and of 24 h begin: the name stays
    first, second = (made(at_s=midnight_s + at_s, severity=73) for at_s in (60, 20 * H))
    first["event"]["id"], second["event"]["id"] = ids
    put(first, second)
    Correlator(store, shipped, (), lambda: 0).run()
    monkeypatch.setattr(correlator, "AT_ONCE", 1)
    short = dataclasses.replace(
        shipped, hash="short", settings=dataclasses.replace(shipped.settings, gap_h=2.0, carry_h=1.0)
    )
    Correlator(store, short, (), lambda: 0).run(all_of_them=True)
    assert sorted(d["aegis"]["alert_count"] for d in living(store)) == [1, 1]
    Correlator(store, shipped, (), lambda: 0).run(all_of_them=True)
    assert [d["aegis"]["alert_count"] for d in living(store)] == [2]


def test_rules_that_are_taken_up_on_a_full_disk_count_from_the_first_run_on(store, put, shipped, monkeypatch):
    put(ELSEWHERE)
    Correlator(store, shipped, (), lambda: 0).run()
    with monkeypatch.context() as full:
        full.setattr(store, "transaction", lambda: pytest.fail("nothing is written here"))
        strict = Correlator(store, dataclasses.replace(shipped, hash="other"), (), lambda: 0)
    assert strict.run() == 1


def test_what_retention_took_is_missed_by_nobody(store, put, correlate):
    put(*INTRUSION)
    (whole,) = correlate()
    with store.transaction() as tx:
        tx.execute("DELETE FROM alerts WHERE alert_id = ?", [INTRUSION[0]["event"]["id"]])  # its ties are left
        tx.execute("DELETE FROM incidents")
    put(INTRUSION[1], status="withdrawn")
    assert whole["event"]["id"] not in {d["event"]["id"] for d in correlate()}


def test_what_was_said_while_nothing_ran_is_put_out_and_nothing_else(store, put, shipped):
    put(*INTRUSION, ELSEWHERE)
    Correlator(store, shipped, (), lambda: 0).run(all_of_them=True)
    before = len(outbox(store))
    Triage(store.root).say(Mark(living(store)[0]["event"]["id"], "2026-05-29T08:00:00+00:00", "closed"))
    for _ in range(2):
        Correlator(store, shipped, (), lambda: 0).run(all_of_them=True)
    assert len(outbox(store)) == before + 1
    Triage(store.root).say(Mark(living(store)[1]["event"]["id"], "2026-05-29T09:00:00+00:00", "closed"))
    Correlator(store, shipped, (), lambda: 0).run(all_of_them=True)
    assert len(outbox(store)) == before + 2
