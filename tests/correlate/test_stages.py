"""Stages in the order of time, and what hosts are in them."""

from correlate.conftest import INTRUSION, made, seen

from aegis_enrich.correlate.acts import acts
from aegis_enrich.correlate.stages import stages, tactic

C2 = ("TA0011/T1071",)


def words(*documents):
    return [s.word for s in stages(acts(seen(*documents)))]


def test_an_intrusion_in_its_order():
    assert words(*INTRUSION) == [
        "reconnaissance",
        "guessing of credentials",
        "command and control",
        "looking around inside",
        "guessing of credentials",
        "exfiltration",
    ]


def test_acts_of_one_tactic_by_one_host_in_a_row_are_one_stage():
    beacons = [made("beaconing", target=f"203.0.113.{n}", at_s=n * 100, techniques=C2) for n in range(1, 4)]
    (stage,) = stages(acts(seen(*beacons)))
    assert len(stage.acts) == 3 and stage.best in stage.alerts
    other = made("beaconing", "10.0.0.6", "203.0.113.9", at_s=250, techniques=C2)
    assert len(words(*beacons, other)) == 3


def test_an_alert_without_a_technique_has_a_stage_too():
    (alert,) = seen(made("suricata_alert", techniques=()))
    assert tactic(alert) == "" and words(made("suricata_alert", techniques=())) == ["unmapped"]
