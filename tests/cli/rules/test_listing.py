"""`rules list`: the rules that there are."""

from __future__ import annotations

import json


def test_list(run, odd):
    code, out, _ = run("list", odd_yml=odd, two_yml=odd.replace("id: odd", "id: two\nenabled: false\nattack: [T1046]"))
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["id", "kind", "severity", "ATT&CK", "enabled", "tests"],
        ["odd", "rows", "low", "to", "high", "yes", "2"],
        ["two", "rows", "low", "to", "high", "T1046", "no", "2"],
    ]
    _, out, _ = run("list", "--json", odd_yml=odd)
    assert [(r["id"], r["severity"], r["enabled"], r["tests"]) for r in json.loads(out)] == [
        ("odd", ["low", "high"], True, 2),
        ("two", ["low", "high"], False, 2),
    ]


def test_what_the_site_changes_is_in_the_list(run, odd):
    _, out, _ = run("list", "--json", odd_yml=odd, overrides_yml="rules: {odd: {severity: {low: medium}}}\n")
    assert [(r["severity"], r["overridden"]) for r in json.loads(out)] == [(["medium", "high"], True)]
    _, out, _ = run("list", odd_yml=odd, overrides_yml="rules: {odd: {severity: {low: none, high: none}}}\n")
    assert out.splitlines()[1].split()[2] == "none"
