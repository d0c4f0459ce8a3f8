"""Queries in, what a client's names are like out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from aegis_plugins.tables.host_dns_hour import HostDnsHour

Hour = Callable[..., list[dict[str, Any]]]


def dns(query: str | None, **columns: Any) -> dict[str, Any]:
    row = {"query": query, "resp_h": "10.0.0.2", "resp_p": 53, "proto": "udp", "qtype_name": "A", "rtt": 0.01}
    return row | {"rcode_name": "NOERROR", "answers": ["198.51.100.7"], "TTLs": [60.0]} | columns


def test_a_client_s_numbers(hour: Hour) -> None:
    rows = [
        dns("www.example.com"),
        dns("WWW.example.com.", qtype_name="AAAA", TTLs=[600.0]),
        dns("a1b2.cdn.example.com", answers=["198.51.100.7", "198.51.100.77"], TTLs=[60.0, 60.0]),
        dns("nothing.org", rcode_name="NXDOMAIN", answers=None, TTLs=None),
        dns("silent.org", rcode_name=None, answers=None, TTLs=None, rtt=None),
        dns("7.100.51.198.in-addr.arpa", qtype_name="PTR", answers=["host.example.com"], proto="tcp"),
    ]
    (host,) = hour(HostDnsHour, dns=rows)
    expected = {
        "dns_queries": 6,
        "dns_names": 4,
        "dns_domains": 3,
        "dns_names_per_domain": 4 / 3,
        "dns_names_per_domain_max": 2,
        "dns_repeated_share": 1 / 6,
        "dns_resolvers": 1,
        "dns_name_length_mean": (15 + 20 + 11 + 10) / 4,
        "dns_name_length_max": 20,
        "dns_labels_mean": (2 + 3 + 1 + 1) / 4,
        "dns_label_length_max": 7,
        "dns_digit_share": 2 / (10 + 14 + 7 + 6),
        "dns_nxdomain_share": 0.2,
        "dns_failed_share": 0.2,
        "dns_unanswered_share": 1 / 6,
        "dns_types": 3,
        "dns_address_share": 5 / 6,
        "dns_text_share": 0,
        "dns_reverse_share": 1 / 6,
        "dns_answers_mean": 5 / 4,
        "dns_answer_bytes_max": 25,
        "dns_ttl_mean": 168,
        "dns_ttl_min": 60,
        "dns_ttl_short_share": 0.8,
        "dns_rtt_median": 0.01,
        "dns_tcp_share": 1 / 6,
    }
    assert {name: host[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_entropy_is_shannon_s(hour: Hour) -> None:
    (host,) = hour(HostDnsHour, dns=[dns("abracadabra.com")])
    text = "abracadabra"
    bits = -sum(text.count(c) / 11 * math.log2(text.count(c) / 11) for c in set(text))
    assert host["dns_entropy_mean"] == pytest.approx(bits, abs=0.002) == host["dns_entropy_p90"]


def test_random_letters_are_less_like_words(hour: Hour) -> None:
    chance = random.Random(1)
    words = ["update", "calendar", "weather", "download", "account", "library", "support", "network"]
    noise = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=12)) for _ in range(20)]
    (spoken,) = hour(HostDnsHour, dns=[dns(f"www.{w}.com") for w in words])
    (drawn,) = hour(HostDnsHour, dns=[dns(f"{n}.com") for n in noise])
    assert spoken["dns_bigram_bits_mean"] < 4.5 < 5.5 < drawn["dns_bigram_bits_mean"]
    assert spoken["dns_bigram_bits_p90"] < drawn["dns_bigram_bits_p90"]


def test_names_without_letters_have_no_bigrams(hour: Hour) -> None:
    (host,) = hour(HostDnsHour, dns=[dns("1-2-3.com"), dns("a.b.com")])
    assert host["dns_bigram_bits_mean"] is None and host["dns_entropy_mean"] is not None


@pytest.mark.parametrize(
    "columns", [{"resp_p": 5353}, {"resp_p": 137}, {"orig_h": "203.0.113.1", "resp_h": "10.0.0.2"}]
)
def test_queries_that_are_left_out(hour: Hour, columns: dict[str, Any]) -> None:
    assert hour(HostDnsHour, dns=[dns("www.example.com", **columns)]) == []


def test_names_that_are_none(hour: Hour) -> None:
    (host,) = hour(HostDnsHour, dns=[dns(None), dns("", answers=[]), dns(".", TTLs=[])])
    assert (host["dns_queries"], host["dns_names"], host["dns_entropy_mean"]) == (3, None, None)
