"""Names in, tunnels out: recorded ones, slow ones, and what has many or long names and is none."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_plugins.detectors.dns_tunnel import DnsTunnel, Tuning
from aegis_plugins.tables.name_hour import NameHour

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
    return lambda asked, **tuning: evaluate(DnsTunnel, rows("dns", asked), [NameHour], **tuning)


TXT = {"qtype_name": "TXT", "answers": ["TXT 20 abcdefghijklmnopqrst"]}


@pytest.mark.parametrize(
    ("scenario", "client", "names"), [("dns_tunnel", "10.10.0.13", 364), ("multistage", "10.10.0.15", 141)]
)
def test_recorded_tunnels_are_found_once_from_either_format(evaluate, lab, scenario, client, names):
    (found,) = evaluate(DnsTunnel, lab(scenario, "tsv"), [NameHour])
    assert found.entity == {"orig_h": client, "name": "tunnel.test"}
    assert (found.evidence["names"], found.evidence["text_type_names"]) == (names, names)
    assert 200 < found.evidence["name_bytes_mean"] < 242
    assert found.evidence["name_bytes_longest"] <= 253 - len(".tunnel.test")
    assert found.score > 0.7
    assert 0 < len(found.uids) <= 20
    assert evaluate(DnsTunnel, lab(scenario, "json"), [NameHour]) == [found]


def test_eve_tells_the_same_tunnel(evaluate, lab):
    (zeek,), (eve,) = (evaluate(DnsTunnel, lab("dns_tunnel", form), [NameHour]) for form in ("tsv", "eve.json.gz"))
    assert eve.entity == zeek.entity
    assert abs(eve.evidence["names"] - zeek.evidence["names"]) <= 5
    assert abs(eve.score - zeek.score) < 0.05


@pytest.mark.parametrize("scenario", ["benign", "benign_tls", "dga", "dga_nxdomain", "scan_vertical"])
def test_recorded_traffic_without_one_is_quiet(evaluate, lab, scenario):
    assert evaluate(DnsTunnel, lab(scenario, "tsv"), [NameHour]) == []


@pytest.mark.parametrize("scenario", ["benign", "benign_tls"])
def test_eve_without_one_is_quiet(evaluate, lab, scenario):
    assert evaluate(DnsTunnel, lab(scenario, "eve.json.gz"), [NameHour]) == []


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
    assert len(evidence["examples"]) == 3
    assert found.reason.startswith("10.0.0.1 asked for 60 different names below evil.test in 59 s (TXT), 34 bytes long")


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


def test_shards_change_nothing(evaluate, lab):
    tables = lab("multistage", "tsv")
    assert evaluate(DnsTunnel, tables, [NameHour], shards=3) == evaluate(DnsTunnel, tables, [NameHour])


def features(**columns: Any) -> pd.DataFrame:
    row = {"orig_h": CLIENT, "query_domain": "evil.test", "names": 100, "queries": 100, "sub_bytes": 4000}
    row |= {"longest_bytes": 40, "millibits": 0, "typed": 0, "typed_millibits": 0, "nxdomain": 0, "answered": 0}
    row |= {"loopback": 0, "answer_bytes": 0, "typed_answer_bytes": 0, "qtypes": ["TXT"], "first_us": 0, "last_us": 1}
    return pd.DataFrame([row | {"examples": [], "uids": []} | columns])


@given(st.integers(5_000_000, 10**11))
def test_a_message_that_is_larger_by_a_percent_scores_higher(millibits):
    def score(size: int) -> float:
        asked = features(millibits=size, typed_millibits=size)
        return float(DnsTunnel().score(asked, Tuning())["score"].round(6)[0])

    assert 0 < score(millibits) < score(millibits + millibits // 100) < 1


def test_public_tunnel(evaluate, public):
    found = evaluate(DnsTunnel, public("dnscat2-txt"), [NameHour])
    assert {f.entity["orig_h"] for f in found} == {"192.168.68.62"}
    assert found[0].evidence["names"] == 3976


@pytest.mark.parametrize(
    "folder", ["rita-proxy", "rita-json-all-fields", "slips-test9", "slips-test10", "strato-005", "ctu-botnet-4"]
)
def test_public_logs_without_one_are_quiet(evaluate, public, folder):
    assert evaluate(DnsTunnel, public(folder), [NameHour]) == []
