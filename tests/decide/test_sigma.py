"""Sigma rules as rules of ours: how they load, what is wrong with them and where, what becomes of their alerts."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aegis_enrich.decide import RowRule, evaluate_rows, load_rules
from aegis_enrich.decide.document import document
from aegis_enrich.errors import Problems
from aegis_enrich.tables import TABLES

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "11111111-1111-4111-8111-111111111112"
RULE = f"""
title: Lookup of {{evil}}
name: evil
id: {ID}
status: test
level: high
description: A name
references: [https://example.test/]
tags: [attack.command-and-control, attack.t1071.004, attack.t9999, cve.2021-1]
falsepositives: [none]
logsource: {{product: zeek, service: dns}}
detection:
  selection:
    query|endswith: .evil.test
  filter:
    id.orig_h: 10.0.0.9
  condition: selection and not filter
"""
CORRELATION = f"""
title: Many lookups
id: {OTHER}
level: critical
correlation: {{type: event_count, rules: evil, group-by: src_ip, timespan: 5m, condition: {{gte: 3}}}}
"""


def schema(table: str) -> pa.Schema:
    return TABLES[table].schema


def problems(path) -> list[str]:
    with pytest.raises(Problems) as caught:
        load_rules(path, {}, schema)
    return [str(p).removeprefix(f"{path}/") for p in caught.value.problems]


def test_a_rule_says_what_sigma_says(folder) -> None:
    rules = load_rules(folder({"sigma/a.yml": RULE}), {}, schema)
    (rule,) = rules
    assert isinstance(rule, RowRule) and rule.enabled
    assert (rule.id, rule.name, rule.tables, rule.entity) == (ID, "Lookup of {evil}", ("dns",), ("orig_h", "resp_h"))
    assert (rule.levels, rule.attack) == ([73], ("TA0011/T1071.004",))
    assert (rule.description, rule.references, rule.false_positives) == (
        "A name",
        ("https://example.test/",),
        ("none",),
    )


def test_a_matching_row_is_an_alert_that_says_why(folder, table) -> None:
    rules = load_rules(folder({"sigma/a.yml": RULE}), {}, schema)
    rows = table(
        "dns",
        {"orig_h": "10.0.0.1", "resp_h": "10.0.0.2", "query": "a.EVIL.test", "answers": ["192.0.2.1"], "uid": "C1"},
        {"orig_h": "10.0.0.1", "resp_h": "10.0.0.2", "query": "good.test"},
        {"orig_h": "10.0.0.9", "resp_h": "10.0.0.2", "query": "b.evil.test"},
    )
    (hit,) = evaluate_rows(rules, "dns", "s", rows)
    assert (hit.entity, hit.fold.count, hit.fold.severity) == ({"orig_h": "10.0.0.1", "resp_h": "10.0.0.2"}, 1, 73)
    doc = document(hit.rule, hit.fold, hit.entity, 0, detector=ID, describe=lambda kind, value: {}, config_hash="")
    assert doc["message"] == "Lookup of {evil} by 10.0.0.1"
    assert doc["event"]["reason"] == (
        "A row of dns matches the Sigma rule “Lookup of {evil}”: query a.EVIL.test, orig_h 10.0.0.1"
    )
    assert doc["destination"]["domain"] == "a.EVIL.test"
    assert doc["threat"]["technique"]["subtechnique"]["id"] == ["T1071.004"]
    assert doc["aegis"]["evidence"] == {"query": "a.EVIL.test", "orig_h": "10.0.0.1"}
    assert doc["aegis"]["uids"] == ["C1"]
    assert evaluate_rows(rules, "dns", "s", rows.slice(1)) == evaluate_rows(rules, "conn", "s", rows) == []


def test_a_name_that_is_no_host_is_not_shown_as_one(folder, table) -> None:
    text = RULE.replace("service: dns", "service: smb_files").replace("query|endswith: .evil.test", "name: spoolss")
    rules = load_rules(folder({"sigma/a.yml": text}), {}, schema)
    (hit,) = evaluate_rows(rules, "smb_files", "s", table("smb_files", {"orig_h": "10.0.0.1", "name": "spoolss"}))
    assert hit.fold.best["context"] == {"orig_h": "10.0.0.1"}
    assert hit.fold.best["evidence"]["name"] == "spoolss"


def test_suppressions_of_the_site_hold_for_it(folder, table) -> None:
    suppress = f"- {{rule: [{ID}], where: {{orig_h: 10.0.0.1}}, reason: known}}"
    rules = load_rules(folder({"sigma/a.yml": RULE, "suppress.yml": suppress}), {}, schema)
    rows = table("dns", {"orig_h": "10.0.0.1", "query": "a.evil.test"}, {"orig_h": "10.0.0.3", "query": "a.evil.test"})
    assert [h.suppressed for h in evaluate_rows(rules, "dns", "s", rows)] == [True, False]


def test_every_problem_is_told_with_its_line(folder) -> None:
    wrong = {
        "sigma/level.yml": RULE.replace("level: high", "level: huge"),
        "sigma/modifier.yml": RULE.replace("query|endswith", "query|ends"),
        "sigma/condition.yml": RULE.replace("selection and not filter", "selection and not filtre"),
        "sigma/regex.yml": RULE.replace("query|endswith: .evil.test", "query|re: '(?=a)'"),
        "sigma/source.yml": RULE.replace("service: dns", "service: dnss"),
        "sigma/product.yml": RULE.replace(
            "product: zeek, service: dns", "product: windows, category: process_creation"
        ),
        "sigma/field.yml": RULE.replace("product: zeek, service: dns", "category: dns").replace("query|", "quary|"),
        "sigma/number.yml": RULE.replace("id.orig_h: 10.0.0.9", "id.resp_p: many"),
        "sigma/noid.yml": RULE.replace(f"id: {ID}\n", "").replace("name: evil\n", ""),
        "sigma/text.yml": "just a text",
        "sigma/yaml.yml": "a: [b",
        "sigma/reference.yml": CORRELATION.replace("rules: evil", "rules: nobody").replace(OTHER, ID),
    }
    told = problems(folder(wrong))
    for name, line, what in [
        ("level", 5, "'huge' is not a valid Sigma rule level"),
        ("modifier", 13, "Unknown modifier 'ends'"),
        ("condition", 16, "'filtre' not defined"),
        ("regex", 13, "(?="),
        ("source", 10, "service 'dnss' is no Zeek's log that is read here; there are conn, dns"),
        ("product", 10, "'windows' is not what a network sensor logs"),
        ("field", 13, "dns has no field 'quary'; near to it is query"),
        ("number", 15, "'many' is no number"),
        ("noid", 1, "id is missing"),
        ("text", 1, "a Sigma rule is expected"),
        ("yaml", 1, "not YAML"),
        ("reference", 4, "nobody"),
    ]:
        found = [t for t in told if t.startswith(f"sigma/{name}.yml:")]
        assert len(found) == 1 and found[0].startswith(f"sigma/{name}.yml:{line}:") and what in found[0], (name, found)
    assert len(told) == len(wrong)


def test_what_is_deprecated_is_there_and_off(folder) -> None:
    rules = load_rules(folder({"sigma/a.yml": RULE.replace("status: test", "status: deprecated")}), {}, schema)
    assert rules.disabled == (ID,) and rules.sigma is None


@pytest.mark.parametrize(
    ("settings", "on"),
    [
        ("least_level: critical", False),
        ("least_level: high", True),
        ("statuses: [stable]", False),
        (f"disabled: [{ID}]", False),
        ("", True),
    ],
)
def test_settings_say_what_is_in_force(folder, settings, on) -> None:
    rules = load_rules(folder({"sigma/a.yml": RULE, "sigma/settings.yml": settings or "{}"}), {}, schema)
    assert [r.enabled for r in rules] == [on]


def test_settings_give_period_and_placeholders(folder, table) -> None:
    text = RULE.replace("query|endswith: .evil.test", "query|expand: '%bad%'")
    assert "placeholder" in problems(folder({"sigma/a.yml": text}))[0]
    settings = "per: hour\nplaceholders: {bad: [a.test, b.test]}"
    rules = load_rules(folder({"sigma/a.yml": text, "sigma/settings.yml": settings}), {}, schema)
    rows = table("dns", {"orig_h": "10.0.0.1", "query": "b.test", "ts": 4000})
    (hit,) = evaluate_rows(rules, "dns", "s", rows)
    assert hit.period_us % 3_600_000_000 == 0 and hit.period_us % 86_400_000_000 != 0


def test_wrong_settings_are_told(folder) -> None:
    settings = "per: week\nstatuses: [old]\ndisabled: x\nplaceholders: [a]\nmore: 1"
    told = problems(folder({"sigma/a.yml": RULE, "sigma/settings.yml": settings}))
    assert [t.split(": ")[0] for t in told] == [f"sigma/settings.yml:{n}" for n in range(1, 6)]


def test_a_folder_named_sigma_may_lie_deeper(folder) -> None:
    assert len(load_rules(folder({"theirs/sigma/web/a.yml": RULE}), {}, schema)) == 1


def test_two_rules_of_one_id_are_refused(folder) -> None:
    assert "give each rule its own" in problems(folder({"sigma/a.yml": RULE, "sigma/b.yml": RULE}))[0]


def test_a_rule_that_correlations_use_tells_nothing_itself_unless_they_say_so(folder) -> None:
    rules = load_rules(folder({"sigma/a.yml": RULE, "sigma/b.yml": CORRELATION}), {}, schema)
    assert list(rules.detectors) == [OTHER] and rules.disabled == (ID,)
    said = CORRELATION.replace("gte: 3}", "gte: 3}, generate: true")
    rules = load_rules(folder({"sigma/a.yml": RULE, "sigma/b.yml": said}), {}, schema)
    assert list(rules.detectors) == [OTHER] and list(rules.rows) == [ID]


def test_the_hash_changes_with_all_that_matters(folder) -> None:
    def hashed(**files: str) -> str:
        path = folder({f"sigma/{name}.yml": text for name, text in files.items()})
        found = load_rules(path, {}, schema).hash
        for name in files:
            (path / "sigma" / f"{name}.yml").unlink()
        return found

    plain = hashed(a=RULE, b=CORRELATION)
    assert hashed(a=RULE, b=CORRELATION) == hashed(z=RULE, b=CORRELATION) or plain
    assert hashed(a=RULE.replace("evil.test", "bad.test"), b=CORRELATION) != plain  # of a rule that is off itself
    assert hashed(a=RULE, b=CORRELATION.replace("gte: 3", "gte: 4")) != plain
    assert hashed(a=RULE, b=CORRELATION, settings="per: hour") != plain


def test_several_documents_filters_and_global_parts(folder, table) -> None:
    text = f"""
action: global
title: T
logsource: {{product: zeek, service: dns}}
level: low
---
id: {ID}
detection: {{selection: {{query: a.test}}, condition: selection}}
---
id: {OTHER}
detection: {{selection: {{query: b.test}}, condition: selection}}
"""
    filtered = f"""
title: Not of the resolver
logsource: {{product: zeek, service: dns}}
filter:
  rules: [{ID}]
  selection: {{id.orig_h: 10.0.0.2}}
  condition: not selection
"""
    rules = load_rules(folder({"sigma/a.yml": text, "sigma/f.yml": filtered}), {}, schema)
    rows = table("dns", *({"orig_h": o, "query": q} for o in ("10.0.0.1", "10.0.0.2") for q in ("a.test", "b.test")))
    found = {(h.rule.id, h.entity["orig_h"]) for h in evaluate_rows(rules, "dns", "s", rows)}
    assert found == {(ID, "10.0.0.1"), (OTHER, "10.0.0.1"), (OTHER, "10.0.0.2")}


def test_columns_of_tests_are_checked(folder) -> None:
    text = RULE + "tests: [{name: t, rows: {dns: [{qwery: a}]}, expect: none}]\n"
    assert "there is no column 'qwery'" in problems(folder({"sigma/a.yml": text}))[0]
