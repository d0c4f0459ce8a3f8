"""What a question is about, by the form of it."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.ask.entities import find

NOW = 1_795_314_740_208_345


def read(text: str) -> list[tuple[str, object]]:
    return [(e.kind, e.value) for e in find(text, NOW, [False] * len(text)) if e.kind != "time"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("who is 10.0.0.5?", [("host", "10.0.0.5")]),
        ("10.0.0.5:8443", [("host", "10.0.0.5"), ("port", 8443)]),
        ("to [2001:DB8::1]:443", [("host", "2001:db8::1"), ("port", 443)]),
        ("in 10.0.0.7/24", [("net", "10.0.0.0/24")]),
        ("10.0.0.5/32", [("host", "10.0.0.5")]),
        ("from fd00:20::/48 or fe80::1", [("net", "fd00:20::/48"), ("host", "fe80::1")]),
        ("hosts of 10.1.*.*", [("net", "10.1.0.0/16")]),
        ("300.1.1.1 and 10.0.0.0/99", []),
        ("C2.Example.ORG and *.test.example", [("domain", "c2.example.org"), ("domain", "test.example")]),
        ("https://a.example/login?x=1", [("domain", "a.example")]),
        ("e.g. this", []),
        ("t1110.001 and TA0006", [("technique", "T1110.001"), ("tactic", "TA0006")]),
        ("port 22 or 53/udp or 70000/tcp", [("port", 22), ("port", 53)]),
        ("AS 64500", [("as", 64500)]),
        ("top 5 hosts", [("limit", 5)]),
        ("explain alert 14a23b94", [("id", "14a23b94")]),
        ("explain 14a23b94", [("id", "14a23b94")]),
        ("to RU and in UK", [("country", "RU"), ("country", "GB")]),
        ("GO TO RU", []),
    ],
)
def test_forms(text: str, expected: list[tuple[str, object]]) -> None:
    assert read(text) == expected


def test_no_two_entities_share_a_character() -> None:
    text = "alerts of 10.0.0.5 to c2.example.org:443 on 22.11.2026 at 02:30 with T1046"
    places = [i for e in find(text, NOW, [False] * len(text)) for i in range(*e.at)]
    assert len(places) == len(set(places))


@given(st.ip_addresses())
def test_every_address_is_read_as_itself(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert read(f"who is {address} then")[:1] == [("host", str(address))]
