"""`rules new`: each template checks, and its tests pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from aegis_enrich.cli.rules.new import _for_detector
from aegis_enrich.config import shipped_rules
from aegis_enrich.decide import load_rules
from aegis_enrich.plugin import Detector, tunable
from aegis_enrich.registry import Registry, load


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (("odd_rows",), "rows/odd_rows.yml"),
        (("odd_rows", "--rows", "dns"), "rows/odd_rows.yml"),
        (("odd_rule", "--sigma"), "sigma/odd_rule.yml"),
        (("scan", "--detector", "port_scan"), "detectors/port_scan.yml"),
    ],
)
def test_what_it_begins_checks_and_passes(aegis, tmp_path, options, path):
    ran = aegis("rules", "new", *options, "--rules", tmp_path / "mine")
    assert (ran.code, ran.out.startswith(f"{tmp_path / 'mine' / path}: edit it; ")) == (0, True)
    assert aegis("rules", "check", tmp_path / "mine").out == "1 rules check\n"
    tested = aegis("rules", "test", tmp_path / "mine")
    assert (tested.code, tested.out.splitlines()[-1].endswith(" passed, 0 failed")) == (0, True)


def test_a_sequence(aegis, tmp_path):
    aegis("rules", "new", "a_row", "--rules", tmp_path)
    assert aegis("rules", "new", "story", "--correlation", "--rules", tmp_path).code == 0
    assert aegis("rules", "check", tmp_path).code == 0
    assert "name: Story" in (tmp_path / "correlation" / "story.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(load().detectors))
def test_the_shipped_rule_of_a_detector_is_its_template(name):
    assert (shipped_rules() / "detectors" / f"{name}.yml").is_file()


@dataclass(frozen=True)
class Tuning:
    least: int = tunable(10, "from how many on", least=1, most=100, unit="rows")
    names: tuple[str, ...] = tunable(("a: b",), "names that do not count")


class Probe(Detector):
    name = "probe"
    reads = ("dns",)
    window_s = every_s = 3_600
    entity = ("orig_h",)
    tuning = Tuning

    def score(self, features: pd.DataFrame, tuning: Any) -> pd.DataFrame:
        return pd.DataFrame()


def test_a_detector_without_a_shipped_rule(tmp_path):
    text = _for_detector("probe", Registry({}, {}, {"probe": Probe}, {}))
    (tmp_path / "probe.yml").write_text(text, encoding="utf-8")
    rule = load_rules(tmp_path, {"probe": Probe}).detectors["probe"]
    assert rule.tuning == Tuning()
    assert "least: 10  # from how many on (rows)" in text


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("odd_rows",), 1, "these rules come with AegisEnrich"),
        (("Odd-Rows", "--rules", "."), 2, "'Odd-Rows': write small letters"),
        (("odd_rows", "--sigma", "--correlation", "--rules", "."), 2, "a rule is for one thing"),
        (("odd_rows", "--rows", "nothing", "--rules", "."), 1, "there is no such table; there are conn"),
        (("odd_rows", "--detector", "nothing", "--rules", "."), 1, "no such detector; there are"),
    ],
)
def test_what_is_wrong_is_told(aegis, tmp_path, monkeypatch, options, code, said):
    monkeypatch.chdir(tmp_path)
    ran = aegis("rules", "new", *options)
    assert (ran.code, said in ran.err) == (code, True)
    assert list(tmp_path.rglob("*.yml")) == []


def test_nothing_is_overwritten(aegis, tmp_path):
    aegis("rules", "new", "odd_rows", "--rules", tmp_path)
    ran = aegis("rules", "new", "odd_rows", "--rules", tmp_path)
    assert (ran.code, "odd_rows.yml: is there already" in ran.err) == (1, True)
    ran = aegis("rules", "new", "odd_rows", "--sigma", "--rules", tmp_path)
    assert (ran.code, "there is a rule 'odd_rows' already" in ran.err) == (1, True)


def test_in_a_folder_that_extends_the_shipped_rules(aegis, tmp_path):
    (tmp_path / "overrides.yml").write_text("extends: shipped\n", encoding="utf-8")
    there = aegis("rules", "check", tmp_path).out
    assert aegis("rules", "new", "scan", "--detector", "port_scan", "--rules", tmp_path).code == 0
    assert aegis("rules", "check", tmp_path).out == there
    (row,) = [r for r in aegis("rules", "list", tmp_path, "--json").json if r["id"] == "port_scan"]
    assert row["path"] == str(tmp_path / "detectors" / "port_scan.yml")
    ran = aegis("rules", "new", "intel", "--rules", tmp_path)
    assert (ran.code, "there is a rule 'intel' already" in ran.err) == (1, True)
