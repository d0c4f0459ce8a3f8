"""Backtests give the alerts that `analyze` gives, rule by rule, from logs and from a state."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_enrich import registry
from aegis_enrich.config import Config
from aegis_enrich.decide import RowRule, alert_documents
from aegis_enrich.pipeline.backtest import Difference, of_logs, of_state
from aegis_enrich.pipeline.engine import assemble

OTHER = ("config_hash", "revision", "status", "incident", "corroborated_by", "lead")


def contents(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "aegis": {k: v for k, v in document["aegis"].items() if k not in OTHER}}


@pytest.fixture(scope="module")
def parts():
    return assemble(Config(threads=1), registry.load())


@pytest.mark.slow
def test_each_rule_finds_what_it_finds_among_all(parts, lab, start):
    logs = {"sensor": [lab / "multistage" / "tsv"]}
    with start(*logs["sensor"]) as engine:
        engine.run_to_end()
        stored = engine.store.query("SELECT document, status, revision FROM alerts ORDER BY first_us, alert_id")
        root = engine.store.root
    expected: dict[str, list[dict[str, Any]]] = {}
    for document in alert_documents(stored):
        expected.setdefault(document["rule"]["id"], []).append(contents(document))
    assert len(expected) > 3
    chosen = [r for r in parts.rules if r.id in expected or isinstance(r, RowRule)]
    for opened in (of_logs(parts, logs), of_state(parts, root)):
        with opened as past:
            for rule in chosen:
                assert [contents(d) for d in past.alerts(rule)] == expected.get(rule.id, []), rule.id


def test_differences():
    def made(name: str, severity: int) -> dict[str, Any]:
        return {"event": {"id": name, "severity": severity}}

    compared = Difference([made("a", 21), made("b", 21), made("c", 47)], [made("b", 73), made("c", 47), made("d", 21)])
    assert [d["event"]["id"] for d in compared.gone] == ["a"]
    assert [d["event"]["id"] for d in compared.new] == ["d"]
    assert [(a["event"]["severity"], b["event"]["severity"]) for a, b in compared.changed] == [(21, 73)]
