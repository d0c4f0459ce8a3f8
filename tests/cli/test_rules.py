"""`rules check`, `rules test` and `rules list` as a user calls them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aegis_enrich.cli import main
from aegis_enrich.config import shipped_rules

ODD = """id: odd
name: Odd
table: notice
entity: [orig_h]
severity: {column: n, map: {1: high}, otherwise: low}
reason: "{note}"
tests:
  - {name: a hit, rows: {notice: [{note: x}]}, expect: {severity: low}}
  - {name: a miss, rows: {conn: [{}]}, expect: none}
"""


@pytest.fixture
def run(capsys, tmp_path):
    """Runs `rules …` over a folder with these files: exit code, standard output, standard error."""

    def call(*arguments: str, **files: str) -> tuple[int, str, str]:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            main(["rules", *arguments, *([str(tmp_path)] if files else [])])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err.replace(str(tmp_path), "")

    return call


def test_check_counts_the_rules_that_check(run):
    assert run("check", odd_yml=ODD) == (0, "1 rules check\n", "")


def test_check_takes_the_shipped_rules_by_default(run):
    code, out, err = run("check")
    assert (code, err) == (0, "")
    assert out.endswith("rules check\n")


def test_check_tells_every_problem_with_its_line(run):
    wrong = ODD.replace("entity: [orig_h]", "entity: [orig]\nzork: 1").replace("note: x", "note: 5")
    code, out, err = run("check", odd_yml=wrong, other_yml="thresold: 3\n")
    assert (code, out) == (1, "")
    first, second, third, last = err.splitlines()
    assert first.startswith("/odd.yml:4: there is no column 'orig' here; ")
    assert second.startswith("/odd.yml:5: unknown key 'zork'")
    assert third.startswith("/other.yml:1: a rule names a detector, or the table")
    assert last == "3 problems in "


def test_check_makes_the_rows_of_tests(run):
    code, _, err = run("check", odd_yml=ODD.replace("note: x", "note: 5"))
    assert code == 1
    assert err.splitlines()[0] == "/odd.yml:8: note: 5 is no string"


def test_check_reads_the_files_of_the_site(run, tmp_path):
    (tmp_path / "intel").mkdir()
    (tmp_path / "intel" / "mine.txt").write_text("203.0.113.9\nno such thing\n", encoding="utf-8")
    code, _, err = run(
        "check",
        odd_yml=ODD,
        networks_yml="internal: [10.0.0.0/33]\nextrenal: []\n",
        assets_csv="address,name,owner,criticality\n10.0.0.1,a,b,huge\n",
        suppress_yml="[{rule: [even], where: {orig_h: 10.0.0.1}, reason: x}]\n",
    )
    assert code == 1
    places = [line.partition(": ")[0] for line in err.splitlines()[:-1]]
    assert places == ["/suppress.yml:1", "/assets.csv:2", "/intel/mine.txt:2", "/networks.yml:1", "/networks.yml:2"]


def test_check_of_a_folder_that_is_not_there(run):
    code, _, err = run("check", "/no/such/folder")
    assert code == 1
    assert err.startswith("/no/such/folder: no such folder of rules")


def test_test_runs_what_is_inside(run):
    code, out, err = run("test", odd_yml=ODD)
    assert (code, err) == (0, "")
    assert out.splitlines() == ["rule  passed  failed", "odd   2", "2 passed, 0 failed"]


def test_test_says_what_differs_and_ends_with_one(run):
    code, out, err = run("test", odd_yml=ODD.replace("severity: low}}", "severity: high}}"))
    assert code == 1
    assert out.splitlines()[1:] == ["odd   1       1", "1 passed, 1 failed"]
    assert err == "/odd.yml:8: severity is low, expected high (x) [odd: a hit]\n"


def test_test_runs_only_what_is_asked_for(run):
    code, out, _ = run("test", "-k", "MISS", "--json", odd_yml=ODD)
    (outcome,) = json.loads(out)
    assert code == 0
    assert (outcome["rule"], outcome["name"], outcome["passed"], outcome["problems"]) == ("odd", "a miss", True, [])
    assert Path(outcome["where"]).name == "odd.yml:9"


def test_test_of_rules_that_do_not_check_says_so(run):
    code, out, err = run("test", odd_yml="thresold: 3\n")
    assert (code, out) == (1, "")
    assert err.startswith("aegis-enrich: /odd.yml:1: a rule names a detector")


def test_list(run):
    code, out, _ = run("list", odd_yml=ODD, two_yml=ODD.replace("id: odd", "id: two\nenabled: false\nattack: [T1046]"))
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["id", "kind", "severity", "ATT&CK", "enabled", "tests"],
        ["odd", "rows", "low", "to", "high", "yes", "2"],
        ["two", "rows", "low", "to", "high", "T1046", "no", "2"],
    ]
    _, out, _ = run("list", "--json", odd_yml=ODD)
    assert [(r["id"], r["severity"], r["enabled"], r["tests"]) for r in json.loads(out)] == [
        ("odd", ["low", "high"], True, 2),
        ("two", ["low", "high"], False, 2),
    ]


def test_the_shipped_rules_check_from_another_folder(run, tmp_path):
    shutil.copytree(shipped_rules(), tmp_path / "rules")
    code, out, err = run("check", str(tmp_path / "rules"))
    assert (code, err) == (0, "")
    assert out.endswith("rules check\n")
