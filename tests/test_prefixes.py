"""Longest prefix, against a scan over all networks."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.prefixes import Prefixes, is_address, pack, parse_network

_ADDRESSES = st.integers(0, 2**32 - 1).map(lambda i: ip_address(i & 0xF00000FF)) | st.integers(0, 2**128 - 1).map(
    lambda i: ip_address(i & (0xFF << 120 | 0xFF))
)
_NETWORKS = st.tuples(_ADDRESSES, st.integers(0, 128)).map(
    lambda pair: ip_network((pair[0], min(pair[1], pair[0].max_prefixlen)), strict=False)
)


@given(st.lists(_NETWORKS, max_size=12, unique=True), st.lists(_ADDRESSES, min_size=1, max_size=12))
def test_find_gives_the_longest_prefix(networks: list, addresses: list) -> None:
    prefixes = Prefixes((n, str(n)) for n in networks)
    ends = [end for n in networks for end in (n.network_address, n.broadcast_address)]
    for address in [*addresses, *ends]:
        around = [n for n in networks if n.version == address.version and address in n]
        expected = str(max(around, key=lambda n: n.prefixlen)) if around else None
        # An IPv4 address mapped into IPv6 is looked up as what it is.
        if getattr(address, "ipv4_mapped", None) is None:
            assert prefixes.find(str(address)) == expected


def test_no_address_and_no_network_give_none() -> None:
    prefixes = Prefixes([(ip_network("0.0.0.0/0"), "all")])
    assert prefixes.find("255.255.255.255") == "all"
    assert prefixes.find("::1") is None
    for text in ("", "1.2.3", "example.com", "1.2.3.4/8", "::g", "1.2.3.4\0"):
        assert prefixes.find(text) is None
    assert Prefixes[str]().find("1.2.3.4") is None


def test_what_is_an_address() -> None:
    assert all(map(is_address, ("1.2.3.4", "::1", "fe80::1%eth0", "::ffff:10.0.0.1")))
    assert not any(map(is_address, ("", "1.2.3", "example.com", "1.2.3.4/8", "::g", "1.2.3.4\0", " 1.2.3.4")))


def test_mapped_addresses_are_ipv4() -> None:
    assert pack("::ffff:10.0.0.1") == pack("10.0.0.1") == bytes([10, 0, 0, 1])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("10.0.0.0/33", "no network"),
        ("office", "no network"),
        ("fd00::1/64", "write fd00::/64"),
    ],
)
def test_parse_network_says_what_to_write(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_network(text)


def test_parse_network_takes_single_addresses() -> None:
    assert str(parse_network("10.0.0.1")) == "10.0.0.1/32"
