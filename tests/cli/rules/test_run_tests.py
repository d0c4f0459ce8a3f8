"""`rules test`: the tests inside rules."""

from __future__ import annotations

import json
from pathlib import Path


def test_test_runs_what_is_inside(run, odd):
    code, out, err = run("test", odd_yml=odd)
    assert (code, err) == (0, "")
    assert out.splitlines() == ["rule  passed  failed", "odd   2", "2 passed, 0 failed"]


def test_test_says_what_differs_and_ends_with_one(run, odd):
    code, out, err = run("test", odd_yml=odd.replace("severity: low}}", "severity: high}}"))
    assert code == 1
    assert out.splitlines()[1:] == ["odd   1       1", "1 passed, 1 failed"]
    assert err == "/odd.yml:8: severity is low, expected high (x) [odd: a hit]\n"


def test_test_runs_only_what_is_asked_for(run, odd):
    code, out, _ = run("test", "-k", "MISS", "--json", odd_yml=odd)
    (outcome,) = json.loads(out)
    assert code == 0
    assert (outcome["rule"], outcome["name"], outcome["passed"], outcome["problems"]) == ("odd", "a miss", True, [])
    assert Path(outcome["where"]).name == "odd.yml:9"


def test_test_of_rules_that_do_not_check_says_so(run):
    code, out, err = run("test", odd_yml="thresold: 3\n")
    assert (code, out) == (1, "")
    assert err.startswith("aegis-enrich: /odd.yml:1: a rule names a detector")


def test_what_the_site_makes_of_a_rule_is_left_out(run, odd):
    code, out, _ = run("test", odd_yml=odd, overrides_yml="rules: {odd: {enabled: false, severity: critical}}\n")
    assert (code, out.splitlines()[-1]) == (0, "2 passed, 0 failed")
