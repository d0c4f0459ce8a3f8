"""What a window's findings open: grouped, judged, suppressed."""

from __future__ import annotations

from aegis_enrich.decide.findings import opened_by


def test_findings_that_are_grouped_are_one_of_which_the_highest_leads(rules, probe, finding):
    found = rules(probe + "group_by: [orig_h]\n")
    made = [finding(score=s, entity={"orig_h": "a", "resp_h": h}) for h, s in (("b", 0.3), ("c", 0.7))]
    opened = opened_by(found, found.detectors["probe"], made, lambda kind, value: {})
    ((_, entity, _, fold),) = opened.alerts
    assert (entity, fold.count, fold.severity, fold.score) == ({"orig_h": "a"}, 1, 73, 0.7)
    assert (fold.best["context"]["resp_h"], fold.best["attack"], opened.suppressed) == ("c", ["T1046"], {})


def test_what_is_suppressed_is_counted_by_sensor(rules, probe, finding):
    text = probe.replace("[{severity: low}, ", "[") + "overrides: [{where: {resp_p: 22}, enabled: false}]\n"
    found = rules(text, suppress="[{where: {resp_p: 23}, reason: x}]")
    made = [
        finding(score=0.6, sensor=s, context={"resp_p": p}) for s, p in (("a", 22), ("a", 23), ("b", 22), ("b", 24))
    ]
    made.append(finding(score=0.1, sensor="c"))  # nothing by the rule itself
    opened = opened_by(found, found.detectors["probe"], made, lambda kind, value: {})
    assert (len(opened.alerts), dict(opened.suppressed)) == (1, {"a": 2, "b": 1})
