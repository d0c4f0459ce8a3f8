"""A folder of rules that extends another: what a site has itself, and what ships."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from aegis_enrich.config import shipped_rules
from aegis_enrich.correlate import load_correlation
from aegis_enrich.decide import load_rules
from aegis_enrich.decide.folders import extended, rule_files
from aegis_enrich.errors import Problems
from aegis_enrich.registry import load

MINE = "id: mine\nname: Mine\ntable: weird\nentity: [orig_h]\nseverity: low\nreason: x\n"


def test_without_more_a_folder_is_itself(folder):
    where = folder({"a.yml": MINE, "sub/b.yml": MINE})
    assert extended(where) is None
    assert list(rule_files(where)) == [PurePath("a.yml"), PurePath("sub/b.yml")]


def test_the_shipped_rules_with_what_a_site_has(folder):
    where = folder(
        {
            "overrides.yml": "extends: shipped\nrules: {port_scan: {tuning: {min_ports: 30}}}\n",
            "rows/mine.yml": MINE,
            "rows/intel.yml": MINE.replace("mine", "intel").replace("low", "critical"),
        }
    )
    shipped, site = (load_rules(p, load().detectors) for p in (shipped_rules(), where))
    assert {r.id for r in site} == {r.id for r in shipped} | {"mine"}
    assert site.detectors["port_scan"].tuning.min_ports == 30
    assert site.rows["intel"].levels == [99]  # the site's file takes the place of the shipped one
    assert load_correlation(where).hash == load_correlation(shipped_rules()).hash


def test_another_folder(folder, tmp_path):
    (tmp_path / "central").mkdir()
    (tmp_path / "central" / "a.yml").write_text(MINE)
    where = folder({"overrides.yml": "extends: ../central\n"})
    assert list(load_rules(where, {}).rows) == ["mine"]


@pytest.mark.parametrize("named", ["../nowhere", "shiped"])
def test_a_folder_that_is_not_there(folder, named):
    with pytest.raises(Problems) as caught:
        load_rules(folder({"overrides.yml": f"extends: {named}\n"}), {})
    (problem,) = caught.value.problems
    assert problem.where.endswith("overrides.yml:1")
    assert problem.what.startswith("extends: there is no folder ")
