"""The incident document: its id, what it holds, and that the template of Elasticsearch knows its fields."""

import random

from correlate.conftest import ELSEWHERE, INTRUSION, made, seen

from aegis_enrich.correlate.fields import FIELDS
from aegis_enrich.correlate.incident import ALERTS, document, incident_of, with_state
from aegis_enrich.correlate.settings import Settings
from aegis_enrich.correlate.story import as_text, tell
from aegis_enrich.correlate.ties import groups
from aegis_enrich.decide.fold import canonical

H = 3600
C2 = ("TA0011/T1071",)


def doc_of(shipped, *documents, health=()):
    return document(incident_of(seen(*documents), shipped, seen(*health)))


def test_it_says_who_what_when_and_how_bad(shipped):
    doc = doc_of(shipped, *INTRUSION)
    incident = doc["aegis"]["incident"]
    assert doc["message"] == "Break-in by guessing: 198.51.100.7, reaching 10.0.0.5 and 10.0.0.6"
    assert [s["name"] for s in incident["stages"]][:2] == ["reconnaissance", "guessing of credentials"]
    assert incident["stages"][1]["entered"] == ["10.0.0.5"]
    scan = incident["stages"][3]  # of two hosts, one of which has a part in the incident
    assert (scan["targets"], scan["target_count"]) == (["10.0.0.6"], 2)
    assert {h["ip"]: h["role"] for h in incident["hosts"]}["10.0.0.6"] == "victim"
    assert doc["event"]["severity"] == 99 and doc["aegis"]["alert_count"] == 6
    assert doc["related"] == {
        "ip": ["10.0.0.5", "10.0.0.6", "198.51.100.7", "203.0.113.8", "203.0.113.9"],
    }
    assert next(s["id"] for s in incident["sequences"]) == "break_in"
    assert doc["threat"]["tactic"]["id"][:2] == ["TA0043", "TA0006"]


def test_it_depends_on_the_set_of_alerts_alone(shipped):
    for seed in range(5):
        shuffled = random.Random(seed).sample(INTRUSION, len(INTRUSION))
        assert canonical(doc_of(shipped, *shuffled)) == canonical(doc_of(shipped, *INTRUSION))


def test_its_id_stays_while_it_grows(shipped):
    first = doc_of(shipped, *INTRUSION[:2])["event"]["id"]
    assert doc_of(shipped, *INTRUSION)["event"]["id"] == first
    earlier = made("beaconing", "10.0.9.9", "203.0.113.77", at_s=20, techniques=C2)
    assert doc_of(shipped, earlier, ELSEWHERE)["event"]["id"] == doc_of(shipped, ELSEWHERE)["event"]["id"]
    assert doc_of(shipped, ELSEWHERE)["event"]["id"] != first


def test_one_rule_alone_gives_its_own_title(shipped):
    assert doc_of(shipped, ELSEWHERE)["message"] == "beaconing by 10.0.9.9"


def test_state_of_the_network_counts_only_over_its_time(shipped):
    at_the_time = made("packet_loss", at_s=55, techniques=())
    before = made("packet_loss", at_s=-5000, techniques=())
    grounds = doc_of(shipped, ELSEWHERE, health=[at_the_time])["aegis"]["false_positive"]["grounds"]
    assert any("packets were lost" in g for g in grounds)
    assert doc_of(shipped, ELSEWHERE, health=[before]) == doc_of(shipped, ELSEWHERE)


def test_the_worst_alerts_are_held_and_all_are_counted(shipped):
    many = [made("beaconing", target=f"203.0.113.{n % 250}", at_s=n, techniques=C2) for n in range(ALERTS + 50)]
    worst = made("exfiltration", at_s=9999, severity=99, techniques=("TA0010/T1041",))
    doc = doc_of(shipped, *many, worst)
    held = doc["aegis"]["incident"]["alerts"]
    assert (doc["aegis"]["alert_count"], len(held)) == (ALERTS + 51, ALERTS)
    assert worst["event"]["id"] in {a["id"] for a in held}


def test_a_year_of_the_same_makes_no_larger_a_document(shipped):
    def lasting(days):
        return [made("beaconing", target=f"203.0.113.{n % 9}", at_s=n * 86400, techniques=C2) for n in range(days)]

    docs = [doc_of(shipped, *lasting(days)) for days in (ALERTS, 3 * ALERTS)]
    short, long = (len(canonical(doc)) for doc in docs)
    assert long < 1.02 * short
    (stage,) = docs[1]["aegis"]["incident"]["stages"]
    assert (stage["alert_count"], len(stage["alerts"])) == (3 * ALERTS, ALERTS)
    assert "400 further alerts say the like" in as_text(tell(docs[1], lambda rule: None))


def test_what_is_added_at_delivery():
    said = with_state({"aegis": {"incident": {}}}, "merged", 3, {"status": "closed"}, "other")
    assert said["aegis"] == {
        "incident": {"merged_into": "other"},
        "status": "merged",
        "revision": 3,
        "triage": {"status": "closed"},
    }


def test_the_mapping_knows_only_fields_that_documents_have(shipped):
    lost = made("packet_loss", techniques=())
    doc = with_state(
        doc_of(shipped, *INTRUSION, health=[lost]), "open", 1, {"status": "open", "at": "", "author": ""}, "x"
    )
    doc["event"] |= {"created": "", "ingested": ""}
    unknown = {f for f in FIELDS if not has(doc, f.split("."))}
    assert unknown == {"tags", "event.action", "related.hash", "related.hosts"} | {
        f for f in unknown if f.startswith("threat.technique.subtechnique")
    }


def has(value, path):
    if isinstance(value, list):
        return any(has(v, path) for v in value)
    return not path or (isinstance(value, dict) and path[0] in value and has(value[path[0]], path[1:]))


def test_a_crowd_and_what_its_hosts_do_beside_have_names_of_their_own(shipped):
    crowd = [made("beaconing", f"10.0.2.{n}", "203.0.113.9", at_s=n, techniques=("TA0011/T1071",)) for n in range(11)]
    other = made("tls_c2", "10.0.2.0", "203.0.113.66", techniques=("TA0011/T1071",))
    guessed = made("brute_force", None, "10.0.2.0", techniques=("TA0006/T1110.001",), got_into=[])
    found = [incident_of(g.alerts, shipped, crowd=g.crowd) for g in groups(seen(*crowd, other, guessed), Settings())]
    assert len({i.id for i in found}) == len(found) == 3
    titles = [document(i)["message"] for i in found]
    assert "11 hosts go to one place (command and control): 203.0.113.9" in titles


def test_harmless_acts_beside_it_make_nothing_less(shipped):
    c2 = made("beaconing", target="203.0.113.9", severity=99, score=1.0, techniques=("TA0011/T1071",))
    noise = [made("rare_destination", name="x.akamai.net", at_s=n, techniques=("TA0011/T1071",)) for n in range(9)]
    alone, hidden = (incident_of(seen(*docs), shipped) for docs in ([c2], [c2, *noise]))
    assert hidden.risk.score >= alone.risk.score and hidden.sure.value >= alone.sure.value
    assert any("content network" in doubt for doubt in hidden.sure.doubts)


def test_a_scanner_of_ours_that_calls_home_is_as_bad_as_any_host(shipped):
    scan, beacon = (
        made(rule, "10.0.0.5", "203.0.113.9", severity=73, techniques=(technique,), criticality="low")
        for rule, technique in (("port_scan", "TA0007/T1046"), ("beaconing", "TA0011/T1071"))
    )
    for doc in (scan, beacon):
        doc["aegis"]["source"]["asset"]["name"] = "nessus-1"
    assert incident_of(seen(scan), shipped).risk.left == 0.4
    assert incident_of(seen(beacon), shipped).risk.left == 1
    assert incident_of(seen(scan, beacon), shipped).risk.score >= incident_of(seen(beacon), shipped).risk.score


def test_evidence_of_other_people_s_plugins_is_no_trouble(shipped):
    odd = made("their_own", "10.0.0.5", "203.0.113.9", hosts=["a"], examples="text", clients_share="x", got_into="y")
    assert doc_of(shipped, odd)["aegis"]["incident"]["alerts"][0]["examples"] == []
