"""The examples of rules/README.md check, and their tests pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis_enrich.decide import RuleSet, load_rules
from aegis_enrich.decide.testing import Bench, run_tests
from aegis_enrich.registry import load

README = (Path(__file__).resolve().parents[2] / "rules" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def block(beginning: str) -> str:
    (found,) = [b for b in BLOCKS if b.startswith(beginning)]
    return str(found)


@pytest.fixture
def loaded(tmp_path: Path):
    """The rules of a folder with these files."""
    registry = load()
    bench = Bench.of(registry)

    def read(**files: str) -> tuple[RuleSet, Bench]:
        for name, text in files.items():
            (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
        return load_rules(tmp_path, registry.detectors, bench.enrichment.schema), bench

    return read


def test_a_detector_rule(loaded) -> None:
    rules, bench = loaded(rule=block("id: port_scan"))
    rule = rules.detectors["port_scan"]
    assert rule.attack == ("T1046", "TA0043/T1595.001", "T1498")
    assert rule.investigate and rule.overrides and rule.suppress[0].author == "anna"
    outcomes = list(run_tests([rule], bench))
    assert [o.problems for o in outcomes] == [(), (), ()]


def test_a_row_rule(loaded) -> None:
    rules, _ = loaded(rule=block("id: suricata_alert"))
    assert list(rules.rows) == ["suricata_alert"]


def test_overrides(loaded) -> None:
    rule = block("id: port_scan").partition("overrides:")[0]
    rules, _ = loaded(rule=rule + block("overrides:"))
    first, *_ = rules.detectors["port_scan"].overrides
    assert str(first.hours) == "22:00-06:00 mon tue wed thu fri Europe/Amsterdam"
    assert first.changed == {73: 47, 47: 0}


def test_overrides_of_a_site(loaded) -> None:
    rules, _ = loaded(overrides=block("extends: shipped"), suppress=block("- rule: [port_scan"))
    assert rules.detectors["port_scan"].tuning.min_ports == 30
    assert rules.rows["intel"].levels == [21, 47, 73, 99]  # high by the map of its tactic
    assert rules.detectors["port_scan"].by_tactic == {"TA0007": {47: 21, 21: 0}, "TA0011": {47: 73}}
    assert rules.suppress[0].rules == ("port_scan", "suricata_alert")


def test_every_example_is_tested() -> None:
    assert len(BLOCKS) == 5


def test_each_key_of_rules_is_told() -> None:
    from aegis_enrich.decide.overrides import CHANGES, KEYS
    from aegis_enrich.decide.rule_file import _DETECTOR, _ROWS
    from aegis_enrich.decide.seen import FACTS

    for key in {*_DETECTOR, *_ROWS, *KEYS, *CHANGES}:
        assert re.search(rf"\b{key}:", README), key
    for fact in FACTS:
        assert f"`orig_{fact}`" in README, fact
