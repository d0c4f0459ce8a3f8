"""What ties alerts to one another, and what does not."""

import random

from correlate.conftest import ELSEWHERE, INTRUSION, made, seen
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.correlate.settings import Settings
from aegis_enrich.correlate.ties import groups

H = 3600
C2 = ("TA0011/T1071",)
ENTRY = ("TA0006/T1110.001", "TA0001/T1078")


def together(*documents):
    """Sets of indices of the documents in each group."""
    number = {d["event"]["id"]: n for n, d in enumerate(documents)}
    return sorted(sorted(number[a.id] for a in group.alerts) for group in groups(seen(*documents), Settings()))


def test_an_intrusion_is_one_group_and_a_stranger_another():
    assert together(*INTRUSION, ELSEWHERE) == [[0, 1, 2, 3, 4, 5], [6]]


def test_a_host_that_was_silent_for_long_begins_anew():
    first, near, far = (made(at_s=h * H) for h in (0, 23, 23 + 25))
    assert together(first, near, far) == [[0, 1], [2]]


def test_what_a_host_does_after_it_was_entered_belongs_to_the_break_in():
    entry = made("brute_force", "198.51.100.7", "10.0.0.5", techniques=ENTRY, got_into=["10.0.0.5"], severity=99)
    soon, late = (made("beaconing", "10.0.0.5", at_s=h * H, techniques=C2) for h in (20, 60))
    before = made("beaconing", "10.0.0.5", at_s=-30 * H, for_s=H, techniques=C2)
    assert together(entry, soon, late, before) == [[0, 1], [2], [3]]


def test_guessing_that_failed_and_a_scan_tie_nobody_to_the_attacker():
    failed = made("brute_force", "198.51.100.7", "10.0.0.5", techniques=ENTRY[:1], got_into=[], severity=73)
    scan = made("port_scan", "198.51.100.8", "10.0.0.5", techniques=("TA0043/T1595.001",))
    beacon = made("beaconing", "10.0.0.5", "203.0.113.9", at_s=60, techniques=C2)
    assert together(failed, scan, beacon) == [[0], [1], [2]]


def test_hosts_that_go_to_one_outside_place_for_orders_are_one_group():
    a, b = (made("tls_c2", host, "203.0.113.9", techniques=C2) for host in ("10.0.0.5", "10.0.0.6"))
    other = made("tls_c2", "10.0.0.7", "203.0.113.10", techniques=C2)
    inside = [made("tls_c2", host, "10.0.0.80", techniques=C2) for host in ("10.0.1.5", "10.0.1.6")]
    resolver = [made("dga", h, "192.0.2.53", techniques=("TA0011/T1568.002",)) for h in ("10.0.2.5", "10.0.2.6")]
    assert together(a, b, other, *inside, *resolver) == [[0, 1], [2], [3], [4], [5], [6]]


def test_two_addresses_of_one_machine_are_one_host():
    def of(machine, host, **more):
        doc = made("dga", host, techniques=C2, **more)
        doc["aegis"]["source"]["asset"] = {"id": machine}
        return doc

    assert together(of("laptop", "10.0.0.5"), of("laptop", "10.0.0.6"), of("printer", "10.0.0.7")) == [[0, 1], [2]]


def test_an_account_that_was_taken_ties_where_it_was_used_and_a_name_that_all_have_does_not():
    def taken(user, actor, host):
        return made("brute_force", actor, host, techniques=ENTRY, got_into=[host], got_in_as=[user], severity=73)

    assert together(taken("CORP\\ada", "198.51.100.7", "10.0.0.5"), taken("corp\\Ada", "198.51.100.8", "10.0.0.6")) == [
        [0, 1]
    ]
    assert together(taken("root", "198.51.100.7", "10.0.0.5"), taken("root", "198.51.100.8", "10.0.0.6")) == [[0], [1]]


def test_a_fingerprint_that_few_hosts_have_ties_them_and_a_browser_s_does_not():
    def tls(host, place, clients):
        return made("tls_c2", host, place, techniques=C2, fingerprint="t13d19_a_b", fingerprint_clients=clients)

    assert together(tls("10.0.0.5", "203.0.113.9", 2), tls("10.0.0.6", "198.51.100.9", 2)) == [[0, 1]]
    assert together(tls("10.0.0.5", "203.0.113.9", 90), tls("10.0.0.6", "198.51.100.9", 90)) == [[0], [1]]


def test_an_attacker_that_is_called_back_is_tied_to_the_caller():
    scan = made("port_scan", "203.0.113.9", "10.0.0.5", techniques=("TA0043/T1595.001",))
    call = made("beaconing", "10.0.0.6", "203.0.113.9", at_s=60, techniques=C2)
    assert together(scan, call) == [[0, 1]]


def test_lesser_alerts_join_and_tie_nothing():
    worse = made(at_s=0), made(at_s=40 * H)
    lesser = made("beaconing", at_s=21 * H, severity=21, techniques=C2)
    assert together(*worse, lesser) == [[0], [1, 2]]  # 19 h before the second, 21 h after the first
    assert together(lesser) == []


def test_lesser_alerts_of_a_victim_join_once_it_is_one():
    entry = made("brute_force", "198.51.100.7", "10.0.0.5", techniques=ENTRY, got_into=["10.0.0.5"], severity=99)
    before, after = (made("rare_destination", "10.0.0.5", at_s=s, severity=21, techniques=C2) for s in (-60, 60))
    assert together(entry, before, after) == [[0, 2]]


def test_an_attempt_ties_only_what_comes_soon_after_and_one_attempt_at_most():
    tried = [
        made("http_jndi", f"198.51.100.{n}", "10.0.0.5", at_s=n * 60, techniques=("TA0001/T1190",)) for n in (1, 2)
    ]
    soon, late = (made("beaconing", "10.0.0.5", "203.0.113.9", at_s=h * H, techniques=C2) for h in (0.5, 5))
    assert together(*tried, soon) == [[0], [1, 2]]
    assert together(*tried, late) == [[0], [1], [2]]
    moved = made("lateral_movement", "10.0.0.9", "10.0.0.5", techniques=("TA0008/T1021.002",))
    assert together(moved, late) == [[0, 1]]  # who uses a service is in


def test_outsiders_that_try_every_server_make_no_blob():
    attempts = [
        made("http_jndi", f"198.51.100.{n}", f"10.0.0.{k}", at_s=n * 600 + k, techniques=("TA0001/T1190",))
        for n in range(100)
        for k in range(5)
    ]
    calls = [made("beaconing", f"10.0.0.{k}", f"203.0.113.{k}", at_s=4000 * k, techniques=C2) for k in range(1, 5)]
    found = groups(seen(*attempts, *calls), Settings())
    assert max(len({a.subject for a in group.alerts}) for group in found) <= 3


def test_a_host_at_which_many_guess_is_not_what_it_does_itself():
    guessed = [made("brute_force", None, "10.0.0.25", at_s=h * H, techniques=ENTRY[:1], got_into=[]) for h in (0, 1)]
    flooded = made("syn_flood", None, "10.0.0.25", at_s=60, techniques=("TA0040/T1498",))
    beacon = made("beaconing", "10.0.0.25", "203.0.113.9", at_s=60, techniques=C2)
    got_in = made("brute_force", None, "10.0.0.25", at_s=30, techniques=ENTRY, got_into=["10.0.0.25"])
    lesser = made("brute_force", None, "10.0.0.25", at_s=90, techniques=ENTRY[:1], got_into=[], severity=21)
    assert together(*guessed, flooded, beacon, lesser) == [[0, 1, 2, 4], [3]]
    assert together(beacon, got_in) == [[0, 1]]


def test_a_place_that_many_hosts_go_to_is_a_crowd_that_takes_nothing_else_in():
    crowd = [made("beaconing", f"10.0.2.{n}", "203.0.113.9", at_s=n, techniques=C2) for n in range(11)]
    real = made("tls_c2", "10.0.2.3", "203.0.113.66", at_s=60, techniques=C2)
    assert together(*crowd, real) == [list(range(11)), [11]]
    assert together(*crowd[:10], real) == [[*range(10), 10]]
    found = groups(seen(*crowd, real), Settings())
    assert [group.crowd for group in found] == ["203.0.113.9", ""]


def test_clients_of_a_proxy_of_ours_are_strangers_until_they_are_a_crowd():
    clients = [
        made("beaconing", f"10.0.2.{n}", "10.0.0.3", name="proxy.corp.example", techniques=C2) for n in range(11)
    ]
    assert together(*clients[:3]) == [[0], [1], [2]]
    assert together(*clients) == [list(range(11))]


@given(st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_order(chance: random.Random):
    documents = [*INTRUSION, ELSEWHERE, made(at_s=40 * H), made(at_s=80 * H, severity=21)]
    shuffled = chance.sample(seen(*documents), len(documents))
    assert groups(shuffled, Settings()) == groups(seen(*documents), Settings())
