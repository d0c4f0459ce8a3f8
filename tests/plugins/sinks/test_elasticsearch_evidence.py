"""Types of what stands in the evidence."""

from __future__ import annotations

import pytest

from aegis_enrich.errors import ConfigError
from aegis_enrich.evidence import misfits, typed
from aegis_enrich.plugin import Document
from aegis_enrich.registry import load
from aegis_plugins.sinks.elasticsearch import Elasticsearch
from aegis_plugins.sinks.elasticsearch.evidence import PREFIX, fields


class One:
    evidence = typed(count="rows", addr="hosts_sample", bool="new", double="rate", string="signs")


class Other:
    evidence = typed(double="rows")


def test_what_detectors_declare() -> None:
    found = fields({"one": One})
    assert {name: found[f"aegis.evidence.{name}"] for name in One.evidence} == {
        "rows": "long",
        "hosts_sample": "ip",
        "new": "boolean",
        "rate": "double",
        "signs": "keyword",
    }


def test_columns_that_rules_for_rows_show_have_the_types_of_their_tables() -> None:
    found = fields({})
    assert found["aegis.evidence.status_code"] == "long"
    assert found["aegis.evidence.user_agent"] == "keyword"
    assert found["aegis.evidence.src"] == "ip"
    assert found["aegis.evidence.percent_lost"] == "double"
    assert found["aegis.evidence.version"] == "keyword"  # a text in ssl, a number in ssh
    assert "aegis.evidence.extra" not in found


def test_a_detector_s_word_counts_more_than_a_column_s() -> None:
    class Versions:
        evidence = typed(count="version")

    assert fields({"versions": Versions})["aegis.evidence.version"] == "long"


def test_correlations_of_sigma_are_declared_too() -> None:
    assert fields({})["aegis.evidence.event_count"] == "long"


def test_two_that_contradict_are_named() -> None:
    with pytest.raises(ConfigError, match="detector other: evidence 'rows' is double here and count in Sigma's"):
        fields({"one": One, "other": Other})


def test_the_shipped_detectors_agree() -> None:
    assert fields(load().detectors)["aegis.evidence.servers_sample"] == "ip"


def test_evidence_of_the_lab_s_alerts_is_what_its_detector_declares(golden_documents) -> None:
    detectors = load().detectors
    by_detector = [(d["aegis"]["detector"], d["aegis"]["evidence"]) for d in golden_documents]
    judged = [(name, evidence) for name, evidence in by_detector if name in detectors]
    assert len({name for name, _ in judged}) > 8
    assert [m for name, evidence in judged for m in misfits(evidence, detectors[name].evidence)] == []
    known = fields(detectors)
    assert {PREFIX + key for _, evidence in by_detector for key in evidence} <= set(known)


@pytest.fixture
def indexed(elasticsearch, golden_alerts):
    """The shared server with the golden alerts, and one whose evidence is what nobody declared."""
    elasticsearch.forget_alerts()
    Elasticsearch.setup(elasticsearch.settings())
    made = Elasticsearch(elasticsearch.settings())
    try:
        documents = [Document("alert", d["event"]["id"], 1, d) for d in golden_alerts]
        assert {o for o, _ in made.deliver(documents)} == {"stored"}
        odd = {"dials": "many", "hosts_sample": ["a.test"], "new": "perhaps", "nobody_knows": {"deep": [1, {"x": 2}]}}
        body = golden_alerts[0] | {"aegis": golden_alerts[0]["aegis"] | {"evidence": odd, "status": "odd"}}
        assert made.deliver([Document("alert", "odd", 1, body)]) == [("stored", "")]
    finally:
        made.close()
    return elasticsearch


@pytest.mark.elasticsearch
def test_numbers_are_found_as_numbers_and_addresses_as_addresses(indexed, golden_alerts) -> None:
    def counted(name, holds):
        return sum(1 for d in golden_alerts if holds(d["aegis"]["evidence"].get(name)))

    ranged = indexed.count("aegis-alerts", range={"aegis.evidence.dials": {"gte": 9, "lt": 100}})
    assert ranged == counted("dials", lambda v: v is not None and 9 <= v < 100) > 0
    inside = indexed.count("aegis-alerts", term={"aegis.evidence.hosts_sample": "10.0.0.0/8"})
    assert inside == counted("hosts_sample", lambda v: v and any(h.startswith("10.") for h in v)) > 0
    known = indexed.count("aegis-alerts", term={"aegis.evidence.source_internal": True})
    assert known == counted("source_internal", lambda v: v is True) > 0
    found = indexed.count("aegis-alerts", prefix={"aegis.evidence.kinds": "vertical"})
    assert found == counted("kinds", lambda v: v and any(k.startswith("vertical") for k in v)) > 0


@pytest.mark.elasticsearch
def test_evidence_that_does_not_fit_is_kept_and_its_alert_too(indexed) -> None:
    ignored = indexed.documents("aegis-alerts", exists={"field": "_ignored"})
    assert [(hit["_id"], sorted(hit["_ignored"])) for hit in ignored] == [
        ("odd", ["aegis.evidence.dials", "aegis.evidence.hosts_sample", "aegis.evidence.new"])
    ]
    assert ignored[0]["_source"]["aegis"]["evidence"]["nobody_knows"] == {"deep": [1, {"x": 2}]}
    assert indexed.count("aegis-alerts", exists={"field": "aegis.evidence.nobody_knows"}) == 0
