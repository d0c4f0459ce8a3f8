"""The alert document: ECS in shape, and nothing in it that differs between two runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aegis_enrich.decide.document import RISK_BANDS, alert_id, document, iso, risk_score
from aegis_enrich.decide.fields import FIELDS
from aegis_enrich.decide.fold import Fold

BEST = {
    "severity": 73,
    "score": 0.8,
    "time_us": 5,
    "context": {
        "orig_h": "10.0.0.1",
        "orig_p": 4000,
        "resp_h": "192.0.2.1",
        "resp_p": 22,
        "name": "a.test",
        "proto": "tcp",
        "service": "ssh",
        "direction": "outbound",
        "community_id": "1:abc",
    },
    "evidence": {"ports": 20, "kinds": ["TCP"], "deep": {"x": 1}},
    "title": "Probe by 10.0.0.1",
    "reason": "10.0.0.1 probed 20 ports",
}
FOLD = Fold(3, 1_000_000, 9_500_000, 0, 7_200_000_000, 73, 0.8, ("a", "b"), BEST, ((0, "C1"), (1, "C2")))
ENTITY = {"orig_h": "10.0.0.1"}
# Every sub-field of an address or name that the template knows.
DESCRIBED = {
    "address": {n[7:]: "x" for n in FIELDS if n.startswith("source.") and n not in ("source.ip", "source.port")},
    "domain": {"registered_domain": "a.test", "top_level_domain": "test", "subdomain": "b"},
}
FALSE_POSITIVES = "false_positives: [Scanners]\nreferences: ['https://example.com']\ndescription: It probes.\n"


def made(rule: Any, fold: Fold = FOLD, describe: Any = lambda kind, value: {}) -> dict[str, Any]:
    return document(rule, fold, ENTITY, 0, detector="probe", describe=describe, config_hash="abc")


def leaves(doc: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted names of a document's values, down to where the template has a field."""
    if not isinstance(doc, dict) or FIELDS.get(prefix) in ("flattened", "geo_point", "object"):
        return {prefix: doc}
    return {k: v for name, value in doc.items() for k, v in leaves(value, f"{prefix}.{name}".strip(".")).items()}


@pytest.fixture
def rule(detector_rule, probe):
    return detector_rule(probe + FALSE_POSITIVES)


def test_the_shape_of_ecs(rule):
    doc = made(rule)
    assert doc["@timestamp"] == "1970-01-01T00:00:01.000000Z"
    assert doc["message"] == "Probe by 10.0.0.1"
    event = doc["event"]
    assert (event["kind"], event["category"]) == ("alert", ["intrusion_detection", "network"])
    assert (event["severity"], event["risk_score"]) == (73, 93.0)
    assert (event["start"], event["end"]) == ("1970-01-01T00:00:00.000000Z", "1970-01-01T02:00:00.000000Z")
    assert event["reason"] == "10.0.0.1 probed 20 ports"
    assert doc["rule"] == {
        "id": "probe",
        "name": "Probe",
        "description": "It probes.",
        "version": "1",
        "ruleset": "aegis-enrich",
        "reference": ["https://example.com"],
    }
    assert doc["source"] == {"ip": "10.0.0.1", "port": 4000}
    assert doc["destination"] == {"ip": "192.0.2.1", "port": 22, "domain": "a.test"}
    assert doc["network"] == {
        "transport": "tcp",
        "protocol": "ssh",
        "direction": "outbound",
        "community_id": "1:abc",
    }
    assert doc["related"] == {"ip": ["10.0.0.1", "192.0.2.1"], "hosts": ["a.test"]}
    assert doc["observer"]["name"] == ["a", "b"]
    assert doc["threat"]["technique"]["id"] == ["T1046"]
    aegis = doc["aegis"]
    assert (aegis["count"], aegis["score"], aegis["uids"]) == (3, 0.8, ["C1", "C2"])
    assert (aegis["entity"], aegis["evidence"]) == (ENTITY, BEST["evidence"])
    assert aegis["attack"][0]["technique"] == {"id": "T1046", "name": "Network Service Discovery"}
    assert (aegis["first_seen"], aegis["last_seen"]) == ("1970-01-01T00:00:01.000000Z", "1970-01-01T00:00:09.500000Z")


def test_every_field_that_a_document_can_hold_is_in_the_template(rule):
    doc = made(rule, describe=lambda kind, value: DESCRIBED[kind])
    doc["aegis"] |= {"status": "open", "revision": 1}
    assert set(leaves(doc)) <= set(FIELDS)
    assert leaves(doc)["source.geo.location"] == "x"
    assert leaves(doc)["destination.registered_domain"]


def test_what_a_row_says_of_techniques_leads(rule):
    best = BEST | {"attack": ["T1071.004"]}
    assert made(rule, replace(FOLD, best=best))["threat"]["technique"]["id"] == ["T1071"]


def test_a_rule_without_techniques_has_no_threat(detector_rule, probe):
    doc = made(detector_rule(probe.replace("attack: [T1046]", "attack: []")))
    assert "threat" not in doc
    assert "attack" not in doc["aegis"]


def test_a_name_in_an_address_column_is_a_domain(rule):
    best = BEST | {"context": {"orig_h": "printer", "resp_h": "192.0.2.1"}}
    doc = made(rule, replace(FOLD, best=best))
    assert doc["source"] == {"domain": "printer"}
    assert doc["related"] == {"ip": ["192.0.2.1"], "hosts": ["printer"]}


def test_nothing_is_made_up_where_nothing_is_known(rule):
    doc = made(rule, replace(FOLD, best=BEST | {"context": {}, "reason": "x" * 2000, "title": ""}))
    assert doc["source"]["ip"] == "10.0.0.1"  # the entity is known always
    assert not {"destination", "network"} & set(doc)
    assert doc["message"] == "Probe"
    assert len(doc["event"]["reason"]) == 1024


def test_ids_are_of_rule_entity_and_period_alone(rule):
    first = alert_id("probe", {"orig_h": "a", "resp_p": 22}, 0)
    assert first == alert_id("probe", {"resp_p": 22, "orig_h": "a"}, 0)
    others = [
        alert_id("other", {"orig_h": "a", "resp_p": 22}, 0),
        alert_id("probe", {"orig_h": "b", "resp_p": 22}, 0),
        alert_id("probe", {"orig_h": "a", "resp_p": "22"}, 0),
        alert_id("probe", {"orig_h": "a", "resp_p": 22}, 1),
    ]
    assert len({first, *others}) == 5
    elsewhere = replace(FOLD, sensors=("z",), first_us=0, score=0.1, uids=())
    assert made(rule)["event"]["id"] == made(rule, elsewhere)["event"]["id"] == alert_id("probe", ENTITY, 0)


def test_risk_never_leaves_the_band_of_its_severity():
    bands = [(risk_score(s, 0.0), risk_score(s, 1.0)) for s in sorted(RISK_BANDS)]
    assert bands == [(1.0, 46.0), (47.0, 72.0), (73.0, 98.0), (99.0, 100.0)]
    assert risk_score(47, 7.0) == 72.0
    assert risk_score(21, 0.5) == 23.5


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_times(time_us, text):
    assert iso(time_us) == text
