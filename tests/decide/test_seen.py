"""What conditions see: what is said, and what is known of the ends, looked up only when it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_enrich.decide import Decider
from aegis_enrich.decide.document import document
from aegis_enrich.decide.findings import fold_of
from aegis_enrich.decide.overrides import Verdict
from aegis_enrich.decide.seen import OF_ENDS, Seen, document_values, finding_values
from aegis_enrich.detect.windows import Window

FACTS: dict[str, Any] = {
    "10.0.0.1": {"locality": "internal", "network.name": "servers", "asset.owner": "Storage team"},
    "192.0.2.1": {"locality": "external", "geo.country_iso_code": "NL", "as.number": 64500},
}


@pytest.fixture
def asked():
    """What was looked up."""
    return []


@pytest.fixture
def describe(asked):
    def look_up(kind: str, value: str) -> dict[str, Any]:
        asked.append(value)
        return FACTS.get(value, {}) if kind == "address" else {}

    return look_up


def test_ends_are_looked_up_once_and_only_when_asked_for(describe, asked):
    seen = Seen({"orig_h": "10.0.0.1", "resp_h": "192.0.2.1", "score": 0.4}, describe)
    assert (seen["score"], seen.get("nothing"), asked) == (0.4, None, [])
    assert (seen["orig_scope"], seen["orig_internal"], seen["orig_net"]) == ("internal", True, "servers")
    assert (seen["orig_owner"], seen["orig_country"], asked) == ("Storage team", None, ["10.0.0.1"])
    assert (seen["resp_scope"], seen["resp_internal"], seen["resp_country"]) == ("external", False, "NL")
    assert (seen["resp_asn"], asked) == (64500, ["10.0.0.1", "192.0.2.1"])


def test_what_is_said_counts(describe, asked):
    assert Seen({"orig_h": "10.0.0.1", "orig_scope": "external"}, describe)["orig_scope"] == "external"
    assert asked == []


def test_an_end_that_is_not_there_has_no_facts(describe, asked):
    seen = Seen({"resp_h": None}, describe)
    assert (seen["orig_scope"], seen["resp_internal"], asked) == (None, None, [])
    assert set(seen) == {"resp_h", *OF_ENDS}
    assert len(seen) == len(OF_ENDS) + 1


def test_severity_sees_named_networks_and_owners(rules, probe, store, finding, describe):
    lowered = "[{severity: high}, {severity: low, when: {orig_net: servers, resp_country: [NL, BE]}}]"
    found = rules(probe.replace("[{severity: low}, {at_least: 0.5, severity: high}]", lowered))
    made = [finding(entity={"orig_h": h, "resp_h": "192.0.2.1"}) for h in ("10.0.0.1", "10.0.0.2")]
    with store.transaction() as tx:
        window = Window(made[0].window_start_us, made[0].window_end_us)
        Decider(found, describe, "", lambda: 0).window(tx, "probe", "s", window, made)
    assert sorted(store.query("SELECT severity FROM alerts")) == [(21,), (73,)]


def test_a_document_gives_what_its_finding_saw(rules, probe, finding, describe):
    rule = rules(probe).detectors["probe"]
    made = finding()
    doc = document(
        rule,
        fold_of(made, Verdict(21, ()), "x"),
        made.entity,
        0,
        detector="probe",
        describe=describe,
        config_hash="",
    )
    values = document_values(doc)
    seen = Seen(finding_values(made), describe)
    for name in ("orig_h", "resp_h", "resp_p", "evidence.ports", "score", *OF_ENDS):
        assert values.get(name) == seen.get(name), name
    assert values["sensor"] == ["s"]
