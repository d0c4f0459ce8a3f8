"""Handshakes in, a client's fingerprints and certificates out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aegis_enrich.plugin import DAY_US, HOUR_US
from aegis_plugins.tables.host_tls_hour import HostTlsHour

Hour = Callable[..., list[dict[str, Any]]]
NOW = 475_000 * HOUR_US


def ssl(client: int, **columns: Any) -> dict[str, Any]:
    row = {"orig_h": f"10.0.0.{client}", "resp_p": 443, "version": "TLSv12", "server_name": "www.example.com"}
    row |= {"cipher": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ja3": "aa", "ja3s": "bb", "ja4": "cc"}
    row |= {"resumed": False, "established": True, "sni_matches_cert": True, "cert_chain_fps": ["f1", "root"]}
    row |= {"self_signed": False, "issuer": "CN=R", "cert_key_type": "rsa", "cert_key_length": 2048}
    return row | {"not_valid_before": NOW - 10 * DAY_US, "not_valid_after": NOW + 80 * DAY_US} | columns


def test_a_client_like_all_others(hour: Hour) -> None:
    first, *_ = hour(HostTlsHour, ssl=[ssl(n) for n in range(4)])
    zero = (
        "name_rarity",
        "ja3_rarity",
        "ja3_rarity_max",
        "ja3s_rarity",
        "ja4_rarity",
        "ja4_rarity_max",
        "nameless_share",
    )
    zero += ("self_signed_share", "name_mismatch_share", "out_of_time_share", "weak_key_share", "resumed_share")
    zero += ("failed_share", "old_version_share", "weak_cipher_share", "no_forward_secrecy_share", "odd_port_share")
    assert [n for n in zero if first[f"tls_{n}"] != 0] == []
    assert (first["tls_validity_mean"], first["tls_validity_max"], first["tls_certificate_age_mean"]) == (90, 90, 10)
    assert (first["tls_certificates"], first["tls_certificate_diversity"], first["tls_issuers"]) == (1, 1, 1)
    assert first["tls_invalid_share"] is None


def test_a_client_unlike_the_others(hour: Hour) -> None:
    odd = ssl(
        9, ja3="zz", ja4="yy", server_name=None, resp_h="203.0.113.5", resp_p=4444, version="TLSv10", self_signed=True,
        cipher="TLS_RSA_WITH_RC4_128_MD5", sni_matches_cert=False, established=False, resumed=True,
        cert_key_length=1024, cert_chain_fps=["f9"], not_valid_after=NOW - DAY_US, validation_status="self signed",
    )  # fmt: skip
    found = hour(HostTlsHour, ssl=[*(ssl(n) for n in range(3)), ssl(9), odd])
    host = {name.removeprefix("tls_"): value for name, value in found[-1].items()}
    half = ("nameless_share", "self_signed_share", "name_mismatch_share", "out_of_time_share", "weak_key_share")
    half += ("resumed_share", "failed_share", "old_version_share", "weak_cipher_share", "no_forward_secrecy_share")
    assert [n for n in (*half, "odd_port_share") if host[n] != 0.5] == []
    assert (host["ja3_rarity"], host["ja3_rarity_max"], host["ja3_count"]) == (0.375, 0.75, 2)
    assert (host["ja4_rarity_max"], host["name_rarity"], host["invalid_share"]) == (0.75, 0, 1)
    assert (host["certificates"], host["servers"], host["validity_min"]) == (2, 2, 9)


@pytest.mark.parametrize(
    ("cipher", "version", "weak", "static"),
    [
        ("TLS_AES_256_GCM_SHA384", "TLSv13", 0, 0),
        ("TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", "TLSv12", 1, 0),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", "TLSv12", 0, 1),
        ("TLS_DH_anon_WITH_AES_128_CBC_SHA", "TLSv12", 1, 0),
        ("TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", "TLSv10", 1, 1),
        ("4865", "TLSv13", None, None),
        (None, "TLSv12", None, None),
    ],
)
def test_ciphers(hour: Hour, cipher: str | None, version: str, weak: int | None, static: int | None) -> None:
    (host,) = hour(HostTlsHour, ssl=[ssl(1, cipher=cipher, version=version)])
    assert (host["tls_weak_cipher_share"], host["tls_no_forward_secrecy_share"]) == (weak, static)


def test_certificates_of_x509_fill_in(hour: Hour) -> None:
    bare = {"self_signed": None, "issuer": None, "cert_key_type": None, "cert_key_length": None}
    row = ssl(1) | bare | {"not_valid_before": None, "not_valid_after": None}
    shown = {
        "fingerprint": "f1",
        "certificate_subject": "CN=X",
        "certificate_issuer": "CN=X",
        "certificate_key_type": "ecdsa",
    }
    shown |= {"certificate_key_length": 192, "certificate_not_valid_before": NOW - DAY_US}
    shown |= {"certificate_not_valid_after": NOW + DAY_US}
    (host,) = hour(HostTlsHour, ssl=[row], x509=[shown, shown])
    assert (host["tls_sessions"], host["tls_self_signed_share"], host["tls_weak_key_share"]) == (1, 1, 1)
    assert (host["tls_validity_mean"], host["tls_issuers"]) == (2, 1)
