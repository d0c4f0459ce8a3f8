"""Suppressions over alerts that are there already: in documents, and in the state when rules change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_enrich.decide import Decider, alert_documents, evaluate_rows
from aegis_enrich.decide.decider import STORED
from aegis_enrich.decide.standing import suppressed_document, unsuppressed, with_reason
from aegis_enrich.plugin import MICROS
from aegis_enrich.store import Store

from .conftest import Deciding

ODD = """
id: odd
name: Odd
table: weird
entity: [orig_h]
evidence: [addl]
severity: low
reason: odd
"""
SERVERS = {"locality": "internal", "network.name": "servers"}


def describe(kind: str, value: str) -> dict[str, str]:
    return SERVERS if value.startswith("10.") else {}


def suppress(where: str, more: str = "") -> str:
    return f"[{{where: {where}, reason: known, author: me{more}}}]"


@pytest.fixture
def document(rules, probe, deciding, store, finding):
    """The document of an alert that two findings made, the first of which leads."""
    made = deciding(rules(probe))
    made.decider.describe = describe
    made.window(finding(hour=1, score=0.6), hour=1)
    made.window(finding(hour=2, score=0.3, evidence={"ports": 900}), hour=2)
    (found,) = alert_documents(store.query(f"SELECT {STORED} FROM alerts"))
    return found


@pytest.mark.parametrize(
    ("site", "covered"),
    [
        (suppress("{orig_h: 10.0.0.1}"), True),
        (suppress("{orig_h: 10.0.0.2}"), False),
        (suppress("{resp_h: 192.0.2.0/24, resp_p: 22}"), True),
        (suppress("{evidence.ports: {at_most: 20}}"), True),
        (suppress("{evidence.ports: {at_least: 900}}"), False),
        (suppress("{orig_net: servers, orig_scope: internal}"), True),
        (suppress("{orig_net: guests}"), False),
        (suppress("{sensor: s}"), True),
        (suppress("{sensor: t}"), False),
        (suppress("{score: {at_least: 0.6}}"), True),
        (suppress("{orig_h: 10.0.0.1}", ", rule: [probe]"), True),
        (suppress("{orig_h: 10.0.0.1}", ", rule: [odd]"), False),
        (suppress("{orig_h: 10.0.0.1}", ", expires: 2020-01-01"), False),
        (suppress("{orig_h: 10.0.0.1}", ", expires: 2200-01-01"), True),
        (suppress("{orig_h: 10.0.0.1}", ", begins: 2200-01-01"), False),
        (suppress("{orig_h: 10.0.0.1}", ", begins: 2020-01-01"), True),
    ],
)
def test_documents(rules, probe, document, site, covered):
    found = rules(probe, ODD, suppress=site)
    by = suppressed_document(found, document)
    assert (by is not None) is covered
    assert len(unsuppressed(found, [document])) == (not covered)
    if by:
        assert with_reason(document, by)["aegis"]["suppressed"]["reason"] == "known"
        assert "suppressed" not in document["aegis"]


def test_of_several_sensors_each_must_be_covered(rules, probe, document):
    document["aegis"]["sensors"] = ["s", "t"]
    assert suppressed_document(rules(probe, suppress=suppress("{sensor: s}")), document) is None
    assert suppressed_document(rules(probe, suppress=suppress("{sensor: [s, t]}")), document)


def test_of_a_rule_that_is_off_or_gone_those_of_the_site_hold(rules, probe, document):
    everywhere = suppress("{orig_h: 10.0.0.1}")
    assert suppressed_document(rules(probe + "enabled: false\n", suppress=everywhere), document)
    document["rule"]["id"] = "gone"
    assert suppressed_document(rules(probe, suppress=everywhere), document)


class Taken:
    """A state whose rules change."""

    def __init__(self, deciding, rules, probe: str) -> None:
        self.deciding, self.load = deciding, lambda site: rules(probe, ODD, suppress=site)
        self.made = deciding(self.load("[]"))

    def use(self, site: str) -> int:
        self.made.decider = Decider(self.load(site), describe, f"hash of {site}", lambda: 0)
        with self.made.store.transaction() as tx:
            return self.made.decider.review(tx)

    def row(self, table, **row) -> None:
        with self.made.store.transaction() as tx:
            self.made.decider.rows(tx, evaluate_rows(self.made.decider.rules, "weird", "s", table("weird", row)))

    def status(self) -> list[tuple[str, int]]:
        return self.made.store.query("SELECT status, json_extract(document, '$.aegis.count') FROM alerts")

    def last(self) -> dict:
        return self.made.delivered()[-1]["aegis"]


@pytest.fixture
def taken(deciding, rules, probe) -> Taken:
    return Taken(deciding, rules, probe)


def test_an_open_alert_is_withdrawn_and_comes_back(taken, finding):
    taken.made.window(finding())
    assert taken.use(suppress("{orig_h: 10.0.0.9}")) == 0
    assert taken.use(suppress("{orig_h: 10.0.0.1}", ", expires: 2200-01-31")) > 0
    assert (taken.status(), taken.last()["revision"]) == ([("withdrawn", 1)], 2)
    assert taken.last()["suppressed"] == {"reason": "known", "author": "me", "expires": "2200-01-31"}
    assert taken.use(suppress("{orig_h: 10.0.0.1}")) == 0
    assert taken.use("[]") > 0
    assert (taken.status(), taken.last()["revision"]) == ([("open", 1)], 3)
    assert "suppressed" not in taken.last()


def test_what_is_not_covered_of_an_alert_stays(taken, finding):
    taken.made.window(finding(hour=1, score=0.6), hour=1)
    taken.made.window(finding(hour=2, score=0.3, evidence={"ports": 900}), hour=2)
    taken.use(suppress("{evidence.ports: {at_most: 20}}"))
    assert taken.status() == [("open", 1)]
    (body,) = taken.made.store.query("SELECT document FROM alerts")[0]
    assert json.loads(body)["aegis"]["evidence"] == {"ports": 900}
    taken.use("[]")
    assert taken.status() == [("open", 2)]


def test_a_later_finding_does_not_bring_back_what_is_covered(taken, finding):
    taken.made.window(finding(hour=1, score=0.6), hour=1)
    taken.use(suppress("{evidence.ports: {at_most: 20}}"))
    taken.made.window(finding(hour=2, score=0.3, evidence={"ports": 900}), hour=2)
    assert taken.status() == [("open", 1)]
    assert taken.last()["evidence"] == {"ports": 900}


def test_a_closed_alert_stays_as_it_is(taken, finding):
    taken.made.window(finding())
    taken.made.close(60)
    assert taken.use(suppress("{orig_h: 10.0.0.1}")) == 0
    assert taken.status() == [("closed", 1)]


def test_rows(taken, table):
    taken.row(table, orig_h="10.0.0.1", addl="a")
    taken.row(table, orig_h="10.0.0.1", addl="a", ts=5)
    taken.use(suppress("{addl: a}"))
    assert (taken.status(), taken.last()["suppressed"]["reason"]) == ([("withdrawn", 2)], "known")
    taken.use("[]")
    assert taken.status() == [("open", 2)]
    taken.use(suppress("{addl: a}"))
    taken.row(table, orig_h="10.0.0.1", addl="b", ts=9)
    assert (taken.status(), taken.last()["evidence"]) == ([("open", 1)], {"addl": "b"})


def test_expired_by_the_clock_of_people(rules, probe):
    (found,) = rules(probe, suppress=suppress("{orig_h: 10.0.0.1}", ", expires: 2026-01-31")).suppress
    first_us = 1_769_904_000 * MICROS  # 2026-02-01
    assert (found.expired(first_us - 1), found.expired(first_us)) == (False, True)
    assert str(found) == "known (me, until 2026-01-31)"
    assert found.written.endswith("suppress.yml:1")


PLACES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.sampled_from([22, 23]), st.sampled_from([0.3, 0.6]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(PLACES, min_size=1, max_size=8, unique_by=lambda p: p[:2]),
    covers=st.lists(st.sampled_from(["{orig_h: 10.0.0.1}", "{resp_p: 22}", "{score: {at_most: 0.4}}"]), unique=True),
    data=st.data(),
)
def test_alerts_are_what_the_findings_and_the_suppressions_in_force_make_them(
    rules, probe, finding, tmp_path_factory, places, covers, data
):
    """Findings and suppressions in any order; in the end it is as if the suppressions had been there first."""

    def use(life: Taken, site: str) -> None:
        life.made.decider = Decider(life.load(site), describe, "", lambda: 0)
        with life.made.store.transaction() as tx:
            life.made.decider.review(tx)

    def take(life: Taken, host: int, hour: int, port: int, score: float) -> None:
        ends = {"orig_h": f"10.0.0.{host}", "resp_h": "192.0.2.1"}
        life.made.window(finding(hour, score, entity=ends, context={"resp_p": port}), hour=hour, sensor=f"s{host}")

    def held(steps: list[Any]) -> list[tuple[str, str]]:
        with Store(tmp_path_factory.mktemp("state")) as store:
            life, site = Taken(lambda loaded: Deciding(store, loaded), rules, probe), []
            use(life, "[]")
            for step in steps:
                if isinstance(step, str):
                    site.append(f"{{where: {step}, reason: x}}")
                    use(life, f"[{', '.join(site)}]")
                else:
                    take(life, *step)
            return store.query("SELECT alert_id, document FROM alerts WHERE status = 'open' ORDER BY alert_id")

    mixed = data.draw(st.permutations([*places, *covers]))
    assert held(mixed) == held([*covers, *places])
