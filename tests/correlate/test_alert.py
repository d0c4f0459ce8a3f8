"""What the correlator sees of an alert document."""

from correlate.conftest import START_US, made

from aegis_enrich.correlate.alert import alert_of, time_us


def test_who_did_what_to_whom_and_when():
    alert = alert_of(made("brute_force", "198.51.100.7", "10.0.0.5", at_s=100, for_s=30, got_into=["10.0.0.5"]))
    assert (alert.rule, alert.actor, alert.targets, alert.entered) == (
        "brute_force",
        "198.51.100.7",
        ("10.0.0.5",),
        ("10.0.0.5",),
    )
    assert (alert.first_us, alert.last_us) == (START_US + 100_000_000, START_US + 130_000_000)
    assert alert.internal("10.0.0.5") and not alert.internal("198.51.100.7") and not alert.internal("192.0.2.1")


def test_hosts_that_the_evidence_names_are_targets_too_without_the_actor():
    alert = alert_of(made(actor="10.0.0.5", hosts_sample=["10.0.0.6", "10.0.0.5", "10.0.0.7"]))
    assert alert.targets == ("10.0.0.6", "10.0.0.7")


def test_a_name_is_a_place_and_its_resolver_is_none():
    tunnel = alert_of(made("dga", "10.0.0.5", "192.0.2.53", name="x.test", techniques=("TA0011/T1568.002",)))
    beacon = alert_of(made("beaconing", "10.0.0.5", "203.0.113.9", name="c2.test", techniques=("TA0011/T1071",)))
    assert tunnel.places == ("x.test",)
    assert beacon.places == ("c2.test", "203.0.113.9")


def test_a_signature_on_what_a_control_server_answers_is_about_the_inside_host():
    answer = alert_of(made("suricata_alert", "203.0.113.9", "10.0.0.5", techniques=("TA0011/T1071",)))
    attack = alert_of(made("suricata_alert", "203.0.113.9", "10.0.0.5", techniques=("TA0001/T1190",)))
    assert (answer.actor, answer.targets) == ("10.0.0.5", ("203.0.113.9",))
    assert (attack.actor, attack.targets) == ("203.0.113.9", ("10.0.0.5",))


def test_where_nobody_acts_it_is_about_whom_it_is_done_to():
    assert alert_of(made("syn_flood", None, "10.0.0.5")).subject == "10.0.0.5"
    assert alert_of(made("fast_flux", None, None, name="x.test")).subject == "x.test"


def test_conditions_see_hosts_time_and_evidence():
    values = alert_of(made(actor="10.0.0.5", target="203.0.113.9", criticality="high", ports=7)).values()
    assert (values["actor"], values["actor_internal"], values["actor_criticality"]) == ("10.0.0.5", True, "high")
    assert (values["target"], values["target_internal"], values["evidence.ports"]) == (["203.0.113.9"], False, 7)
    assert (values["hour"], values["weekday"], values["entered"]) == (20, "thursday", None)


def test_times_before_the_epoch_and_with_microseconds():
    assert time_us("1969-12-31T23:59:59.000001Z") == -999_999


def test_documents_of_older_states_say_where_a_host_is_beside_its_address():
    doc = made("port_scan", "10.0.0.5", "10.0.0.6", criticality="high")
    older = {**doc, "aegis": {k: v for k, v in doc["aegis"].items() if k not in ("source", "destination")}}
    for side in ("source", "destination"):
        older[side] = doc[side] | doc["aegis"][side]
    assert alert_of(older) == alert_of(doc)
    assert alert_of(doc).hosts["10.0.0.5"].criticality == "high"
