"""Sigma through the whole pipeline: alerts at once, correlations in a process of their own, rules that change."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from aegis_enrich.pipeline import engine as module

PATIENCE_S = 60.0
RULE = """
title: Bad name
name: bad
id: 11111111-1111-4111-8111-111111111111
level: high
logsource: {product: zeek, service: dns}
detection: {selection: {query|endswith: .bad.test}, condition: selection}
"""
CORRELATION = """
title: Bad names
id: 11111111-1111-4111-8111-111111111112
level: critical
correlation: {type: event_count, rules: bad, group-by: id.orig_h, timespan: 5m, condition: {gte: 3}, generate: true}
"""


@pytest.fixture
def rules(tmp_path) -> Path:
    folder = tmp_path / "rules" / "sigma"
    folder.mkdir(parents=True)
    (folder / "bad.yml").write_text(f"{RULE}---{CORRELATION}", encoding="utf-8")
    return tmp_path / "rules"


def lookups(count: int, first_s: float = 0.0, name: str = "x{}.bad.test"):
    return [
        {
            "ts": first_s + 10 * n,
            "uid": f"C{first_s + n}",
            "id.orig_h": "10.0.0.9",
            "id.orig_p": 40_000 + n,
            "id.resp_h": "10.0.0.2",
            "id.resp_p": 53,
            "proto": "udp",
            "query": name.format(n),
        }
        for n in range(count)
    ]


def told(alerts):
    return [(a["rule"]["name"], a["event"]["severity"], a["aegis"]["count"]) for a in alerts]


def test_rows_and_correlations_become_alerts(tmp_path, rules, write, start, alerts) -> None:
    write(tmp_path / "logs" / "dns.log", lookups(4))
    for _ in range(2):
        with start(tmp_path / "logs", rules=str(rules)) as engine:
            engine.run_to_end()
            found = alerts(engine)
            assert engine.store.query("SELECT * FROM windows_failed") == []
        assert sorted(told(found)) == [("Bad name", 73, 4), ("Bad names", 99, 1)]
    row, correlated = sorted(found, key=lambda a: a["rule"]["name"])
    assert row["source"]["ip"] == correlated["source"]["ip"] == "10.0.0.9"
    assert correlated["event"]["reason"].startswith("4 rows of orig_h 10.0.0.9 match “Bad name” within 300 s")


@pytest.mark.slow
def test_a_correlation_is_evaluated_beside_the_reading(tmp_path, rules, write, start, alerts, monkeypatch) -> None:
    """The detector, which no module holds, goes to the other process."""
    write(tmp_path / "logs" / "dns.log", [*lookups(4), *lookups(1, 7200, "good.test")])
    seen = []

    def look(engine) -> None:
        seen[:] = told(alerts(engine))
        if any(name == "Bad names" for name, *_ in seen):
            engine.stopping.set()

    monkeypatch.setattr(module, "IDLE_S", 0.01)
    with start(tmp_path / "logs", live=True, rules=str(rules), progress=look, idle_after_s=0.0) as engine:
        engine.run(until_s=time.monotonic() + PATIENCE_S)
        assert engine.store.query("SELECT * FROM windows_failed") == []
    assert ("Bad names", 99, 1) in seen


def test_changed_rules_are_taken_up_and_broken_ones_are_not(tmp_path, rules, write, start, caplog) -> None:
    write(tmp_path / "logs" / "dns.log", lookups(1))
    path = rules / "sigma" / "bad.yml"
    text = path.read_text(encoding="utf-8")
    with start(tmp_path / "logs", live=True, rules=str(rules)) as engine:
        before = engine.rules

        def look() -> None:
            engine._due_s.clear()
            engine._keep_house()

        path.write_text(text.replace("gte: 3", "gte: 30"), encoding="utf-8")
        look()
        assert engine.rules.hash != before.hash
        (watch,) = engine.scheduler.watches.values()
        assert "metric >= 30" in watch.detector.sql()
        taken = engine.rules
        with caplog.at_level(logging.WARNING):
            path.write_text(text.replace("query|endswith", "query|endwith"), encoding="utf-8")
            look()
        assert engine.rules is taken and "Unknown modifier 'endwith'" in caplog.text
        path.write_text(text, encoding="utf-8")
        look()
        assert engine.rules.hash == before.hash
