"""Implants that speak TLS are found by several kinds of signs together; what is odd in one way alone is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.decide.load import load_rules
from aegis_enrich.decide.row_rules import evaluate_rows
from aegis_enrich.decide.seen import finding_values
from aegis_enrich.enrich import Enrichment
from aegis_enrich.plugin import DAY_US, HOUR_US, Finding
from aegis_enrich.tables import TABLES as SCHEMAS
from aegis_plugins.detectors.tls_c2 import TlsC2
from aegis_plugins.enrichers.domain import Domain
from aegis_plugins.enrichers.intel import Intel
from aegis_plugins.enrichers.networks import Networks
from aegis_plugins.tables.pair_hour import PairHour
from aegis_plugins.tables.server_name_hour import ServerNameHour
from aegis_plugins.tables.tls_server_hour import TlsServerHour

RULES = Path(__file__).parents[3] / "rules"
TABLES = [TlsServerHour, PairHour, ServerNameHour]
IMPLANT, CONTROLLER = "10.0.0.9", "203.0.113.50"
TRICKBOT = "6734f37431670b3ab4292b8f60f29984"
NOW = 475_000 * HOUR_US
DAY, HOUR = 86_400.0, 3_600.0

Row = dict[str, Any]


def session(ts: float, **columns: Any) -> Row:
    """A row of ssl and of its conn."""
    row = {"orig_h": IMPLANT, "orig_p": 30_000 + int(ts) % 30_000, "resp_h": CONTROLLER, "resp_p": 443, "ts": ts}
    row |= {"version": "TLSv12", "established": True, "resumed": False, "direction": "outbound", "ja4": "t12_a"}
    row |= {"proto": "tcp", "conn_state": "SF", "history": "ShADadFf", "orig_ip_bytes": 1_177, "resp_pkts": 9}
    return row | columns


def implant(count: int = 12, ts: float = 60, **columns: Any) -> list[Row]:
    """Calls of one size at an uneven pace, with a self-signed certificate that nobody filled in and no name."""
    made = {"cert_chain_fps": ["f9"], "subject": "CN=localhost", "issuer": "CN=localhost", "self_signed": True}
    pauses = [30, 700, 11, 95, 1_300, 5, 240]
    at = [ts + sum(pauses[i % 7] for i in range(n)) for n in range(count)]
    return [session(t, **(made | {"ja4": "t12_implant"} | columns)) for t in at]


def browsing(clients: int = 8, sites: int = 5, ts: float = 60, net: str = "10.0.1", **columns: Any) -> list[Row]:
    """Every client opens every site, three sessions each, with certificates that hold."""
    good = {"sni_matches_cert": True, "resumed": True, "ja4": "t13_browser"}
    return [
        session(
            ts + client * 7 + site * 40 + n, orig_h=f"{net}.{client}", resp_h=f"198.51.100.{site}",
            server_name=f"www.site{site}.example", orig_ip_bytes=2_000 + 371 * n + 97 * site, **(good | columns),
        )
        for client in range(clients)
        for site in range(sites)
        for n in range(3)
    ]  # fmt: skip


@pytest.fixture
def calls(evaluate, rows):
    """The last finding about each place, by its key."""

    def run(sessions: list[Row], x509: Sequence[Row] = (), conn: bool = True, **tuning: Any) -> dict[str, Finding]:
        tables = rows("ssl", sessions) | (rows("conn", sessions) if conn else {})
        tables |= rows("x509", x509) if x509 else {}
        return {f.entity["key"]: f for f in evaluate(TlsC2, tables, TABLES, **tuning)}

    return run


@pytest.fixture(scope="session")
def severity(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Finding], int]:
    """What the shipped rule makes of a finding."""
    folder = tmp_path_factory.mktemp("rules")
    shutil.copy(RULES / "detectors" / "tls_c2.yml", folder)
    rule = load_rules(folder, {"tls_c2": TlsC2}).detectors["tls_c2"]
    return lambda finding: rule.severity(finding.score, finding_values(finding))


def test_an_implant_shows_six_kinds(calls, severity):
    found = calls(implant(resp_p=4443) + browsing())
    assert list(found) == [f"{CONTROLLER}:4443/tcp"]
    (finding,) = found.values()
    evidence = finding.evidence
    assert evidence["kinds"] == ["certificate", "name", "port", "fingerprint", "rarity", "repetition"]
    assert (evidence["sessions"], evidence["subject"], evidence["own_fingerprint"]) == (12, "CN=localhost", True)
    assert (evidence["place_clients"], evidence["clients"], evidence["rare"], evidence["new"]) == (1, 9, True, None)
    assert (evidence["size_median_bytes"], evidence["size_mad_bytes"], evidence["rhythmic"]) == (1_177, 0, False)
    assert finding.context["resp_h"] == CONTROLLER and finding.context["resp_p"] == 4443
    assert "a self-signed certificate, a subject that nobody filled in, no name asked for, port 4443" in finding.reason
    assert severity(finding) == 73


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 73),
        ({"resp_p": 443}, 73),
        ({"resp_p": 443, "server_name": "www.example.org"}, 47),
        ({"ja4": "t13_browser"}, 47),
        ({"ja4": None}, 47),
        ({"ja4": None, "ja3": "aa"}, 73),
        ({"server_name": "a.example.org", "ja4": "t13_browser", "resp_p": 443}, 21),
        ({"server_name": "a.example.org", "sni_matches_cert": True, "self_signed": False, "subject": "CN=a.example.org",
          "issuer": "CN=R", "validation_status": "ok", "resp_p": 443}, 21),
    ],
)  # fmt: skip
def test_the_more_kinds_the_louder(calls, severity, change, expected):
    (finding,) = calls(implant(**({"resp_p": 4443} | change)) + browsing(ja3="bb")).values()
    assert severity(finding) == expected


def test_tls13_hides_certificates(calls, severity):
    hidden = {"version": "TLSv13", "cert_chain_fps": None, "subject": None, "issuer": None, "self_signed": None}
    (finding,) = calls(implant(resp_p=4443, **hidden) + browsing()).values()
    assert finding.evidence["certificate_hidden"] is True
    assert finding.evidence["kinds"] == ["name", "port", "fingerprint", "rarity", "repetition"]
    assert severity(finding) == 47
    (plain,) = calls(implant(server_name="cdn.example.org", **hidden) + browsing()).values()
    assert plain.evidence["kinds_count"] == 3 and severity(plain) == 21


@pytest.mark.parametrize("join", ["fingerprint", "fuid"])
def test_a_zeek_without_our_scripts(calls, severity, join):
    bare = {"subject": None, "issuer": None, "self_signed": None, "ja4": None, "resp_p": 4443}
    ids = {"cert_chain_fps": ["f9"]} if join == "fingerprint" else {"cert_chain_fps": None, "cert_chain_fuids": ["F9"]}
    shown = {"ts": 60.1, "certificate_subject": "CN=localhost", "certificate_issuer": "CN=localhost"}
    shown |= {"fingerprint": "f9"} if join == "fingerprint" else {"fuid": "F9"}
    shown |= {"certificate_serial": "01", "certificate_not_valid_before": NOW - DAY_US}
    shown |= {"certificate_not_valid_after": NOW + 3_650 * DAY_US}
    (finding,) = calls(implant(16, **bare, **ids) + browsing(ja4=None), [shown]).values()
    assert finding.evidence["subject"] == "CN=localhost"
    assert (finding.evidence["valid_days"], finding.evidence["certificate_age_days"]) == (3_651, 1)
    assert finding.evidence["kinds"] == ["certificate", "name", "port", "rarity", "repetition"]
    assert severity(finding) == 47


def test_a_certificate_told_of_hours_before_is_known(calls):
    bare = {"subject": None, "issuer": None, "self_signed": None, "resp_p": 4443}
    shown = {
        "ts": 60.1,
        "fingerprint": "f9",
        "certificate_subject": "CN=localhost",
        "certificate_issuer": "CN=localhost",
    }
    (finding,) = calls(implant(3, **bare) + implant(12, ts=26 * HOUR, **bare), [shown]).values()
    assert finding.window_start_us > NOW
    assert finding.evidence["subject"] == "CN=localhost"


@pytest.mark.parametrize(
    "subject", ["CN=AsyncRAT Server", "C=US,O=cobaltstrike,CN=Major Cobalt Strike", "cn=dcrat,ou=x"]
)
def test_certificates_of_tools_are_loud_alone(calls, severity, subject):
    (finding,) = calls([session(5, subject=subject, issuer=subject, server_name="www.example.org")]).values()
    assert severity(finding) == 73 and finding.evidence["tool"] is not None


@pytest.mark.parametrize(
    "subject", ["CN=AsyncRAT Servers", "O=cobaltstrike.example", "CN=localhost.example", "CN=test7"]
)
def test_a_part_is_a_whole_one(calls, subject):
    (finding,) = calls(implant(resp_p=4443, subject=subject)).values()
    assert finding.evidence["tool"] is None
    assert "a subject that nobody filled in" not in finding.evidence["signs"]


@pytest.mark.parametrize(
    ("name", "subject", "signs"),
    [
        ("sxkvdlqh.net", "CN=sxkvdlqh.net", ["a random-looking name", "a random-looking subject"]),
        ("www.6qpxeuw3nb4q.com", "CN=www.r2tmwkzb5mij3.net", ["a random-looking name", "a random-looking subject"]),
        ("lengthsthroughout.com", "CN=knightsbridge.example", []),
        ("d2oh4tlt9mrke9.cloudfront.net", "CN=*.cloudfront.net", ["a random-looking name"]),
        ("stackoverflow.com", "CN=schwarzwaldklinik.de", []),
        ("intranet", "CN=fileserver", ["a name without a domain"]),
        ("203.0.113.50", "CN=203.0.113.50", ["no name asked for"]),
        ("2001:db8::1", "CN=device", ["no name asked for"]),
    ],
)
def test_names_that_nobody_would_choose(calls, name, subject, signs):
    (finding,) = calls(implant(server_name=name, subject=subject, resp_p=4443)).values()
    spelled = [s for s in finding.evidence["signs"] if "random" in s or s.endswith(("asked for", "a domain"))]
    assert sorted(spelled) == sorted(signs)


def test_new_needs_a_past(calls):
    def new(days: float) -> Any:
        past = [row for n in range(int(days * 4)) for row in browsing(1, 1, ts=n * 6 * HOUR, net="10.0.0")]
        mine = [row | {"orig_h": IMPLANT} for row in past]
        last = max((row["ts"] for row in mine), default=0.0)
        return next(iter(calls(mine + implant(resp_p=4443, ts=last + 6 * HOUR)).values())).evidence["new"]

    assert (new(0), new(2), new(5)) == (None, None, True)


def test_what_was_called_for_days_is_not_new(calls):
    daily = [row for day in range(6) for row in implant(ts=day * DAY + 60, resp_p=4443)]
    (finding,) = calls(daily).values()
    assert (finding.evidence["new"], finding.evidence["past_days"]) == (False, 5)


def test_a_rhythm_is_beaconing_s(calls, severity):
    even = {"resp_p": 8443, "ja4": None}
    beacon = [row | {"ts": 60.0 + 61 * n} for n, row in enumerate(implant(40, **even))]
    (finding,) = calls(beacon + browsing(ja4=None)).values()
    assert finding.evidence["rhythmic"] is True and finding.evidence["kinds_count"] == 4
    assert severity(finding) == 21
    (more,) = calls([row | {"ja4": "t12_implant"} for row in beacon] + browsing()).values()
    assert severity(more) == 73


# ---- what is none ------------------------------------------------------------------------------------------------


def test_one_certificate_under_many_names(calls):
    shared = {"subject": "CN=www.site0.example", "issuer": "CN=www.site0.example", "self_signed": True}
    assert calls(browsing(sni_matches_cert=False, resumed=False, cert_chain_fps=["f1"], **shared)) == {}


def test_an_appliance_inside(calls):
    assert calls(implant(40, resp_h="10.20.0.5", direction="internal", resp_p=4443) + browsing()) == {}


def test_an_appliance_that_a_browser_looks_at(calls, severity):
    looked = implant(6, resp_p=4443, subject="CN=fw", issuer="CN=fw", ja4="t13_browser")
    (finding,) = calls(looked + browsing() + [row | {"orig_h": IMPLANT} for row in browsing(1)]).values()
    assert severity(finding) == 21


def test_calls_between_browsers(calls):
    dtls = {"version": "DTLSv12", "subject": "CN=WebRTC", "issuer": "CN=WebRTC", "resp_p": 3478, "proto": "udp"}
    assert calls(implant(40, **dtls) + browsing()) == {}


def test_an_agent_of_one_host_is_low(calls, severity):
    agent = {"server_name": "api.vendor.example", "sni_matches_cert": True, "validation_status": "ok"}
    good = {"self_signed": False, "subject": "CN=api.vendor.example", "issuer": "CN=R1"}
    (finding,) = calls(implant(200, **agent, **good) + browsing()).values()
    assert finding.evidence["kinds"] == ["fingerprint", "rarity", "repetition"] and severity(finding) == 21


def test_ja3_that_differs_each_time_is_no_fingerprint(calls):
    shuffled = [row | {"ja3": f"j{n}", "ja4": None} for n, row in enumerate(implant(resp_p=4443))]
    (finding,) = calls(shuffled + browsing(ja4=None, ja3="bb")).values()
    assert finding.evidence["own_fingerprint"] is None


def test_ipv6_only(calls, severity):
    place = "2001:db8::50"
    others = [
        row
        | {"orig_h": "fd00::1:" + row["orig_h"].split(".")[-1], "resp_h": "2001:db8::" + row["resp_h"].split(".")[-1]}
        for row in browsing()
    ]
    found = calls(implant(resp_p=4443, orig_h="fd00::9", resp_h=place) + others)
    assert {key: severity(f) for key, f in found.items()} == {f"{place}:4443/tcp": 73}


def test_behind_one_address_of_five_thousand_clients(calls, severity):
    """A NAT beside a few other hosts: its storage boxes, agents and phones are of many people."""
    crowd = [
        session(n % 3_500, server_name=f"www.site{n % 1_500}.example", resp_h=f"198.51.{n % 1_500 // 250}.{n % 250}",
                ja4=f"t13_{n % 40}", sni_matches_cert=True, orig_ip_bytes=900 + n % 4_000)
        for n in range(9_000)
    ]  # fmt: skip
    boxes = [
        row | {"resp_h": f"203.0.113.{n}", "resp_p": 5_001, "ts": row["ts"] + n}
        for n in range(30)
        for row in implant(20, subject=f"CN=box{n}", issuer=f"CN=box{n}", ja4="t13_1")
    ]
    found = calls(crowd + boxes + browsing())
    assert {severity(f) for f in found.values()} == {21}
    assert all(f.evidence["crowd"] and f.evidence["rare"] is None for f in found.values())
    own = calls(crowd + implant(resp_p=4443) + browsing())
    assert severity(own[f"{CONTROLLER}:4443/tcp"]) == 73


def test_one_busy_server(calls):
    """Thousands of sessions an hour with one harmless server, by clients with fingerprints of many kinds."""
    busy = [
        session(n * 0.3, orig_h=f"10.0.1.{n % 50}", server_name="api.example.com", sni_matches_cert=True,
                ja4=f"t13_{n % 7}", resumed=n % 3 > 0)
        for n in range(12_000)
    ]  # fmt: skip
    assert calls(busy) == {}


@pytest.mark.parametrize("form", ["tsv", "eve.json.gz"])
@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "exfil", "exfil_small", "multistage"])
def test_recorded_traffic_without_one_is_quiet(evaluate, lab, scenario, form):
    assert evaluate(TlsC2, lab(scenario, form), TABLES) == []


@pytest.mark.parametrize("form", ["tsv", "eve.json.gz"])
def test_a_recorded_beacon_is_low_beside_beaconing(evaluate, lab, severity, form):
    found = evaluate(TlsC2, lab("beacon_https_60s", form), TABLES)
    assert {f.entity["key"] for f in found} == {f"{CONTROLLER}:8443/tcp"}
    assert {severity(f) for f in found} == {21}
    assert found[-1].evidence["subject"] == "CN=localhost"


@pytest.mark.parametrize("folder", ["slips-test9", "slips-test10", "slips-test15", "strato-008", "rita-proxy"])
def test_public_logs_without_one_are_quiet(evaluate, public, folder):
    assert evaluate(TlsC2, public(folder), TABLES) == []


@pytest.mark.parametrize("folder", ["slips-test9", "slips-test15"])
def test_a_listed_fingerprint_is_the_list_s_alert(public, tmp_path, folder):
    """One session with Trickbot's JA3 among a browser's is no habit: `intel` tells of it where it is listed."""
    listed = tmp_path / "abuse.csv"
    listed.write_text(f"indicator,kind,source,severity,description\n{TRICKBOT},ja3,abuse,high,Trickbot\n")
    enrichment = Enrichment([Networks({}), Domain({}), Intel({"paths": [str(listed)]})])
    log = public(folder)["ssl"].select(SCHEMAS["ssl"].schema.names)
    rules = load_rules(RULES / "rows", {}, enrichment.schema)
    hits = [h for h in evaluate_rows(rules, "ssl", "s", enrichment.apply("ssl", log)) if h.rule.id == "intel"]
    assert {(h.fold.severity, h.entity["intel_indicator"]) for h in hits} == {(73, TRICKBOT)}
