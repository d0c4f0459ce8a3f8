"""Tests inside rules are run as the pipeline would, and say what differs and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pytest

from aegis_enrich.decide import load_rules
from aegis_enrich.decide.testing import Bench, run_tests
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import Column, DerivedTable, Detector, NoTuning
from aegis_enrich.tables import TABLES


class CallHour(DerivedTable):
    name = "call_hour"
    reads = ("conn",)
    columns = (
        Column("orig_h", "addr", ""),
        Column("calls", "count", ""),
        Column("first_us", "count", ""),
        Column("last_us", "count", ""),
    )

    @classmethod
    def sql(cls) -> str:
        return "SELECT orig_h, count(*) AS calls, min(ts_us) AS first_us, max(end_us) AS last_us FROM conn GROUP BY 1"


class Caller(Detector):
    """Sums up calls of two hours, by way of a derived table."""

    name = "caller"
    reads = ()
    derived = ("call_hour",)
    window_s = 7_200
    every_s = 3_600
    entity: ClassVar[tuple[str, ...]] = ("orig_h",)
    tuning = NoTuning
    query = """SELECT orig_h, CAST(sum(calls) AS BIGINT) AS calls, min(first_us) AS first_us, max(last_us) AS last_us
        FROM call_hour GROUP BY 1 HAVING sum(calls) >= 3 AND max(hour_us) >= $window_end - 3600000000"""

    @classmethod
    def sql(cls) -> str:
        return cls.query

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        rows = [
            {
                **row,
                "resp_p": 22,
                "score": min(row["calls"] / 10, 1.0),
                "evidence": {"calls": row["calls"]},
                "reason": f"{row['calls']} calls",
                "uids": [],
            }
            for row in features.to_dict("records")
        ]
        return pd.DataFrame(rows)


class Broken(Caller):
    name = "broken"
    query = "SELECT nonsense FROM call_hour"


CALLER = """
id: caller
name: Caller
detector: caller
severity: [{severity: low}, {at_least: 0.5, severity: high}, {severity: low, when: {orig_h: 10.0.0.9}}]
per: day
suppress: [{where: {orig_h: 10.0.0.7}, reason: known}]
tests:
"""
BENCH = Bench(Enrichment([]), {"call_hour": CallHour})


@pytest.fixture
def said(tmp_path: Path):
    """What the tests of a rule say, by name; `""` where one passed."""

    def run(text: str) -> dict[str, str]:
        (tmp_path / "r.yml").write_text(text.lstrip("\n"), encoding="utf-8")
        rules = load_rules(tmp_path, {"caller": Caller, "broken": Broken}, lambda table: TABLES[table].schema)
        return {o.name: "\n".join(o.problems).replace(str(tmp_path), "") for o in run_tests(list(rules), BENCH)}

    return run


def rows(count: int, host: str = "10.0.0.1", step: int = 60) -> str:
    return f"{{conn: [{{orig_h: {host}, repeat: {{count: {count}, step: {{ts: {step}}}}}}}]}}"


def test_what_comes_as_expected_passes(said):
    found = said(
        CALLER
        + f"""
  - {{name: hit, rows: {rows(6)}, expect: {{severity: high, entity: {{orig_h: 10.0.0.0/8}}, context: {{resp_p: 22}},
      evidence: {{calls: 6}}}}}}
  - {{name: over an hour's edge, rows: {rows(3, step=2000)}, expect: {{evidence: {{calls: 3}}}}}}
  - {{name: two, rows: {{conn: [{{orig_h: a, repeat: {{count: 3}}}}, {{orig_h: b, repeat: {{count: 3}}}}]}},
      expect: {{alerts: 2, severity: low}}}}
  - {{name: days apart, rows: {rows(6, step=86400)}, expect: none}}
  - {{name: near miss, rows: {rows(2)}, expect: none}}
  - {{name: miss, rows: {{dns: [{{query: a}}]}}, expect: none}}
  - {{name: suppressed, rows: {rows(6, "10.0.0.7")}, expect: none}}
"""
    )
    assert set(found.values()) == {""}
    assert len(found) == 7


def test_what_differs_is_said_with_its_line(said):
    found = said(
        CALLER
        + f"""  - {{name: severity, rows: {rows(6)}, expect: {{severity: medium}}}}
  - {{name: evidence, rows: {rows(6)}, expect: {{evidence: {{calls: {{at_least: 7}}, hosts: 1}}}}}}
  - {{name: entity, rows: {rows(6)}, expect: {{entity: {{orig_h: 10.0.0.2}}}}}}
  - {{name: context, rows: {rows(6)}, expect: {{context: {{resp_p: [23, 24]}}}}}}
  - {{name: none, rows: {rows(6)}, expect: none}}
  - {{name: two, rows: {rows(6)}, expect: {{alerts: 2}}}}
  - {{name: nothing, rows: {rows(2)}, expect: {{severity: low}}}}
  - {{name: suppressed, rows: {rows(6, "10.0.0.7")}, expect: {{severity: low}}}}
  - {{name: wrong, rows: {{conn: [{{resp_p: ssh}}]}}, expect: none}}
"""
    )
    assert found == {
        "severity": "/r.yml:8: severity is high, expected medium (6 calls)",
        "evidence": "/r.yml:9: evidence: calls is 6, expected {at_least: 7} (6 calls)\n"
        "/r.yml:9: evidence: hosts is None, expected 1 (6 calls)",
        "entity": "/r.yml:10: entity: orig_h is '10.0.0.1', expected 10.0.0.2 (6 calls)",
        "context": "/r.yml:11: context: resp_p is 22, expected [23, 24] (6 calls)",
        "none": "/r.yml:12: 1 alert came, no alerts expected (high: 6 calls)",
        "two": "/r.yml:13: 1 alert came, 2 alerts expected (high: 6 calls)",
        "nothing": "/r.yml:14: no alerts came, 1 alert expected (the detector found nothing)",
        "suppressed": "/r.yml:15: no alerts came, 1 alert expected (what was found is suppressed)",
        "wrong": "/r.yml:16: resp_p: 'ssh' is no int64",
    }


def test_a_finding_without_a_severity_is_told(said):
    text = CALLER.replace("{severity: low}, {at", "{at").replace("{severity: low, when: {orig_h: 10.0.0.9}}", "")
    found = said(text + f"  - {{name: a, rows: {rows(3)}, expect: {{severity: low}}}}\n")
    assert found["a"].endswith("(no line of severity holds for the finding of score 0.3: 3 calls)")


def test_a_detector_that_fails_fails_its_tests(said, caplog):
    text = CALLER.replace("caller", "broken").split("suppress")[0] + "tests:\n"
    found = said(text + f"  - {{name: a, rows: {rows(3)}, expect: none}}\n")
    assert "/r.yml:7: a window failed: " in found["a"]
    assert "nonsense" in found["a"]


def test_row_rules(said):
    found = said(
        """
id: odd
name: Odd
table: notice
where: {note: {starts_with: Odd}}
entity: [orig_h]
severity: {column: n, map: {1: high}, otherwise: low}
evidence: [note]
reason: "{note}"
suppress: [{where: {note: Odd::Known}, reason: known}]
tests:
  - {name: hit, rows: {notice: [{note: Odd::A, n: 1, orig_h: a}, {note: Odd::B, orig_h: a}]},
     expect: {severity: high, entity: {orig_h: a}, evidence: {note: "Odd::A"}}}
  - {name: miss, rows: {notice: [{note: Even::A}], conn: [{}]}, expect: none}
  - {name: suppressed, rows: {notice: [{note: Odd::Known}]}, expect: none}
  - {name: wrong, rows: {notice: [{note: Even::A}]}, expect: {severity: low}}
"""
    )
    assert [name for name, text in found.items() if not text] == ["hit", "miss", "suppressed"]
    assert found["wrong"] == "/r.yml:15: no alerts came, 1 alert expected (no row meets `where`)"


def test_the_bench_has_all_that_is_installed_and_knows_no_site():
    from aegis_enrich.registry import load

    bench = Bench.of(load())
    row = {"orig_h": "10.0.0.1", "resp_h": "192.0.2.1", "query": "a.b.example.com"}
    columns = [pa.array([row.get(f.name)], f.type) for f in TABLES["dns"].schema]
    (made,) = bench.enrichment.apply("dns", pa.table(columns, schema=TABLES["dns"].schema)).to_pylist()
    assert made["query_domain"] == "example.com"
    assert made["direction"] == "outbound"
    assert made["intel_indicator"] is None
    assert "pair_hour" in bench.tables


def test_techniques_are_compared_with_their_tactics(said):
    attack = "attack: [T1046, {id: T1498, when: {orig_h: 10.0.0.9}}]\ntests:\n"
    found = said(
        CALLER.replace("tests:\n", attack)
        + f"""
  - {{name: both, rows: {rows(6, "10.0.0.9")}, expect: {{attack: [T1498, TA0007/T1046]}}}}
  - {{name: one, rows: {rows(6)}, expect: {{attack: [T1046]}}}}
  - {{name: other, rows: {rows(6)}, expect: {{attack: [T1498]}}}}
"""
    )
    assert (found["both"], found["one"]) == ("", "")
    assert found["other"].endswith("attack is T1046, expected T1498 (6 calls)")


def test_what_is_known_of_addresses_may_be_said(said):
    override = "overrides:\n  - {where: {orig_net: servers, orig_internal: true}, severity: critical}\ntests:\n"
    site = "{10.0.0.1: {net: servers, scope: internal, criticality: high}}"
    found = said(
        CALLER.replace("tests:\n", override)
        + f"""
  - {{name: known, rows: {rows(6)}, site: {site}, expect: {{severity: critical}}}}
  - {{name: unknown, rows: {rows(6)}, expect: {{severity: high}}}}
"""
    )
    assert set(found.values()) == {""}
