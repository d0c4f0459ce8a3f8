"""Who is ranked above whom: over all recorded scenarios, the attackers above everybody else.

The alerts are those that test_golden.py finds; who attacks is told in tests/data/lab/truth.yml.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis_enrich.correlate.alert import alert_of
from aegis_enrich.correlate.hosts import rank_alerts
from aegis_enrich.correlate.incident import incident_of
from aegis_enrich.correlate.load import load_correlation
from aegis_enrich.correlate.ties import groups
from aegis_enrich.decide import load_rules
from aegis_enrich.evaluate import load_truth
from aegis_enrich.registry import load

ROOT = Path(__file__).resolve().parents[2]
RULES = load_correlation(ROOT / "rules")
GOLDEN = {
    path.stem: [alert_of(doc) for doc in json.loads(path.read_text(encoding="utf-8"))]
    for path in sorted(Path(__file__).parent.glob("*.json"))
}
QUIET = {"benign", "benign_tls", "loss_0", "loss_5", "loss_20", "loss_download_20", "long_connection", "latency_5h"}


@pytest.fixture(scope="module")
def health():
    return load_rules(ROOT / "rules", load().detectors).health


def incidents(alerts, health):
    found = [
        incident_of(group.alerts, RULES)
        for group in groups([a for a in alerts if a.rule not in health], RULES.settings)
    ]
    return [i for i in found if i.risk.score >= RULES.settings.least_risk]


def test_every_labelled_attacker_ranks_above_every_other_host(health):
    truths = load_truth(ROOT / "tests" / "data" / "lab" / "truth.yml")
    attackers, others = [], []
    for name, alerts in GOLDEN.items():
        truth = truths.get(name.split(".")[0])
        for ranked in rank_alerts(alerts, RULES, health) if truth else ():
            labelled = any(ranked.host.address in act.who for act in truth.acts)
            (attackers if labelled else others).append((ranked.risk, name, ranked.host.address))
    assert len(attackers) > 30
    assert min(attackers) > max(others, default=(0.0,))


@pytest.mark.parametrize("name", ["multistage", "multistage.eve"])
def test_the_recorded_intrusion_is_one_incident_above_all_others(name, health):
    (whole,) = incidents(GOLDEN[name], health)
    assert [s.word for s in whole.stages] == [
        "reconnaissance",
        "guessing of credentials",
        "command and control",
        "looking around inside",
        "guessing of credentials",
        "command and control",
        "exfiltration",
    ]
    assert {h for h, role in whole.roles.items() if role == "victim"} == {"10.10.0.14", "10.10.0.15"}
    elsewhere = [
        i.risk.score
        for n, alerts in GOLDEN.items()
        if n.split(".")[0] != "multistage"
        for i in incidents(alerts, health)
    ]
    assert whole.risk.score > max(elsewhere)


def test_where_nothing_happens_there_is_no_incident(health):
    assert {n: len(incidents(a, health)) for n, a in GOLDEN.items() if n in QUIET and incidents(a, health)} == {}
