"""Names in, tunnels out: recorded ones, slow ones, and what has many or long names and is none."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_plugins.detectors.dns_tunnel import DnsTunnel, Tuning
from aegis_plugins.detectors.dns_tunnel.lists import DOH, LOOKUPS, OWNED
from aegis_plugins.tables.name_hour import NameHour
from aegis_plugins.tables.server_name_hour import ServerNameHour

TABLES = [NameHour, ServerNameHour]
CLIENT = "10.0.0.1"


def code(number: int, length: int = 32, salt: str = "") -> str:
    """Letters and digits of a code, the same each time."""
    return hashlib.shake_256(f"{salt}{number}".encode()).hexdigest((length + 1) // 2)[:length]


def queries(names: list[str], *, gap_s: float = 1.0, **columns: Any) -> list[dict[str, Any]]:
    row = {"orig_h": CLIENT, "orig_p": 40_000, "resp_h": "10.0.0.2", "resp_p": 53, "proto": "udp"}
    row |= {"qtype_name": "A", "rcode_name": "NOERROR", "answers": ["198.51.100.7"]}
    return [row | {"query": name, "ts": 5 + gap_s * n} | columns for n, name in enumerate(names)]


@pytest.fixture
def tunnels(evaluate, rows):
    return lambda asked, **tuning: evaluate(DnsTunnel, rows("dns", asked), TABLES, **tuning)


TXT = {"qtype_name": "TXT", "answers": ["TXT 20 abcdefghijklmnopqrst"]}


@pytest.mark.parametrize(
    ("scenario", "client", "names"), [("dns_tunnel", "10.10.0.13", 364), ("multistage", "10.10.0.15", 141)]
)
def test_recorded_tunnels_are_found_once_from_either_format(evaluate, lab, scenario, client, names):
    (found,) = evaluate(DnsTunnel, lab(scenario, "tsv"), TABLES)
    assert found.entity == {"orig_h": client, "name": "tunnel.test"}
    assert (found.evidence["names"], found.evidence["text_type_names"]) == (names, names)
    assert 200 < found.evidence["name_bytes_mean"] < 242
    assert found.evidence["name_bytes_longest"] <= 253 - len(".tunnel.test")
    assert found.score > 0.7
    assert 0 < len(found.uids) <= 20
    assert evaluate(DnsTunnel, lab(scenario, "json"), TABLES) == [found]


def test_eve_tells_the_same_tunnel(evaluate, lab):
    (zeek,), (eve,) = (evaluate(DnsTunnel, lab("dns_tunnel", form), TABLES) for form in ("tsv", "eve.json.gz"))
    assert eve.entity == zeek.entity
    assert abs(eve.evidence["names"] - zeek.evidence["names"]) <= 5
    assert abs(eve.score - zeek.score) < 0.05


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "dga", "dga_nxdomain", "scan_vertical"])
def test_recorded_traffic_without_one_is_quiet(evaluate, lab, scenario):
    assert evaluate(DnsTunnel, lab(scenario, "tsv"), TABLES) == []


@pytest.mark.parametrize("scenario", ["benign", "benign_tls"])
def test_eve_without_one_is_quiet(evaluate, lab, scenario):
    assert evaluate(DnsTunnel, lab(scenario, "eve.json.gz"), TABLES) == []


def test_the_evidence_tells_the_numbers(tunnels):
    (found,) = tunnels(queries([f"{code(n)}.t.evil.test" for n in range(60)], **TXT))
    assert found.entity == {"orig_h": CLIENT, "name": "evil.test"}
    evidence = found.evidence
    assert (evidence["names"], evidence["queries"], evidence["text_type_names"]) == (60, 60, 60)
    assert (evidence["name_bytes_mean"], evidence["name_bytes_longest"]) == (34.0, 34)
    assert 3.0 < evidence["entropy_bits_per_byte"] < 4.5
    assert evidence["record_types"] == ["TXT"]
    assert (evidence["answered"], evidence["answer_bytes"], evidence["nxdomain"]) == (60, 60 * 27, 0)
    assert evidence["duration_s"] == 59.0
    assert (evidence["gap_s_p10"], evidence["gap_s_median"], evidence["gap_s_p90"]) == (1.0, 1.0, 1.0)
    assert (evidence["kind"], evidence["clients"], evidence["tcp_queries"], evidence["active_hours"]) == (
        "names",
        1,
        0,
        1,
    )
    assert evidence["message_bytes_per_s"] * 59 == pytest.approx(evidence["message_bytes"], abs=1e-3)
    assert len(evidence["examples"]) == 3
    assert found.reason.startswith("10.0.0.1 asked for 60 different names below evil.test in 59 s (TXT), a new one")


@pytest.mark.parametrize(("count", "hits"), [(50, 1), (49, 0)])
def test_names_must_be_enough(tunnels, count, hits):
    assert len(tunnels(queries([f"{code(n)}.evil.test" for n in range(count)], **TXT))) == hits


def test_low_and_slow_is_found_over_hours(tunnels):
    slow = queries([f"{code(n)}.evil.test" for n in range(60)], gap_s=1_200, **TXT)
    found = tunnels(slow)
    assert found[-1].evidence["names"] == 60
    assert found[-1].evidence["duration_s"] == 59 * 1_200
    assert tunnels(queries([f"{code(n)}.evil.test" for n in range(60)], gap_s=3_600, **TXT)) == []


@pytest.mark.parametrize("qtype", ["TXT", "NULL", "CNAME", "MX"])
def test_types_that_carry_text_count_more_than_addresses(tunnels, qtype):
    names = [f"{code(n)}.evil.test" for n in range(100)]
    (text,) = tunnels(queries(names, qtype_name=qtype, answers=[]))
    assert text.evidence["text_type_names"] == 100
    assert tunnels(queries(names)) == []


def test_a_tunnel_by_addresses_is_found_once_it_has_carried_enough(tunnels):
    (found,) = tunnels(
        queries([f"{code(n, 60)}.{code(n, 60, 'b')}.evil.test" for n in range(200)], rcode_name="NXDOMAIN")
    )
    assert (found.evidence["text_type_names"], found.evidence["nxdomain"]) == (0, 200)


def test_large_answers_to_short_names_are_found(tunnels):
    staged = [f"{n:04}.s.evil.test" for n in range(100)]
    (found,) = tunnels(queries(staged, qtype_name="TXT", answers=["TXT 250 " + "x" * 250]), min_entropy_bits=2.0)
    assert found.evidence["answer_bytes"] == 100 * 258


def test_a_name_asked_again_is_one(tunnels):
    again = [f"{code(n % 40)}.evil.test" for n in range(4000)]
    assert tunnels(queries(again, gap_s=10, **TXT)) == []


def test_case_that_a_resolver_mixes_makes_no_names(tunnels):
    name = code(1, 20)
    mixed = ["".join(c.upper() if (n >> i) & 1 else c for i, c in enumerate(name)) + ".Evil.test" for n in range(500)]
    assert tunnels(queries(mixed, **TXT)) == []


@pytest.mark.parametrize(
    "asked",
    [
        queries([f"{n % 250}.{n // 250}.0.10.in-addr.arpa" for n in range(900)], qtype_name="PTR"),
        queries([f"{n % 250}.{n // 250}.51.198.in-addr.arpa" for n in range(900)]),
        queries([".".join(code(n, 32)) + ".ip6.arpa" for n in range(900)], qtype_name="TXT"),
        queries([f"{n % 250}.{n // 250}.51.198.dnsbl.test" for n in range(900)], answers=["127.0.0.2"]),
        queries([f"{n % 250}.{n // 250}.51.198.dnsbl.test" for n in range(900)], answers=None, rcode_name="NXDOMAIN"),
        queries([f"{n % 250}.{n // 250}.51.198.asn.dnsbl.test" for n in range(900)], qtype_name="TXT"),
        queries([".".join(code(n, 32)) + ".dnsbl.test" for n in range(900)], **TXT),
        queries([f"{code(n)}.hash.av.test" for n in range(900)], qtype_name="TXT", answers=["127.0.0.1"]),
        queries([f"{code(n)}.i.05.s.sophosxl.net" for n in range(900)], **TXT),
        queries([f"{code(n)}._device._tcp.local" for n in range(900)], **TXT),
        queries([f"{code(n)}.evil.test" for n in range(900)], resp_p=5353, **TXT),
        queries([f"{code(n)}.evil.test" for n in range(900)], resp_p=137, **TXT),
        queries([f"{code(n)}" for n in range(900)], **TXT),  # single labels
        queries([f"{code(n, 60)}.c.eset.com" for n in range(900)]),  # reputations of files
        queries([f"{code(n)}.avqs.mcafee.com" for n in range(900)]),
        queries([f"{n % 250}.{n // 250}.51.198._spf.mail.test" for n in range(900)]),  # SPF macros (RFC 7208)
        queries([f"{code(n, 12)}.{n % 250}.0.0.10._spf.mail.test" for n in range(150)]),
        queries([f"{code(n, 40)}.nat.test" for n in range(40)] * 20, gap_s=5),  # hosts that many ask for again
        queries([f"{code(n, 12)}.test" for n in range(900)], **TXT),  # a domain each, as a DGA asks
    ],
)
def test_lookups_and_local_names_are_none(tunnels, asked):
    assert tunnels(asked) == []


@pytest.mark.parametrize(
    "names",
    [
        [f"d{code(n, 13)}.cdn.test" for n in range(300)],  # a content network's hosts
        [f"rr{n % 9}---sn-{code(n, 8)}.video.test" for n in range(300)],
        [f"{code(n)}.safeframe.ads.test" for n in range(150)],
        [f"pc-{n:05}.corp.test" for n in range(2000)],
        [f"_ldap._tcp.site{n}._sites.dc._msdcs.corp.test" for n in range(100)],
    ],
)
def test_many_hosts_of_one_domain_are_none(tunnels, names):
    kind = {"qtype_name": "SRV"} if names[0].startswith("_") else {}
    assert tunnels(queries(names, **kind)) == []


def test_a_list_that_answers_in_127_can_be_told_all_the_same(tunnels):
    asked = queries([f"{code(n)}.evil.test" for n in range(200)], qtype_name="TXT", answers=["127.0.0.1"])
    assert len(tunnels(asked, max_loopback_share=1.1)) == 1


def test_clients_and_domains_are_apart(tunnels):
    names = [f"{code(n)}.evil{n % 2}.test" for n in range(200)]
    found = tunnels(queries(names, **TXT) + queries(names, orig_h="10.0.0.9", **TXT))
    assert len({tuple(f.entity.items()) for f in found}) == 4


def test_more_names_than_an_hour_keeps_are_counted(tunnels):
    (found,) = tunnels(queries([f"{code(n)}.evil.test" for n in range(3000)], gap_s=1, **TXT))
    assert found.evidence["names"] == 3000
    assert found.evidence["name_bytes_mean"] == 32.0


def spread(many: int, each: int, **columns: Any) -> list[dict[str, Any]]:
    """Names of `many` clients, `each` of its own."""
    asked = queries([f"{code(n)}.evil.test" for n in range(many * each)], **columns)
    return [row | {"orig_h": f"10.0.0.{n % many}"} for n, row in enumerate(asked)]


def test_many_clients_of_one_domain_are_added_up(tunnels):
    (found,) = tunnels(spread(20, 10, **TXT))
    assert found.entity == {"orig_h": None, "name": "evil.test"}
    assert (found.evidence["kind"], found.evidence["clients"], found.evidence["names"]) == ("many clients", 20, 200)
    assert found.reason.startswith("20 clients asked for 200 different names below evil.test")
    assert tunnels(spread(20, 2, **TXT)) == []
    again = queries([f"{code(n % 10)}.evil.test" for n in range(200)], **TXT)  # the same ten names, by all
    assert tunnels([row | {"orig_h": f"10.0.0.{n % 20}"} for n, row in enumerate(again)]) == []
    assert tunnels(spread(200, 10)) == []  # addresses: a content network's hosts
    assert tunnels(spread(20, 10, **TXT), min_clients=21) == []


def test_one_client_that_tells_enough_is_told_of_alone(tunnels):
    found = tunnels(spread(4, 60, **TXT) + [r | {"orig_h": "10.0.0.9"} for r in queries(["a.evil.test"], **TXT)])
    assert {f.entity["orig_h"] for f in found} == {f"10.0.0.{n}" for n in range(4)}


def test_a_resolver_that_passes_names_on_is_not_told_of(tunnels):
    asked = queries([f"{code(n)}.evil.test" for n in range(100)], **TXT)
    resolver = [row | {"orig_h": "10.0.0.2", "resp_h": "203.0.113.9", "ts": row["ts"] + 0.002} for row in asked]
    (found,) = tunnels(asked + resolver)
    assert (found.entity["orig_h"], found.evidence["names_passed_on"]) == (CLIENT, 0)
    (seen,) = tunnels(resolver)  # where the sensor sees the resolver alone
    assert seen.entity["orig_h"] == "10.0.0.2"


def test_domains_below_which_a_client_asks_alike_are_counted(tunnels):
    asked = [f"{code(n, 60)}.{code(n, 60, 'b')}.ads{n % 4}.test" for n in range(800)]
    assert {f.evidence["alike_domains"] for f in tunnels(queries(asked))} == {3}
    (found,) = tunnels(queries([*asked[::4], *(f"{code(n)}.small{n % 4}.test" for n in range(40))]))
    assert found.evidence["alike_domains"] == 0


def test_clients_of_ipv6_alone(tunnels):
    row = {**TXT, "orig_h": "2001:db8::9", "resp_h": "2001:db8::53"}
    (found,) = tunnels(queries([f"{code(n)}.evil.test" for n in range(60)], **row))
    assert found.entity == {"orig_h": "2001:db8::9", "name": "evil.test"}


def test_queries_over_tcp_are_counted(tunnels):
    (found,) = tunnels(queries([f"{code(n)}.evil.test" for n in range(60)], proto="tcp", **TXT))
    assert found.evidence["tcp_queries"] == 60


def over_https(rows, size: int, name: str = "dns.google") -> dict[str, Any]:
    base = {"orig_h": CLIENT, "orig_p": 50_000, "resp_h": "203.0.113.8", "resp_p": 443, "ts": 5.0}
    many = [base | {"uid": f"D{n:03}", "ts": 5.0 + n} for n in range(20)]
    conn = rows("conn", [row | {"proto": "tcp", "orig_ip_bytes": size, "conn_state": "SF"} for row in many])
    return {**conn, **rows("ssl", [row | {"server_name": name} for row in many])}


def test_much_sent_to_a_resolver_over_https_is_evidence_of_little(evaluate, rows):
    (found,) = evaluate(DnsTunnel, over_https(rows, 5_000_000), TABLES)
    assert found.entity == {"orig_h": CLIENT, "name": "dns.google"}
    assert found.evidence == {
        "kind": "doh", "sent_bytes": 100_000_000, "connections": 20, "active_hours": 1, "duration_s": 19.0,
    }  # fmt: skip
    assert 0 < found.score < 0.3
    assert evaluate(DnsTunnel, over_https(rows, 100_000), TABLES) == []
    assert evaluate(DnsTunnel, over_https(rows, 5_000_000, "www.test"), TABLES) == []


def test_lists_are_of_names_in_lower_case():
    for names in (LOOKUPS, OWNED, DOH):
        assert list(names) == sorted({name.lower() for name in names})


def features(**columns: Any) -> pd.DataFrame:
    row = {"orig_h": CLIENT, "query_domain": "evil.test", "names": 100, "queries": 100, "sub_bytes": 4000}
    row |= {"longest_bytes": 40, "millibits": 0, "typed": 0, "typed_millibits": 0, "nxdomain": 0, "answered": 0}
    row |= {"loopback": 0, "answer_bytes": 0, "typed_answer_bytes": 0, "qtypes": ["TXT"], "first_us": 0, "last_us": 1}
    row |= {
        "clients": 1,
        "passed_on": 0,
        "alike_domains": 0,
        "tcp": 0,
        "hours": 1,
        "connections": None,
        "sent_bytes": None,
    }
    row |= {"gap_us_p10": 1e6, "gap_us_median": 1e6, "gap_us_p90": None}
    return pd.DataFrame([row | {"examples": [], "uids": []} | columns])


@given(st.integers(5_000_000, 10**11))
def test_a_message_that_is_larger_by_a_percent_scores_higher(millibits):
    def score(size: int) -> float:
        asked = features(millibits=size, typed_millibits=size)
        return float(DnsTunnel().score(asked, Tuning())["score"].round(6)[0])

    assert 0 < score(millibits) < score(millibits + millibits // 100) < 1


def test_public_tunnel(evaluate, public):
    found = evaluate(DnsTunnel, public("dnscat2-txt"), TABLES)
    assert {f.entity["orig_h"] for f in found} == {"192.168.68.62"}
    (found,) = found
    assert found.evidence["names"] == 3976
    assert 0.5 < found.evidence["gap_s_median"] < 1.1
    assert found.evidence["message_bytes"] > 300_000


@pytest.mark.parametrize(
    "folder", ["rita-proxy", "rita-json-all-fields", "slips-test9", "slips-test10", "strato-005", "ctu-botnet-4"]
)
def test_public_logs_without_one_are_quiet(evaluate, public, folder):
    assert evaluate(DnsTunnel, {"dns": public(folder)["dns"]}, TABLES) == []
