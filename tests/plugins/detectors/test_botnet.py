"""A botnet's work in its six kinds, and what looks like it: file sharing, mail servers, crawlers, agents, a NAT."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from aegis_enrich.plugin import HOUR_US
from aegis_plugins.detectors.botnet import Botnet

BOT = "10.0.0.5"
AGENT = "Mozilla/4.0 (compatible; MSIE 2.0)"


def drawn(*parts: object, most: int) -> int:
    """A number from 0 on, always the same for the same parts."""
    return int(sha256(repr(parts).encode()).hexdigest()[:8], 16) % most


def asked(count: int, path: str = "/login.php", **columns: Any) -> list[dict[str, Any]]:
    """Requests of one path to so many names, one a second."""
    given = {"orig_h": BOT, "resp_h": "198.51.100.1", "resp_p": 80, "method": "GET", "uri": path}
    given |= {"user_agent": AGENT, "status_code": 404, "response_body_len": 580}
    return [given | {"ts": 10 + n, "host": f"n{n}x{drawn(n, most=9999)}.com"} | columns for n in range(count)]


def sent(count: int, **columns: Any) -> list[dict[str, Any]]:
    """Connections of UDP from one socket to so many peers, two in three of which are gone."""
    made = []
    for n in range(count):
        alive = n % 3 == 0
        made.append(
            {"ts": 10 + 7 * n % 1700, "orig_h": BOT, "orig_p": 1701, "resp_h": f"198.51.{n // 250}.{n % 250 + 1}"}
            | {"resp_p": 1024 + drawn("port", n, most=9000), "proto": "udp", "history": "Dd" if alive else "D"}
            | {"orig_pkts": 1, "orig_ip_bytes": 120, "resp_pkts": int(alive), "resp_ip_bytes": 300 if alive else 0}
            | columns
        )
    return [row if row["resp_p"] not in Botnet.tuning().sharing_ports else row | {"resp_p": 1023} for row in made]


def mail(count: int, **columns: Any) -> list[dict[str, Any]]:
    given = {"orig_h": BOT, "resp_p": 25, "proto": "tcp", "service": "smtp", "conn_state": "SF", "history": "ShADadFf"}
    given |= {"orig_pkts": 9, "resp_pkts": 9, "orig_bytes": 2_000, "resp_bytes": 300}
    return [
        given | {"ts": 10 + n, "orig_p": 40_000 + n, "resp_h": f"198.51.100.{n % 250 + 1}"} | columns
        for n in range(count)
    ]


def calls(clients: int, pace_s: float = 60, jitter_s: float = 0, **columns: Any) -> list[dict[str, Any]]:
    """Clients that call one place for an hour, each in its own second."""
    given = {"resp_h": "198.51.100.7", "resp_p": 8_443, "proto": "tcp", "conn_state": "SF", "resp_pkts": 9}
    return [
        given
        | {"orig_h": f"10.1.{c // 250}.{c % 250 + 1}", "orig_p": 40_000 + n}
        | {"ts": 3 * c % 50 + n * pace_s + jitter_s * drawn(c, n, most=1000) / 1000}
        | columns
        for c in range(clients)
        for n in range(int(3_500 / pace_s))
    ]


def kinds(found: list[Any]) -> list[str]:
    return sorted({f.evidence["kind"] for f in found})


def hours(table: pa.Table, first: int, last: int) -> pa.Table:
    """The rows that end in these hours since the epoch."""
    ends = table["end_ts"].cast(pa.int64())
    return table.filter(pc.and_(pc.greater_equal(ends, first * HOUR_US), pc.less(ends, last * HOUR_US)))


# One path


def test_one_path_on_many_names(evaluate, rows):
    (found,) = evaluate(Botnet, rows("http", asked(60)))
    assert found.entity == {"orig_h": BOT, "key": "one path /login.php"}
    numbers = {"names": 60, "failed_names": 60, "addresses": 1, "answers": 1, "requests": 60}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert found.score == pytest.approx(60 / 80)
    assert found.reason == (
        "10.0.0.5 asked 60 unrelated names for /login.php and nothing else: 60 of them gave no page, and they have "
        "1 addresses and 1 different answers"
    )
    assert len(found.uids) == 20


def test_a_query_and_a_proxy_change_nothing(evaluate, rows):
    made = [
        row | {"uri": f"http://{row['host']}/login.php?id={n}", "resp_h": "10.0.0.9"} for n, row in enumerate(asked(60))
    ]
    (found,) = evaluate(Botnet, rows("http", made))
    assert (found.entity["key"], found.evidence["names"]) == ("one path /login.php", 60)


@pytest.mark.parametrize(
    "made",
    [
        asked(19),
        asked(200, "/favicon.ico"),
        asked(200, "/"),
        asked(200, "/.well-known/security.txt"),
        asked(200, "/wpad.dat"),
        asked(200, host="one.example.com"),
        [row | {"host": f"a{n}.one.example.com"} for n, row in enumerate(asked(200))],  # one registered domain
        [row | {"host": f"198.51.100.{n + 1}"} for n, row in enumerate(asked(200))],  # a scan of addresses
        [row | {"orig_h": "203.0.113.9", "resp_h": "10.0.0.9"} for row in asked(200)],  # outside, at our hosts
        asked(200) + asked(200, "/about.html"),  # a crawler
        asked(200) + asked(200, "/logo.png", referrer="http://x.test/"),  # a browser
        [row | {"referrer": f"http://page{n}.test/"} for n, row in enumerate(asked(200))],  # links
        [row | {"user_agent": f"agent {n % 40}"} for n, row in enumerate(asked(200))],  # a NAT
    ],
)
def test_names_that_are_no_rotation(evaluate, rows, made):
    assert evaluate(Botnet, rows("http", made)) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"status_code": 304, "response_body_len": 0},
        {"status_code": 304, "response_body_len": 0, "resp_h": "198.51.100.1"},  # behind one CDN
        {"status_code": 200},
        {"status_code": 200, "resp_h": "198.51.100.1"},
    ],
)
def test_a_reader_of_feeds_scores_nothing(evaluate, rows, columns):
    """Forty sites that all answer, each with its own page or with "not modified"."""
    made = [
        row | {"resp_h": f"198.51.100.{n + 1}", "response_body_len": 900 + n} | columns
        for n, row in enumerate(asked(40, "/news.xml"))
    ]
    assert all(f.score == 0 for f in evaluate(Botnet, rows("http", made)))


def test_a_sinkhole_s_answers_are_alike(evaluate, rows):
    (found,) = evaluate(Botnet, rows("http", asked(60, status_code=200)))
    assert (found.evidence["failed_share"], found.score > 0.7) == (0, True)


def test_a_referrer_that_is_always_the_same_is_a_program_s(evaluate, rows):
    made = [row | {"referrer": "http://www.google.com"} for row in asked(60)]
    assert len(evaluate(Botnet, rows("http", made))) == 1
    made = [row | {"referrer": f"http://{row['host']}/"} for row in asked(60)]
    assert len(evaluate(Botnet, rows("http", made))) == 1


def test_two_programs_of_a_host_are_one_finding(evaluate, rows):
    made = asked(60) + [row | {"user_agent": "other", "host": f"o{row['host']}"} for row in asked(30)]
    (found,) = evaluate(Botnet, rows("http", made))
    assert found.evidence["names"] == 60


# Peers


def test_an_overlay_of_peers(evaluate, rows):
    (found,) = evaluate(Botnet, rows("conn", sent(150)))
    assert found.entity == {"orig_h": BOT, "key": "peers"}
    assert (found.evidence["peers"], found.evidence["file_sharing"]) == (150, False)
    assert found.evidence["failed_share"] == pytest.approx(2 / 3)
    assert found.score == pytest.approx(0.5)


@pytest.mark.parametrize(
    "columns",
    [
        {"resp_p": 3_478},  # one service on many hosts
        {"service": "quic"},
        {"direction": "internal", "orig_h": BOT, "resp_h": "10.0.0.9"},
        {"resp_h": "198.51.100.9"},  # many ports of one host
        {"resp_pkts": 0},  # nobody answers: a scan
        {"proto": "tcp"},
    ],
)
def test_what_is_no_overlay(evaluate, rows, columns):
    assert evaluate(Botnet, rows("conn", sent(300, **columns))) == []


def test_file_sharing_is_told(evaluate, rows):
    at_ports = [row | {"resp_p": 6881} if n % 10 == 0 else row for n, row in enumerate(sent(400))]
    (found,) = evaluate(Botnet, rows("conn", at_ports))
    assert (found.evidence["file_sharing"], found.evidence["sharing_peers"]) == (True, 40)
    (found,) = evaluate(Botnet, rows("conn", sent(400, resp_ip_bytes=90_000)))
    assert found.evidence["file_sharing"]


def test_a_nat_of_five_thousand_clients_is_none(evaluate, rows):
    """Each client's calls leave from a port of their own; all pages of the web have one user agent."""
    udp = [
        row | {"orig_p": 10_000 + n % 50_000, "ts": n / 10} for n, row in enumerate(sent(30_000)) if n % 7 or n < 100
    ]
    web = [
        row | {"host": f"site{drawn(n, most=3000)}.com", "uri": f"/p{drawn('p', n, most=200)}", "status_code": 200}
        for n, row in enumerate(asked(20_000, referrer=None))
    ]
    web = [row | {"ts": n / 10} for n, row in enumerate(web)]
    assert evaluate(Botnet, rows("conn", udp) | rows("http", web)) == []


# Spam


def test_mail_to_many_servers(evaluate, rows):
    smtp = [
        {"ts": 10 + n, "orig_h": BOT, "resp_h": f"198.51.100.{n + 1}", "mailfrom": f"a@d{n % 30}.test"}
        | {"last_reply": "550 5.7.1 blocked" if n % 2 else "250 ok"}
        for n in range(60)
    ]
    (found,) = evaluate(Botnet, rows("conn", mail(60)) | rows("smtp", smtp))
    assert found.entity == {"orig_h": BOT, "key": "spam"}
    numbers = {"servers": 60, "sender_domains": 30, "mail_server": False, "failed_share": 0.5}
    assert {name: found.evidence[name] for name in numbers} == numbers
    assert found.score == pytest.approx(0.5)


def test_a_mail_server_is_told_and_one_that_is_known_is_none(evaluate, rows):
    taken = mail(5, orig_h="203.0.113.9", resp_h=BOT)
    (found,) = evaluate(Botnet, rows("conn", mail(100) + taken))
    assert found.evidence["mail_server"]
    assert evaluate(Botnet, rows("conn", mail(100)), mail_servers=(BOT,)) == []


@pytest.mark.parametrize("made", [mail(19), mail(500, resp_h="198.51.100.1"), mail(100, resp_h="10.0.0.9")])
def test_a_host_that_hands_its_mail_to_one_server_is_none(evaluate, rows, made):
    assert evaluate(Botnet, rows("conn", made)) == []


# Mining


def job(**columns: Any) -> dict[str, Any]:
    given = {"ts": 100, "orig_h": BOT, "orig_p": 40_000, "resp_h": "198.51.100.9", "resp_p": 4_444, "proto": "tcp"}
    return given | {"duration": 3_000, "orig_bytes": 9_000, "resp_bytes": 30_000, "resp_pkts": 90} | columns


LOOKUP = {"ts": 90, "orig_h": BOT, "resp_h": "10.0.0.1", "query": "xmr-eu1.nanopool.org", "answers": ["198.51.100.9"]}


def test_a_pool_by_its_name_and_by_its_port(evaluate, rows):
    (found,) = evaluate(Botnet, rows("conn", [job(resp_p=443)]) | rows("dns", [LOOKUP]))
    assert (found.entity["key"], found.evidence["named"]) == ("mining xmr-eu1.nanopool.org", True)
    assert found.score > 0.65
    (found,) = evaluate(Botnet, rows("conn", [job(resp_p=443, duration=5)]) | rows("dns", [LOOKUP]))
    assert (found.evidence["jobs"], found.score < 0.35) == (0, True)  # a visit to its pages
    (found,) = evaluate(Botnet, rows("conn", [job()]))
    assert (found.entity["key"], found.score < 0.4) == ("mining 198.51.100.9:4444", True)


@pytest.mark.parametrize(
    "columns",
    [{"duration": 500}, {"service": "ssl"}, {"resp_bytes": 0}, {"resp_bytes": 3_000_000}, {"resp_h": "10.0.0.9"}],
)
def test_a_connection_at_the_port_that_is_none(evaluate, rows, columns):
    assert evaluate(Botnet, rows("conn", [job(**columns)])) == []


def test_the_pool_s_own_site_is_none(evaluate, rows):
    tables = rows("conn", [job(resp_p=443)]) | rows("dns", [LOOKUP | {"query": "www.nanopool.org"}])
    assert evaluate(Botnet, tables) == []


# IRC


@pytest.mark.parametrize(("port", "score"), [(6_667, 0.3), (8_080, 0.6)])
def test_irc(evaluate, rows, port, score):
    (found,) = evaluate(Botnet, rows("conn", [job(service="irc", resp_p=port)]))
    assert (found.evidence["usual_port"], found.score) == (score == 0.3, score)


# In step


def test_clients_in_step(evaluate, rows):
    found = evaluate(Botnet, rows("conn", calls(8, jitter_s=5)))[-1]
    assert found.entity == {"orig_h": None, "key": "in step 198.51.100.7:8443/tcp"}
    assert (found.evidence["clients"], found.evidence["named"]) == (8, False)
    assert found.evidence["pace_s"] == pytest.approx(60, abs=2)
    assert found.score == pytest.approx(8 / 13)


def test_a_place_with_a_name_is_told(evaluate, rows):
    shown = {
        "ts": 20,
        "orig_h": "10.1.0.1",
        "resp_h": "10.0.0.1",
        "query": "a.example.com",
        "answers": ["198.51.100.7"],
    }
    found = evaluate(Botnet, rows("conn", calls(8)) | rows("dns", [shown]))
    assert found and all(f.evidence["named"] for f in found)


@pytest.mark.parametrize(
    "made",
    [
        calls(4),
        calls(8, resp_p=123),
        calls(8, resp_h="10.0.0.9"),
        calls(8, service="ssl"),
        calls(8, jitter_s=120),  # people
        calls(8, pace_s=900),
        [row for c in range(8) for row in calls(9, pace_s=20 + 7 * c) if row["orig_h"] == f"10.1.0.{c + 1}"],
    ],
)
def test_clients_that_are_not_in_step(evaluate, rows, made):
    assert evaluate(Botnet, rows("conn", made)) == []


def test_a_busy_place_of_which_a_few_clients_keep_a_pace_is_none(evaluate, rows):
    crowd = [
        row | {"orig_h": f"10.2.{n // 250}.{n % 250 + 1}", "ts": drawn(n, k, most=3_500)}
        for n in range(60)
        for k, row in enumerate(calls(1, pace_s=600))
    ]
    assert evaluate(Botnet, rows("conn", calls(8) + crowd)) == []


# All kinds


def test_ipv6(evaluate, rows):
    six = [row | {"orig_h": "fd00::5", "resp_h": f"2001:db8::{n + 1:x}"} for n, row in enumerate(sent(150))]
    tables = rows("conn", six + mail(60, orig_h="fd00::5")) | rows(
        "http", asked(60, orig_h="fd00::5", resp_h="2001:db8::1")
    )
    found = evaluate(Botnet, tables)
    assert kinds(found) == ["one path", "peers", "spam"]
    assert {f.entity["orig_h"] for f in found} == {"fd00::5"}


def test_order_changes_nothing(evaluate, rows):
    conn = sent(150) + mail(60) + calls(8) + [job(), job(service="irc")]
    conn = [row | {"uid": f"U{n:05}"} for n, row in enumerate(conn)]
    http = [row | {"uid": f"H{n:05}"} for n, row in enumerate(asked(60))]
    whole = evaluate(Botnet, rows("conn", conn) | rows("http", http))
    assert kinds(whole) == ["in step", "irc", "mining", "one path", "peers", "spam"]
    for seed in (1, 2):
        random.Random(seed).shuffle(conn)
        random.Random(seed).shuffle(http)
        assert evaluate(Botnet, rows("conn", conn) | rows("http", http)) == whole


@pytest.mark.parametrize(
    "scenario",
    ["benign", "benign_tls", "multistage", "dga", "dga_nxdomain", "scan_udp", "long_connection", "dns_tunnel"],
)
def test_other_scenarios_are_none(evaluate, lab, scenario):
    assert evaluate(Botnet, lab(scenario)) == []


def test_the_dga_s_names_share_a_path(evaluate, lab):
    (found,) = evaluate(Botnet, lab("dga_nxdomain"), min_names=3)
    assert (found.entity["orig_h"], found.evidence["path"]) == ("10.10.0.14", "/task")


def test_simda(evaluate, public):
    (found,) = evaluate(Botnet, public("strato-005"))
    assert found.entity == {"orig_h": "192.168.1.116", "key": "one path /login.php"}
    assert (found.evidence["names"], found.evidence["failed_names"]) == (185, 173)
    assert found.score > 0.8


def test_a_zeus_of_peers(evaluate, public):
    tables = {name: hours(table, 16, 20) for name, table in public("ctu-botnet-4").items()}
    found = evaluate(Botnet, tables)
    assert {(f.entity["orig_h"], f.entity["key"]) for f in found} == {("10.0.2.19", "peers")}
    assert max(f.score for f in found) > 0.45
    assert not any(f.evidence["file_sharing"] for f in found)


@pytest.mark.parametrize(
    "folder", ["slips-test9", "slips-test10", "slips-test14", "strato-001", "strato-002", "rita-open-sni"]
)
def test_other_public_logs_are_none(evaluate, public, folder):
    assert evaluate(Botnet, public(folder)) == []
