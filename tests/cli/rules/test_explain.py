"""`rules explain`: what a rule reads, how it decides and what it runs."""

from __future__ import annotations

import shutil

import pytest

from aegis_enrich.cli.rules.explain import explanation
from aegis_enrich.config import shipped_rules
from aegis_enrich.decide import load_rules
from aegis_enrich.decide.testing import Bench
from aegis_enrich.registry import load

SITE = """
rules:
  port_scan:
    tuning: {min_ports: 30}
    overrides:
      - {where: {orig_net: servers}, hours: 22:00-06:00, severity: {high: medium}, reason: nightly backup}
    suppress: [{where: {orig_h: 10.0.0.5}, reason: a scanner, author: me, expires: 2200-01-01}]
"""


@pytest.fixture
def rules(tmp_path):
    shutil.copytree(shipped_rules(), tmp_path / "rules")
    (tmp_path / "rules" / "overrides.yml").write_text(SITE, encoding="utf-8")
    return tmp_path / "rules"


def test_a_detector_s_rule(aegis, rules):
    ran = aegis("rules", "explain", "port_scan", "--rules", rules)
    assert ran.code == 0
    for part in (
        "reads          conn, aegis_scan\n",
        "window         3600 s, each 1800 s, decided 150 s after it, 660 s where Suricata fills the table; at once by",
        "one alert per  orig_h and hour\n",
        "tuning         min_ports = 30 [default 15]: ports of one host",
        "severity       high from a score of 0.65\n",
        "override       where orig_net is servers at 22:00-06:00 UTC: high becomes medium (nightly backup)\n",
        "suppressed     where orig_h is 10.0.0.5: a scanner (me, until 2200-01-01)\n",
        "CAST(30 AS BIGINT)",
    ):
        assert part in ran.out, part
    assert "$min_ports" not in ran.out
    assert "$window_start" in ran.out


def test_a_window_s_bounds_are_filled_in(aegis, rules):
    told = aegis("rules", "explain", "port_scan", "--rules", rules, "--at", "2026-11-22T01:00:00", "--json").json
    assert "$" not in told["sql"].replace("$'", "")
    assert "1795305600000000" in told["sql"]  # 00:00 UTC
    assert told["tuning"][0] == {
        "name": "min_ports",
        "value": 30,
        "default": 15,
        "unit": "",
        "doc": "ports of one host, of one transport, without service",
    }


def test_a_rule_over_rows(aegis):
    out = aegis("rules", "explain", "intel").out
    assert "where          intel_indicator is known\n" in out
    assert "severity       high from intel_severity 70\n" in out
    assert "SELECT *\nFROM conn  -- and so of open_conn, dns, " in out
    assert out.endswith("WHERE intel_indicator IS NOT NULL\n")


def test_every_shipped_rule_can_be_explained():
    registry = load()
    rules = load_rules(shipped_rules(), registry.detectors, Bench.of(registry).enrichment.schema)
    for rule in (*rules.detectors.values(), *rules.rows.values(), *rules.off):
        assert "SELECT" in explanation(rule, rules, registry)["sql"], rule.id


def test_a_rule_that_is_not_there(aegis):
    ran = aegis("rules", "explain", "port_scam")
    assert (ran.code, ran.err) == (1, "aegis-enrich: port_scam: no such rule; there are port_scan\n")
