"""Conditions: values never stand in the SQL, and both ends of documents are told apart."""

from __future__ import annotations

from typing import Any

from aegis_enrich.ask.entities import Entity
from aegis_enrich.ask.lexicon import known_words
from aegis_enrich.ask.reading import Reading, read
from aegis_enrich.ask.where import Where, attack_ids, names, predicate

WORDS = known_words()
ALERT: dict[str, Any] = {
    "source": {"ip": "10.0.0.5"},
    "destination": {
        "ip": "203.0.113.9",
        "domain": "c2.example.org",
        "port": 8443,
        "geo": {"country_iso_code": "RU"},
        "as": {"number": 64500, "organization": {"name": "Example Hosting"}},
    },
    "network": {"protocol": "ssl"},
    "related": {"ip": ["10.0.0.5", "203.0.113.9"], "hosts": ["c2.example.org"]},
    "aegis": {
        "source": {"locality": "internal"},
        "destination": {"locality": "external"},
        "entity": {"orig_h": "10.0.0.5", "key": "c2.example.org"},
        "evidence": {"hosts_sample": ["10.0.0.7"]},
        "sensors": ["tap"],
        "attack": [{"tactic": {"id": "TA0006"}, "technique": {"id": "T1110.001"}}],
    },
}


def holds(question: str) -> bool:
    reading = read(question, WORDS, 0)
    assert isinstance(reading, Reading), reading
    return predicate(reading, WORDS.services)(ALERT)


def test_a_value_is_a_parameter() -> None:
    evil = "x' OR '1'='1"
    where = Where()
    where.add(where.end("orig", Entity("host", evil, evil)))
    where.add(where.below("query", [Entity("domain", evil, evil)]))
    assert evil not in str(where) and set(where.values.values()) == {evil}


def test_no_condition_is_true() -> None:
    assert str(Where()) == "TRUE"


def test_documents_by_either_end() -> None:
    assert holds("alerts of 10.0.0.5") and holds("alerts from 10.0.0.5") and not holds("alerts against 10.0.0.5")
    assert holds("alerts against 203.0.113.9") and not holds("alerts by 203.0.113.9")
    assert holds("alerts on 10.0.0.7") and not holds("alerts by 10.0.0.7")
    assert holds("alerts from 10.0.0.0/24") and not holds("alerts from 203.0.113.0/24")
    assert holds("alerts from inside") and not holds("alerts from outside") and holds("alerts to outside")


def test_documents_by_name_place_service_port_and_technique() -> None:
    assert holds("alerts about example.org") and not holds("alerts about ample.org")
    assert holds("alerts to Russia") and not holds("alerts from Russia") and not holds("alerts to France")
    assert holds("alerts to AS64500") and holds("https alerts") and not holds("ssh alerts")
    assert holds("alerts on port 8443") and not holds("alerts on port 443")
    assert holds("alerts with T1110") and holds("alerts with T1110.001") and not holds("alerts with T1110.003")
    assert holds("alerts with TA0006")


def test_what_a_document_names() -> None:
    assert names(ALERT) == {"10.0.0.5", "10.0.0.7", "203.0.113.9", "c2.example.org"}
    assert attack_ids(ALERT) == {"T1110.001", "T1110", "TA0006"}
