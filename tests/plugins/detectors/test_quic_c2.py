"""Made QUIC implants are found by several kinds of signs together; ordinary HTTP/3 is quiet. None is recorded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.decide.load import load_rules
from aegis_enrich.decide.seen import finding_values
from aegis_enrich.plugin import Finding
from aegis_plugins.detectors.quic_c2 import QuicC2
from aegis_plugins.tables.pair_hour import PairHour
from aegis_plugins.tables.server_name_hour import ServerNameHour
from aegis_plugins.tables.tls_server_hour import TlsServerHour

RULE = Path(__file__).parents[3] / "rules" / "detectors" / "quic_c2.yml"
TABLES = [TlsServerHour, PairHour, ServerNameHour]
IMPLANT, CONTROLLER = "10.0.0.9", "203.0.113.50"
PAUSES = (30, 700, 11, 95, 1_300, 5, 240)

Row = dict[str, Any]


def session(ts: float, **columns: Any) -> Row:
    """A row of quic and of its conn."""
    row = {"orig_h": IMPLANT, "orig_p": 30_000 + int(ts) % 30_000, "resp_h": CONTROLLER, "resp_p": 443, "ts": ts}
    row |= {"version": "1", "ja4": "q13d_browser", "proto": "udp", "service": "quic", "conn_state": "SF"}
    return row | {"orig_ip_bytes": 3_100, "resp_pkts": 9, "resp_ip_bytes": 4_000} | columns


def implant(count: int = 12, ts: float = 60, **columns: Any) -> list[Row]:
    """Calls of one size at an uneven pace, without a name."""
    at = [ts + sum(PAUSES[i % 7] for i in range(n)) for n in range(count)]
    return [session(t, **({"ja4": "q13i_own", "resp_p": 4433} | columns)) for t in at]


def browsing(clients: int = 8, sites: int = 5, **columns: Any) -> list[Row]:
    """Every client opens every site, three sessions each."""
    return [
        session(60 + client * 7 + site * 40 + n, orig_h=f"10.0.1.{client}", resp_h=f"198.51.100.{site}",
                **({"server_name": f"www.site{site}.example", "orig_ip_bytes": 2_600 + 371 * n + 97 * site} | columns))
        for client in range(clients)
        for site in range(sites)
        for n in range(3)
    ]  # fmt: skip


@pytest.fixture
def calls(evaluate, rows):
    """The last finding about each place, by its key."""

    def run(sessions: list[Row], conn: bool = True, **tuning: Any) -> dict[str, Finding]:
        tables = rows("quic", sessions) | (rows("conn", sessions) if conn else {})
        return {f.entity["key"]: f for f in evaluate(QuicC2, tables, TABLES, **tuning)}

    return run


@pytest.fixture(scope="session")
def severity(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Finding], int]:
    """What the shipped rule makes of a finding."""
    folder = tmp_path_factory.mktemp("rules")
    shutil.copy(RULE, folder)
    rule = load_rules(folder, {"quic_c2": QuicC2}).detectors["quic_c2"]
    return lambda finding: rule.severity(finding.score, finding_values(finding))


def test_an_implant_shows_six_kinds(calls, severity):
    found = calls(implant(version="draft-29") + browsing())
    assert list(found) == [f"{CONTROLLER}:4433/udp"]
    (finding,) = found.values()
    evidence = finding.evidence
    assert evidence["kinds"] == ["version", "name", "port", "fingerprint", "rarity", "repetition"]
    assert (evidence["sessions"], evidence["odd_versions"], evidence["own_fingerprint"]) == (12, 12, True)
    assert (evidence["place_clients"], evidence["clients"], evidence["rare"], evidence["new"]) == (1, 9, True, None)
    assert (evidence["size_median_bytes"], evidence["size_mad_bytes"], evidence["rhythmic"]) == (3_100, 0, False)
    assert finding.context["resp_h"] == CONTROLLER and finding.context["resp_p"] == 4433
    assert "12 of an unusual version, no name asked for, port 4433" in finding.reason
    assert severity(finding) == 73


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 73),
        ({"ja4": "q13d_browser"}, 47),
        ({"resp_p": 443}, 47),
        ({"server_name": "www.example.org"}, 47),
        ({"server_name": "sxkvdlqhz.net"}, 73),
        ({"server_name": "203.0.113.50"}, 73),
        ({"server_name": "www.example.org", "resp_p": 443}, 21),
    ],
)
def test_the_more_kinds_the_louder(calls, severity, change, expected):
    (finding,) = calls(implant(**change) + browsing()).values()
    assert severity(finding) == expected


def test_a_rhythm_is_beaconing_s(calls, severity):
    beacon = [row | {"ts": 60.0 + 61 * n, "ja4": None} for n, row in enumerate(implant(40))]
    (finding,) = calls(beacon + browsing()).values()
    assert finding.evidence["rhythmic"] is True and severity(finding) == 21


def test_no_name_says_something_only_where_others_have_one(calls):
    (finding,) = calls(implant(version="draft-29") + browsing(server_name=None)).values()
    assert "name" not in finding.evidence["kinds"]
    (finding,) = calls(implant(version="draft-29") + browsing(clients=1)).values()
    assert "name" not in finding.evidence["kinds"]


def test_ipv6_only(calls, severity):
    pair = {"orig_h": "fd00::9", "resp_h": "2001:db8::50"}
    others = [
        r | {"orig_h": f"fd00::1:{r['orig_h'][7:]}", "resp_h": f"2001:db8::{r['resp_h'][11:]}"} for r in browsing()
    ]
    found = calls(implant(**pair) + others)
    assert {key: severity(f) for key, f in found.items()} == {"2001:db8::50:4433/udp": 73}


# ---- what is none ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"server_name": None},  # post-quantum hellos in two datagrams
        {"version": "quicv2"},
        {"ja4": None},
        {"orig_ip_bytes": 3_100},
    ],
)
def test_ordinary_http3_is_quiet(calls, columns):
    assert calls(browsing(12, 8, **columns)) == {}


def test_one_browser_of_another_kind_is_quiet(calls):
    mine = [row | {"orig_h": IMPLANT, "ja4": "q13d_other"} for row in browsing(1, 30)]
    assert calls(mine + browsing()) == {}


def test_a_service_that_is_polled_is_quiet(calls):
    polled = [session(60 + 61 * n, server_name="push.example.com", orig_ip_bytes=2_900) for n in range(200)]
    assert calls(polled + browsing()) == {}


def test_a_call_over_a_relay_is_no_implant(calls, severity):
    """A handshake to a port of its own, once, and media of any size behind it."""
    relay = [session(60 + 900 * n, resp_p=9_000, ja4="q13i_app", orig_ip_bytes=10_000_000 + n) for n in range(3)]
    assert calls(relay + browsing(), min_kinds=4) == {}
    assert {severity(f) for f in calls(relay + browsing()).values()} <= {21}


def test_behind_one_address_of_five_thousand_clients(calls, severity):
    crowd = [
        session(n % 3_500, server_name=f"www.site{n % 1_500}.example", resp_h=f"198.51.{n % 1_500 // 250}.{n % 250}",
                ja4=f"q13_{n % 40}", orig_ip_bytes=2_500 + n % 4_000)
        for n in range(9_000)
    ]  # fmt: skip
    games = [
        row | {"resp_h": f"203.0.113.{n}", "ts": row["ts"] + n} for n in range(20) for row in implant(20, ja4="q13_1")
    ]
    assert {severity(f) for f in calls(crowd + games + browsing()).values()} <= {21}


def test_suricata_s_two_events_are_one_handshake(calls, rows, evaluate):
    pairs = [r | {"uid": f"D{n}"} for n, row in enumerate(implant()) for r in (row, row | {"ja4": None, "ja3s": "s"})]
    tables = rows("quic", pairs + browsing()) | rows("conn", browsing())
    found = evaluate(QuicC2, tables, TABLES)
    assert {f.evidence["sessions"] for f in found} == {12}
