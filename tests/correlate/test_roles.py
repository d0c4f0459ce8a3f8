"""What each host is in an incident."""

from correlate.conftest import INTRUSION, made, seen

from aegis_enrich.correlate.roles import roles
from aegis_enrich.correlate.settings import Settings


def of(*documents):
    return roles(seen(*documents), Settings())


def test_attacker_victims_and_what_serves_the_attack():
    assert of(*INTRUSION) == {
        "198.51.100.7": "attacker",
        "10.0.0.5": "victim",
        "203.0.113.9": "infrastructure",
        "10.0.0.6": "victim",
        "203.0.113.8": "infrastructure",
    }


def test_an_inside_host_whose_part_has_no_known_beginning_is_a_suspect():
    assert of(*INTRUSION[2:4])["10.0.0.5"] == "suspect"


def test_an_attempt_makes_no_victim_unless_the_target_acts():
    attempt = made("http_jndi", "198.51.100.7", "10.0.0.5", techniques=("TA0001/T1190",))
    call = made("beaconing", "10.0.0.5", "203.0.113.9", at_s=60, techniques=("TA0011/T1071",))
    assert of(attempt) == {"198.51.100.7": "attacker", "10.0.0.5": "target"}
    assert of(attempt, call)["10.0.0.5"] == "victim"
    before = made("beaconing", "10.0.0.5", "203.0.113.9", at_s=-60, techniques=("TA0011/T1071",))
    assert of(before, attempt)["10.0.0.5"] == "suspect"


def test_whom_a_flood_hits_is_a_victim():
    assert of(made("syn_flood", None, "10.0.0.5", techniques=("TA0040/T1498",))) == {"10.0.0.5": "victim"}
