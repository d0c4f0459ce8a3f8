"""Registered domains, among them the Public Suffix List's own test cases that matter here."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from aegis_enrich.enrich import Enrichment
from aegis_plugins.enrichers.domain import Domain

Rows = Callable[..., pa.Table]

CASES = [
    ("www.example.com", "example.com", "com"),
    ("WWW.Example.COM.", "example.com", "com"),
    ("example.com", "example.com", "com"),
    ("a.b.example.co.uk", "example.co.uk", "co.uk"),
    ("co.uk", None, "co.uk"),
    ("www.city.kobe.jp", "city.kobe.jp", "kobe.jp"),
    ("a.b.c.kobe.jp", "b.c.kobe.jp", "c.kobe.jp"),
    ("www.ck", "www.ck", "ck"),
    ("x.a.github.io", "a.github.io", "github.io"),
    ("c2.evil.duckdns.org", "evil.duckdns.org", "duckdns.org"),
    ("d1.cloudfront.net", "d1.cloudfront.net", "cloudfront.net"),
    ("xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn", "xn--55qx5d.cn"),
    ("_ldap._tcp.dc._msdcs.corp.example.com", "example.com", "com"),
    ("0aA\\xbe\\xe2.t.tunnel.test", "tunnel.test", "test"),
    ("wpad.lan", "wpad.lan", "lan"),
    ("1.0.20.10.in-addr.arpa", None, "in-addr.arpa"),
    ("b.a.9.8.ip6.arpa", None, "ip6.arpa"),
    ("localhost", None, None),
    ("com", None, None),
    ("203.0.113.1", None, None),
    ("2001:db8::1", None, None),
    ("a..example.com", None, None),
    (".", None, None),
    ("", None, None),
    (None, None, None),
]


@pytest.mark.parametrize(("name", "domain", "suffix"), CASES)
def test_dns_names(rows: Rows, name: str | None, domain: str | None, suffix: str | None) -> None:
    enriched = Domain({}).enrich("dns", rows("dns", query=[name]))
    assert enriched["query_domain"].to_pylist() == [domain]
    assert enriched["query_suffix"].to_pylist() == [suffix]


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.com:8000", "example.com"),
        ("WWW.EXAMPLE.COM", "example.com"),
        ("203.0.113.1:8080", None),
        ("[2001:db8::1]:8080", None),
        ("[2001:db8::1]", None),
        ("localhost:80", None),
        ("example.com:", "example.com"),
    ],
)
def test_hosts_of_http_lose_their_port(rows: Rows, host: str, domain: str | None) -> None:
    assert Domain({}).enrich("http", rows("http", host=[host]))["host_domain"].to_pylist() == [domain]


def test_the_tables_that_have_names(rows: Rows) -> None:
    enrichment = Enrichment([Domain({})])
    for table in ("ssl", "open_ssl", "quic"):
        enriched = enrichment.apply(table, rows(table, server_name=["a.example.org", None]))
        assert enriched["server_domain"].to_pylist() == ["example.org", None]
        assert enriched.schema == enrichment.schema(table)
    assert not enrichment.failures
    assert "query_domain" not in enrichment.schema("conn").names


def test_describe_gives_ecs_fields() -> None:
    domain = Domain({})
    assert domain.describe("domain", "a.b.Example.co.uk") == {
        "registered_domain": "example.co.uk",
        "top_level_domain": "co.uk",
        "subdomain": "a.b",
    }
    assert domain.describe("domain", "example.com") == {"registered_domain": "example.com", "top_level_domain": "com"}
    assert domain.describe("domain", "co.uk") == domain.describe("address", "example.com") == {}
