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


def test_suricata_shows_flows_only(evaluate, lab):
    (found,) = evaluate(BruteForce, lab("ssh_bruteforce", "eve.json.gz"))
    assert found.entity == {"orig_h": SOURCE, "key": "ssh by flows"}
    numbers = {"basis": "flows", "inferred": True, "connections": 15, "successes_after": 0, "logged_in": None}
    numbers |= {"refused": 15, "guess_bytes": None}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert found.score < 0.35


def test_a_session_after_guesses_shows_in_flows(evaluate, lab):
    (found,) = evaluate(BruteForce, lab("ssh_bruteforce_success", "eve.json.gz"))
    assert found.entity == {"orig_h": SOURCE, "key": "ssh by flows"}
    numbers = {"connections": 119, "successes_after": 1, "logged_in": "inferred", "got_into": [HOST]}
    numbers |= {"guess_bytes": 2849, "session_bytes": 28153, "larger_connections": 1}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert round(found.score, 2) == 0.81
    assert found.reason == (
        "10.10.0.15 made 119 short connections of alike sizes to ssh of 10.20.0.10 in 71.6 s, then logged in at "
        "10.20.0.10, by what the server sent (2,849 bytes each, 28,153 in what followed)"
    )


@pytest.mark.parametrize(("form", "logged_in", "least"), [("tsv", "told", 0.8), ("eve.json.gz", "inferred", 0.6)])
def test_both_break_ins_of_the_multistage_attack(evaluate, lab, form, logged_in, least):
    found = evaluate(BruteForce, lab("multistage", form))
    assert {(f.entity["orig_h"], f.context["resp_h"], *f.evidence["got_into"]) for f in found} == {
        ("203.0.113.66", "10.10.0.14", "10.10.0.14"),
        ("10.10.0.14", "10.10.0.15", "10.10.0.15"),
    }
    assert all(f.evidence["successes_after"] >= 1 and f.score > least for f in found)
    assert {f.evidence["logged_in"] for f in found} == {logged_in}


def test_the_break_ins_show_where_zeek_wrote_no_ssh_log(evaluate, lab):
    tables = {name: table for name, table in lab("multistage", "tsv").items() if name != "ssh"}
    found = evaluate(BruteForce, tables)
    assert [f.evidence["logged_in"] for f in found] == ["inferred"] * 2


@pytest.mark.parametrize("form", ["tsv", "eve.json.gz"])
@pytest.mark.parametrize(
    "scenario",
    ["benign", "benign_tls", "scan_vertical", "scan_horizontal", "scan_slow", "syn_flood", "beacon_http_60s"],
)
def test_other_scenarios_are_none(evaluate, lab, scenario, form):
    assert evaluate(BruteForce, lab(scenario, form)) == []


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


# Payload of both sides, as OpenSSH 9.2 and hydra's libssh 0.10 send it; PQ: with the key exchange sntrup761x25519.
REFUSED, REFUSED_PQ, KEY_REFUSED_PQ = (1559, 2093), (3021, 2849), (3301, 2937)
COMMAND, COMMAND_PQ, GIT_PQ, SCP_PQ = (2301, 3081), (3733, 4121), (3877, 4165), (4849, 4877)
SHORT_SHELL, RSA_KEY_COMMAND = (2413, 3805), (3341, 3441)
ONE_KEY_COMMAND, ONE_KEY_COMMAND_PQ = (2309, 2529), (3741, 3569)  # of a server with one host key
HYDRA = [(1155, 1781)] + [(1179, 1857)] * 3 + [(1331, 2009)] + [(1559, 2237)] * 6  # some tries a connection
SHELL = (3745, 28153)


def shell(*sizes: tuple[int, int], each_s: float = 2.0, **columns: Any) -> list[dict[str, Any]]:
    """Connections of ssh, one after the other, by payload of client and server."""
    given = {"proto": "tcp", "service": "ssh", "conn_state": "SF", "duration": 0.5, "orig_pkts": 16, "resp_pkts": 16}
    return [
        login(n, **given | {"orig_bytes": sent, "resp_bytes": received, "ts": 10 + n * each_s} | columns)
        for n, (sent, received) in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ([REFUSED] * 6 + [SHELL], True),
        ([REFUSED] * 5 + [SHELL], False),
        ([REFUSED_PQ] * 6 + [SCP_PQ], True),
        ([KEY_REFUSED_PQ] * 6 + [SHELL], True),
        ([REFUSED] * 6 + [SHORT_SHELL], True),
        ([REFUSED] * 6 + [COMMAND], False),  # which a refusal could be
        ([RSA_KEY_COMMAND] * 14 + [SHELL], False),
        ([REFUSED] * 6 + [REFUSED_PQ], False),  # another client is refused too
        ([REFUSED] * 6 + [KEY_REFUSED_PQ], False),
        ([SHELL] + [REFUSED] * 6 + [SHELL], False),  # who knows the password
        ([REFUSED] * 3 + [SHELL] + [REFUSED] * 3, False),
        ([REFUSED] * 6 + [SHELL] + [REFUSED] * 6, True),
        ([REFUSED] * 6 + [SHELL] + [REFUSED] * 7, False),  # no end of it
        ([REFUSED] * 6 + [SHELL] * 9, True),
        ([*HYDRA, SHELL], True),
        ([COMMAND] * 14 + [SHELL], False),  # each logs in
        ([ONE_KEY_COMMAND] * 14 + [SHELL], False),
        ([ONE_KEY_COMMAND_PQ] * 14 + [SHELL], False),
        ([COMMAND_PQ] * 14 + [SHELL], False),
        ([GIT_PQ] * 14 + [SHELL], False),
        ([(1559, 1200 + 350 * (n % 4)) for n in range(12)] + [SHELL], False),  # all unlike
    ],
)
def test_a_session_is_a_login_only_after_refused_ones(evaluate, rows, sizes, found):
    findings = evaluate(BruteForce, rows("conn", shell(*sizes)))
    assert [f.evidence["logged_in"] for f in findings] == ["inferred"] * found


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({}, True),
        ({"service": "ssl,ssh"}, True),
        ({"service": "http"}, False),
        ({"service": None}, False),
        ({"resp_p": 2222}, True),
        ({"conn_state": "S1"}, False),  # guesses are closed
        ({"each_s": 21}, False),  # three a minute
    ],
)
def test_what_a_session_s_guesses_must_be(evaluate, rows, columns, found):
    findings = evaluate(BruteForce, rows("conn", shell(*[REFUSED] * 8, SHELL, **columns)))
    assert [f.evidence["logged_in"] for f in findings] == ["inferred"] * found


@pytest.mark.parametrize(("after_s", "found"), [(590, True), (610, False)])
def test_a_session_comes_soon_after_the_guesses(evaluate, rows, after_s, found):
    made = [*shell(*[REFUSED] * 8), login(99, **shell(SHELL)[0] | {"ts": 24 + after_s, "uid": "S"})]
    assert bool(evaluate(BruteForce, rows("conn", made))) == found


@pytest.mark.parametrize(("host", "headers"), [(HOST, 52), ("fd00:20::10", 72)])
def test_payload_is_told_from_ip_bytes_where_the_sensor_counts_none(evaluate, rows, host, headers):
    made = [
        row
        | {"orig_ip_bytes": row["orig_bytes"] + 16 * headers, "resp_ip_bytes": row["resp_bytes"] + 16 * headers}
        | {"orig_bytes": None, "resp_bytes": None, "resp_h": host}
        for row in shell(*[REFUSED] * 8, SHELL)
    ]
    (found,) = evaluate(BruteForce, rows("conn", made))
    assert (found.evidence["guess_bytes"], found.evidence["session_bytes"]) == (2093, 28153)


def test_sessions_of_which_a_log_tells_are_not_inferred(evaluate, rows):
    made = shell(*[REFUSED] * 8, SHELL)
    told = [login(n, auth_success=False, auth_attempts=1) for n in range(8)]
    assert evaluate(BruteForce, rows("conn", made) | rows("ssh", told)) == []


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
