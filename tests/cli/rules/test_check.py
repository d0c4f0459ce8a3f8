"""`rules check`: every problem of a folder of rules, with its file and line."""

from __future__ import annotations

import shutil

from aegis_enrich.config import shipped_rules


def test_check_counts_the_rules_that_check(run, odd):
    assert run("check", odd_yml=odd) == (0, "1 rules check\n", "")


def test_check_takes_the_shipped_rules_by_default(run):
    code, out, err = run("check")
    assert (code, err) == (0, "")
    assert out.endswith("rules check\n")


def test_check_tells_every_problem_with_its_line(run, odd):
    wrong = odd.replace("entity: [orig_h]", "entity: [orig]\nzork: 1").replace("note: x", "note: 5")
    code, out, err = run("check", odd_yml=wrong, other_yml="thresold: 3\n")
    assert (code, out) == (1, "")
    first, second, third, last = err.splitlines()
    assert first.startswith("/odd.yml:4: there is no column 'orig' here; ")
    assert second.startswith("/odd.yml:5: unknown key 'zork'")
    assert third.startswith("/other.yml:1: a rule names a detector, or the table")
    assert last == "3 problems in "


def test_check_makes_the_rows_of_tests(run, odd):
    code, _, err = run("check", odd_yml=odd.replace("note: x", "note: 5"))
    assert code == 1
    assert err.splitlines()[0] == "/odd.yml:8: note: 5 is no string"


def test_check_reads_the_files_of_the_site(run, tmp_path, odd):
    (tmp_path / "intel").mkdir()
    (tmp_path / "intel" / "mine.txt").write_text("203.0.113.9\nno such thing\n", encoding="utf-8")
    code, _, err = run(
        "check",
        odd_yml=odd,
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


def test_the_shipped_rules_check_from_another_folder(run, tmp_path):
    shutil.copytree(shipped_rules(), tmp_path / "rules")
    code, out, err = run("check", str(tmp_path / "rules"))
    assert (code, err) == (0, "")
    assert out.endswith("rules check\n")


def test_check_looks_at_correlation_and_at_the_site(run, odd, tmp_path):
    (tmp_path / "correlation").mkdir()
    (tmp_path / "correlation" / "s.yml").write_text(
        "id: s\nname: S\nstages:\n  - {name: a, rules: [odd]}\n  - {name: b, rules: [even]}\n", encoding="utf-8"
    )
    code, _, err = run("check", odd_yml=odd, overrides_yml="rules:\n  odd: {severity: {low: loud}}\n")
    assert code == 1
    assert err.splitlines()[0].startswith("/overrides.yml:2: low: 'loud' is not one of low, medium")
    code, _, err = run("check", odd_yml=odd, overrides_yml="rules:\n  odd: {severity: {low: high}}\n")
    assert code == 1
    assert err.splitlines()[0].startswith("/correlation/s.yml:5: rules: there is no rule 'even'")


def test_an_expired_suppression_is_said_and_no_problem(run, odd):
    old = "- {where: {orig_h: 10.0.0.5}, reason: a scanner, author: me, expires: 2020-01-31}\n"
    assert run("check", odd_yml=odd, suppress_yml=old) == (
        0,
        "1 rules check\n",
        "/suppress.yml:1: note: this suppression has expired: a scanner (me, until 2020-01-31)\n",
    )
