"""Logins in, guessing out: recorded ones, what looks like one and is none, other projects' logs."""

from __future__ import annotations

import random
from typing import Any

import pytest

from aegis_plugins.detectors.brute_force import BruteForce

SOURCE, HOST = "10.10.0.15", "10.20.0.10"


def login(number: int, **columns: Any) -> dict[str, Any]:
    """A row of any log, one a second, each of a connection of its own."""
    given = {"ts": 10 + number, "orig_h": SOURCE, "orig_p": 40_000 + number, "resp_h": HOST, "resp_p": 22}
    return given | {"uid": f"L{number:06}"} | columns


def ssh(count: int, *, success: bool | None = False, tries: int = 1, **columns: Any) -> list[dict[str, Any]]:
    return [login(n, auth_success=success, auth_attempts=tries, **columns) for n in range(count)]


def small(count: int, each_s: float = 1.0, **columns: Any) -> list[dict[str, Any]]:
    """Connections as a failed login by ssh makes them."""
    given = {"proto": "tcp", "conn_state": "SF", "history": "ShADadFf", "duration": 0.5, "orig_pkts": 17}
    given |= {"resp_pkts": 14, "orig_ip_bytes": 3905, "resp_ip_bytes": 3577}
    return [login(n, **given | {"ts": 10 + n * each_s} | columns) for n in range(count)]


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_the_recorded_guessing_is_found(evaluate, lab, form):
    (found,) = evaluate(BruteForce, lab("ssh_bruteforce", form))
    assert found.entity == {"orig_h": SOURCE, "key": "ssh"}
    assert found.context == {"resp_h": HOST, "resp_p": 22, "proto": "tcp", "direction": "internal"}
    numbers = {"failures": 60, "connections": 15, "successes_after": 0, "basis": "log", "kinds": ["guessing"]}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert found.score == 0.5


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_a_login_after_guesses_is_told(evaluate, lab, form):
    (found,) = evaluate(BruteForce, lab("ssh_bruteforce_success", form))
    numbers = {"failures": 119, "successes_after": 1, "got_into": [HOST], "busiest_minute": 94}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert found.score > 0.85
    assert found.reason == (
        "10.10.0.15 failed to log in 119 times to ssh of 10.20.0.10 in 62.3 s (119 connections, up to 94 failures a "
        "minute), then logged in at 10.20.0.10"
    )
    assert found.uids[0] not in found.uids[1:]


@pytest.mark.parametrize(
    ("scenario", "connections", "larger"), [("ssh_bruteforce", 15, 0), ("ssh_bruteforce_success", 119, 1)]
)
def test_suricata_shows_flows_only(evaluate, lab, scenario, connections, larger):
    (found,) = evaluate(BruteForce, lab(scenario, "eve.json.gz"))
    assert found.entity == {"orig_h": SOURCE, "key": "ssh by flows"}
    numbers = {"basis": "flows", "connections": connections, "larger_connections": larger, "successes_after": 0}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert found.score < 0.35


def test_both_break_ins_of_the_multistage_attack(evaluate, lab):
    found = evaluate(BruteForce, lab("multistage", "tsv"))
    assert {(f.entity["orig_h"], f.context["resp_h"]) for f in found} == {
        ("203.0.113.66", "10.10.0.14"),
        ("10.10.0.14", "10.10.0.15"),
    }
    assert all(f.evidence["successes_after"] >= 1 and f.score > 0.8 for f in found)


@pytest.mark.parametrize(
    "scenario",
    ["benign", "benign_tls", "scan_vertical", "scan_horizontal", "scan_slow", "syn_flood", "beacon_http_60s"],
)
def test_other_scenarios_are_none(evaluate, lab, scenario):
    assert evaluate(BruteForce, lab(scenario, "tsv")) == []


POST = {"method": "POST", "uri": "/users/sign_in?x=1", "resp_p": 80}
AS = {"request_type": "AS", "resp_p": 88, "client": "alice/EXAMPLE.ORG"}
WRONG: dict[str, dict[str, Any]] = {
    "ssh": {"auth_success": False, "auth_attempts": 1},
    "ntlm": {"success": False, "username": "alice"},
    "kerberos": AS | {"success": False, "error_msg": "KDC_ERR_PREAUTH_FAILED"},
    "ldap": {"opcode": "bind simple", "result": "invalid credentials", "object": "cn=alice"},
    "ftp": {"command": "PASS", "reply_code": 530, "user": "alice"},
    "smtp": {"last_reply": "535 5.7.8 Authentication credentials invalid"},
    "http": POST | {"status_code": 401},
    "sip": {"method": "REGISTER", "status_code": 403, "request_to": "<sip:100@example.org>"},
}


@pytest.mark.parametrize("table", WRONG)
def test_each_service_s_failures_count(evaluate, rows, table):
    (found,) = evaluate(BruteForce, rows(table, [login(n, **WRONG[table]) for n in range(20)]))
    assert found.entity == {"orig_h": SOURCE, "key": table}
    assert (found.evidence["failures"], found.evidence["busiest_minute"]) == (20, 20)
    assert round(found.score, 3) == 0.333
    assert evaluate(BruteForce, rows(table, [login(n, **WRONG[table]) for n in range(19)])) == []


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("ssh", {"auth_success": None, "auth_attempts": 0}),
        ("ssh", {"auth_success": True, "auth_attempts": 6}),
        ("ntlm", WRONG["ntlm"] | {"username": "WS01$"}),
        ("ntlm", WRONG["ntlm"] | {"success": None}),
        ("ntlm", WRONG["ntlm"] | {"username": None}),
        ("kerberos", WRONG["kerberos"] | {"error_msg": "KDC_ERR_PREAUTH_REQUIRED"}),
        ("kerberos", WRONG["kerberos"] | {"client": "WS01$/EXAMPLE.ORG"}),
        ("kerberos", WRONG["kerberos"] | {"request_type": "TGS"}),
        ("ldap", WRONG["ldap"] | {"opcode": "search", "result": "no such object"}),
        ("ftp", WRONG["ftp"] | {"command": "RETR", "reply_code": 550}),
        ("smtp", {"last_reply": "550 5.1.1 no such user"}),
        ("http", POST | {"status_code": 401, "uri": "/api/telemetry"}),
        ("http", POST | {"status_code": 401, "method": "GET"}),
        ("http", {"status_code": 403, "method": "GET", "uri": "/login"}),
        ("sip", WRONG["sip"] | {"method": "OPTIONS"}),
        ("sip", WRONG["sip"] | {"status_code": None}),
    ],
)
def test_what_is_no_failed_login(evaluate, rows, table, columns):
    assert evaluate(BruteForce, rows(table, [login(n, **columns) for n in range(100)])) == []


@pytest.mark.parametrize(
    ("table", "right"),
    [
        ("http", POST | {"status_code": 200}),  # NTLM over HTTP: a 401 or two, then the answer
        ("sip", {"method": "REGISTER", "status_code": 200}),
        ("kerberos", AS | {"success": True}),
    ],
)
def test_failures_that_belong_to_a_success_are_none(evaluate, rows, table, right):
    made = [login(n, **right if n % 2 else WRONG[table]) for n in range(200)]
    assert evaluate(BruteForce, rows(table, made)) == []


def test_basic_credentials_that_are_refused_count_and_the_first_401_does_not(evaluate, rows):
    first = [login(n, status_code=401, method="GET", uri="/", resp_p=80) for n in range(100)]
    tried = [login(n, status_code=401, method="GET", uri="/", resp_p=80, username="admin") for n in range(50)]
    (found,) = evaluate(BruteForce, rows("http", first + tried))
    assert (found.evidence["failures"], found.evidence["users_sample"]) == (50, ["admin"])


@pytest.mark.parametrize(("right", "found"), [(12, True), (13, False), (1_000, False)])
def test_the_share_of_failures_counts(evaluate, rows, right, found):
    """30 failures are seven in ten of 42.9."""
    made = ssh(30) + ssh(right, success=True)
    assert bool(evaluate(BruteForce, rows("ssh", made))) == found


def test_a_success_before_the_guesses_is_none_of_theirs(evaluate, rows):
    early = [login(0, ts=1, uid="A", auth_success=True, auth_attempts=1)]
    (found,) = evaluate(BruteForce, rows("ssh", early + ssh(30)))
    assert (found.evidence["successes"], found.evidence["successes_after"]) == (1, 0)


def test_users_are_told_apart(evaluate, rows):
    wrong = WRONG["ntlm"] | {"resp_p": 445}
    right = login(99, **wrong | {"success": True, "username": "User07"}, ts=900)
    sprayed = [login(n, **wrong | {"username": f"user{n:02}"}) for n in range(40)]
    (found,) = evaluate(BruteForce, rows("ntlm", [*sprayed, right]))
    assert (found.evidence["kinds"], found.evidence["users"]) == (["many users"], 40)
    assert (found.evidence["got_in_as"], found.evidence["successes_after"]) == (["user07"], 1)
    assert " as 40 users " in found.reason


@pytest.mark.parametrize(("hosts", "tries", "found"), [(5, 4, True), (4, 5, False), (20, 1, True), (19, 1, False)])
def test_spraying_over_hosts(evaluate, rows, hosts, tries, found):
    made = [login(n, **WRONG["ssh"], resp_h=f"10.20.0.{n % hosts + 1}") for n in range(hosts * tries)]
    findings = evaluate(BruteForce, rows("ssh", made))
    assert [f.evidence["kinds"] for f in findings] == [["many hosts"]] * found
    assert all("resp_h" not in f.context and f.evidence["hosts"] == hosts for f in findings)


def test_one_of_many_hosts_that_lets_it_in(evaluate, rows):
    made = [login(n, **WRONG["ssh"], resp_h=f"10.20.0.{n % 20 + 1}") for n in range(60)]
    got = login(70, auth_success=True, auth_attempts=1, resp_h="10.20.0.7")
    (found,) = evaluate(BruteForce, rows("ssh", [*made, got]))
    assert (found.evidence["got_into"], found.evidence["hosts"]) == (["10.20.0.7"], 20)


def test_a_job_that_fails_at_some_of_its_hosts_is_none(evaluate, rows):
    """Deployment to 100 hosts, ten of which do not know its key any more."""
    made = [
        login(n, auth_success=n % 100 >= 10, auth_attempts=3, resp_h=f"10.20.0.{n % 100 + 1}", ts=10 + n)
        for n in range(600)
    ]
    assert evaluate(BruteForce, rows("ssh", made)) == []


def crowd(sources: int, tries: int, **columns: Any) -> list[dict[str, Any]]:
    return [
        login(n, **WRONG["ssh"] | {"orig_h": f"198.51.{100 + n % sources // 250}.{n % sources % 250 + 1}"} | columns)
        for n in range(sources * tries)
    ]


def test_many_sources_at_one_host(evaluate, rows):
    (found,) = evaluate(BruteForce, rows("ssh", crowd(40, 3)))
    assert found.entity == {"orig_h": None, "key": f"ssh at {HOST}"}
    assert found.context["resp_h"] == HOST
    assert (found.evidence["kinds"], found.evidence["sources"]) == (["many sources"], 40)
    assert (found.evidence["failures"], found.evidence["source_internal"]) == (120, False)
    assert found.reason.startswith("40 sources failed to log in 120 times to ssh of 10.20.0.10 in ")
    assert evaluate(BruteForce, rows("ssh", crowd(9, 3))) == []
    assert evaluate(BruteForce, rows("ssh", crowd(19, 1))) == []


def test_a_server_whose_users_mistype_is_none(evaluate, rows):
    """5,000 people, each of whom gets in; 500 of them at the second or third try, 20 give up."""
    clients = [
        login(n, auth_success=True, auth_attempts=1, orig_h=f"10.1.{n // 250}.{n % 250 + 1}") for n in range(5_000)
    ]
    clients = [row | {"ts": row["ts"] / 2} for row in clients]
    wrong = [login(n, **WRONG["ssh"], orig_h=f"10.1.{n // 250}.{n % 250 + 1}", ts=n / 2) for n in range(500)]
    given_up = [login(n, **WRONG["ssh"], orig_h=f"10.2.0.{n + 1}") for n in range(20)]
    assert evaluate(BruteForce, rows("ssh", clients + wrong + given_up)) == []


def test_a_source_has_one_finding_a_service(evaluate, rows):
    """Guessing at three hosts and a try at thirty others, and smb besides; its rows are not in the crowd's."""
    made = [login(n, **WRONG["ssh"], resp_h=f"10.20.0.{n % 3 + 1}") for n in range(90)]
    made += [login(n, **WRONG["ssh"], resp_h=f"10.20.1.{n + 1}") for n in range(30)]
    made += crowd(20, 2, resp_h="10.20.0.1")
    tables = rows("ssh", made) | rows("ntlm", [login(n, **WRONG["ntlm"]) for n in range(30)])
    found = {f.entity["key"]: f for f in evaluate(BruteForce, tables)}
    assert set(found) == {"ssh", "ntlm", "ssh at 10.20.0.1"}
    assert found["ssh"].evidence["hosts"] == 33
    assert found["ssh at 10.20.0.1"].evidence["sources"] == 20


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (small(15), True),
        (small(14), False),
        (small(60, each_s=60), False),  # a job
        (small(100, resp_p=3389), True),
        (small(100, resp_p=443), False),
        (small(100, resp_ip_bytes=400), False),  # the banner was all
        (small(100, resp_p=21, resp_ip_bytes=700), True),
        (small(100, resp_ip_bytes=9_000), False),
        (small(20, each_s=5, duration=61), False),
        (small(100, conn_state="REJ", resp_pkts=1, orig_pkts=1), False),
        ([row | {"resp_ip_bytes": 1_500 + 61 * n} for n, row in enumerate(small(100))], False),  # all unlike
    ],
)
def test_flows_stand_in_where_no_log_tells(evaluate, rows, made, found):
    assert bool(evaluate(BruteForce, rows("conn", made))) == found


def test_flows_are_silent_where_a_log_tells(evaluate, rows):
    conn = rows("conn", small(100))
    assert evaluate(BruteForce, conn | rows("ssh", ssh(100, success=True))) == []
    (found,) = evaluate(BruteForce, conn | rows("ssh", ssh(60)))
    assert found.entity["key"] == "ssh"
    (unknown,) = evaluate(BruteForce, conn | rows("ssh", ssh(100, success=None)))
    assert unknown.entity["key"] == "ssh by flows"


def test_ipv6(evaluate, rows):
    (found,) = evaluate(BruteForce, rows("ssh", ssh(30, orig_h="fd00:10::15", resp_h="fd00:20::10")))
    assert found.context["resp_h"] == "fd00:20::10"


def test_order_changes_nothing(evaluate, rows):
    made = ssh(30) + crowd(30, 2, resp_h="10.20.0.9") + ssh(3, success=True, orig_h="10.1.1.1")
    made = [row | {"uid": f"U{n:05}"} for n, row in enumerate(made)]
    whole = evaluate(BruteForce, rows("ssh", made))
    assert len(whole) == 2
    random.Random(1).shuffle(made)
    assert evaluate(BruteForce, rows("ssh", made)) == whole


@pytest.mark.parametrize(
    "folder",
    ["slips-test14", "slips-test15", "slips-test9", "slips-test10", "strato-001", "strato-002", "strato-005"],
)
def test_public_logs_are_none(evaluate, public, folder):
    assert evaluate(BruteForce, public(folder)) == []
