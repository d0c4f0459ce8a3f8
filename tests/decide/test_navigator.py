"""Coverage as a layer of the ATT&CK Navigator, held against what its format 4.5 requires."""

from __future__ import annotations

import json
import re

from aegis_enrich.decide.attack import attack
from aegis_enrich.decide.coverage import coverage
from aegis_enrich.decide.navigator import layer

TECHNIQUE = {"techniqueID", "tactic", "comment", "enabled", "score", "color", "metadata", "links", "showSubtechniques"}
LAYER = {
    *("versions", "name", "description", "domain", "customDataURL", "filters", "sorting", "layout", "hideDisabled"),
    *("techniques", "gradient", "legendItems", "showTacticRowBackground", "tacticRowBackground", "metadata", "links"),
    *("selectTechniquesAcrossTactics", "selectSubtechniquesWithParent", "selectVisibleTechniques"),
}


def valid(made: dict) -> None:
    assert set(made) <= LAYER and made["name"] and made["domain"] == "enterprise-attack"
    assert made["versions"]["layer"] == "4.5"
    assert made["versions"]["attack"] == attack().version.split(".")[0]
    assert tuple(map(int, made["versions"]["navigator"].split("."))) >= (4, 9, 0)
    assert made["gradient"]["maxValue"] > made["gradient"]["minValue"] and len(made["gradient"]["colors"]) >= 2
    shortnames = {attack().shortname(t) for t in attack().tactics}
    for entry in made["techniques"]:
        assert set(entry) <= TECHNIQUE
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", entry["techniqueID"])
        assert entry.get("tactic", "discovery") in shortnames
        assert all(m.keys() == {"name", "value"} for m in entry.get("metadata", []))
    json.dumps(made)


def test_scores_are_numbers_of_rules(detector_rule, row_rule, probe):
    other = row_rule(
        "id: other\nname: Other\ntable: conn\nentity: [orig_h]\nseverity: low\nreason: x\n"
        "attack: [{id: T1046, when: {resp_p: 22}}, T1071.004]\n"
    )
    made = layer(coverage([detector_rule(probe), other]), note="Of two rules.")
    valid(made)
    assert made["description"].endswith("Of two rules.")
    by = {t["techniqueID"]: t for t in made["techniques"]}
    assert (by["T1046"]["score"], by["T1046"]["tactic"]) == (2, "discovery")
    assert by["T1046"]["comment"] == "Other (low, under conditions); Probe (low to high)"
    assert by["T1046"]["metadata"][1] == {"name": "probe", "value": "Probe, version 1"}
    assert (by["T1071.004"]["score"], by["T1071.004"]["tactic"]) == (1, "command-and-control")


def test_gaps_have_a_colour_and_no_score(detector_rule, probe):
    made = layer(coverage([detector_rule(probe)]), ["T1041"])
    valid(made)
    (gap,) = [t for t in made["techniques"] if t["techniqueID"] == "T1041"]
    assert "score" not in gap and gap["color"] and "none of the loaded rules" in gap["comment"]
    assert any("no rule sees it" in item["label"] for item in made["legendItems"])


def test_nothing_is_a_layer_too():
    valid(layer([]))
