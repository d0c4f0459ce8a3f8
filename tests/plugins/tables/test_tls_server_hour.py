"""Handshakes in, a row per client, server and name: certificates and how many share what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aegis_enrich.plugin import DAY_US, HOUR_US, MICROS
from aegis_plugins.tables.tls_server_hour import TlsServerHour

Hour = Callable[..., list[dict[str, Any]]]
NOW = 475_000 * HOUR_US


def ssl(client: int, **columns: Any) -> dict[str, Any]:
    row = {"orig_h": f"10.0.0.{client}", "resp_h": "198.51.100.7", "resp_p": 443, "version": "TLSv12"}
    row |= {"server_name": "www.example.com", "established": True, "resumed": False, "ja3": "aa", "ja3s": "bb"}
    return row | columns


def test_what_a_row_tells(hour: Hour) -> None:
    dates = {"not_valid_before": NOW - DAY_US, "not_valid_after": NOW + DAY_US}
    named = {"subject": "CN=a", "issuer": "CN=a", "self_signed": True, "sni_matches_cert": False} | dates
    row, *others = hour(
        TlsServerHour,
        ssl=[ssl(1, cert_chain_fps=["f1"], validation_status="self signed", **named), ssl(1, resumed=True), ssl(2)],
    )
    assert len(others) == 1
    assert (row["name"], row["domain"], row["sessions"], row["resumed"]) == ("www.example.com", "example.com", 2, 1)
    assert (row["certificate"], row["subject"], row["self_signed"], row["mismatched"]) == ("f1", "CN=a", 1, 1)
    assert (row["trusted"], row["untrusted"], row["established"], row["hidden"]) == (0, 1, 2, 0)
    assert (row["before_s"], row["after_s"]) == ((NOW - DAY_US) // MICROS, (NOW + DAY_US) // MICROS)
    assert (row["fingerprint"], row["fingerprint_sessions"], row["fingerprint_clients"]) == ("aa", 3, 2)
    assert (row["place_clients"], row["clients"], row["client_places"], row["fingerprinted"]) == (2, 2, 1, 3)
    assert (row["ja3s"], row["ja3s_sessions"], row["ja3s_known"]) == ("bb", 3, 3)


@pytest.mark.parametrize(
    ("session", "key"),
    [
        ({"cert_chain_fps": ["f1", "root"]}, {"fingerprint": "f1"}),
        ({"cert_chain_fuids": ["F1"]}, {"fuid": "F1"}),
        ({"cert_chain_fuids": ["F1"]}, {"fuid": "F1", "fingerprint": "f1"}),
    ],
)
def test_x509_fills_in(hour: Hour, session: dict[str, Any], key: dict[str, Any]) -> None:
    shown = {"certificate_subject": "CN=b", "certificate_issuer": "CN=b", "certificate_serial": "01"} | key
    shown |= {"certificate_not_valid_before": NOW - DAY_US, "certificate_not_valid_after": NOW + DAY_US}
    shown |= {"san_dns": ["mail.example.com"]}
    (row,) = hour(TlsServerHour, ssl=[ssl(1, **session)], x509=[shown, shown])
    assert (row["subject"], row["self_signed"], row["after_s"]) == ("CN=b", 1, (NOW + DAY_US) // MICROS)
    assert row["certificate"] == ("f1" if "cert_chain_fps" in session else "01")
    assert (row["matched"], row["mismatched"], row["sessions"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("name", "names", "matched"),
    [
        ("www.example.com", ["*.example.com"], (1, 0)),
        ("a.www.example.com", ["*.example.com"], (0, 1)),
        ("example.com", ["example.com"], (1, 0)),
        ("example.com", None, (0, 0)),
        (None, ["example.com"], (0, 0)),
    ],
)
def test_names_of_the_certificate(hour: Hour, name: str | None, names: list[str] | None, matched: tuple) -> None:
    (row,) = hour(TlsServerHour, ssl=[ssl(1, server_name=name, cert_names=names)])
    assert (row["matched"], row["mismatched"]) == matched


def test_tls13_hides_the_certificate(hour: Hour) -> None:
    (row,) = hour(TlsServerHour, ssl=[ssl(1, version="TLSv13"), ssl(1, cert_chain_fps=["f1"])])
    assert (row["hidden"], row["sessions"], row["certificate"]) == (1, 2, "f1")


def test_ja4_leads_and_a_mixture_is_none(hour: Hour) -> None:
    (row,) = hour(TlsServerHour, ssl=[ssl(1, ja4="t13"), ssl(1, ja4="t13", ja3="zz")])
    assert row["fingerprint"] == "t13"
    for other in ({"ja3": "zz"}, {"ja3": None}):
        (row,) = hour(TlsServerHour, ssl=[ssl(1), ssl(1, **other)])
        assert (row["fingerprint"], row["fingerprint_sessions"], row["fingerprint_clients"]) == (None, None, None)


def test_places_without_a_name_are_server_and_port(hour: Hour) -> None:
    rows = hour(
        TlsServerHour, ssl=[ssl(n, server_name=None, resp_p=p) for n, p in ((1, 443), (1, 8443), (2, 443), (2, 443))]
    )
    assert sorted((r["orig_h"], r["resp_p"], r["place_clients"], r["client_places"]) for r in rows) == [
        ("10.0.0.1", 443, 2, 2),
        ("10.0.0.1", 8443, 1, 2),
        ("10.0.0.2", 443, 2, 1),
    ]


@pytest.mark.parametrize("other", [{"version": "DTLSv12"}, {"resp_h": "10.0.0.7"}, {"orig_h": "198.51.100.9"}])
def test_what_is_left_out(hour: Hour, other: dict[str, Any]) -> None:
    assert hour(TlsServerHour, ssl=[ssl(1, **other)]) == []


def quic(client: int, **columns: Any) -> dict[str, Any]:
    row = {"orig_h": f"10.0.0.{client}", "resp_h": "198.51.100.7", "resp_p": 443, "version": "1", "ja4": "q13"}
    return row | {"server_name": "www.example.com"} | columns


def test_quic_stands_beside_tls(hour: Hour) -> None:
    turned = {"uid": "C9", "server_name": None, "ja4": None, "ja3s": "s1"}  # Suricata's event of the server's hello
    given = [quic(1, uid="C9"), quic(1, **turned), quic(2, server_name=None, version="draft-29")]
    tls, own, other = sorted(hour(TlsServerHour, ssl=[ssl(1)], quic=given), key=lambda r: (r["proto"], r["orig_h"]))
    assert (tls["proto"], tls["fingerprinted"], tls["place_clients"], tls["clients"]) == ("tcp", 1, 1, 2)
    assert (own["proto"], own["name"], own["sessions"], own["ja3s"]) == ("udp", "www.example.com", 1, "s1")
    assert (own["odd_versions"], own["fingerprint_clients"], own["all_sessions"], own["all_named"]) == (0, 2, 2, 1)
    assert (other["name"], other["odd_versions"], other["place_clients"]) == (None, 1, 1)
