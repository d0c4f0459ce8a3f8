"""Per hour and client: fingerprints, certificates and strength of its TLS handshakes."""

from __future__ import annotations

from functools import partial

from aegis_enrich.plugin import Column, DerivedTable, Feature

TLS = partial(Feature, family="tls")

CERTIFICATE = ("ssl.cert_chain_fps|ssl.cert_serial",)
BEFORE = ("ssl.not_valid_before|x509.certificate_not_valid_before",)
VALID = (*BEFORE, "ssl.not_valid_after|x509.certificate_not_valid_after")
ZEEK = "Zeek, SSL::Info (ssl.log)"
ANDERSON = "Anderson, McGrew 2016, Identifying encrypted malware traffic with contextual flow data"
JA3 = "Althouse et al. 2017, JA3 (github.com/salesforce/ja3); " + ANDERSON
JA4 = "Althouse 2023, JA4 (github.com/FoxIO-LLC/ja4)"
RFC5280 = "RFC 5280, Internet X.509 public key infrastructure"
BCP195 = "RFC 9325, Recommendations for secure use of TLS and DTLS"
RARE = "1 - clients that have it / clients that have any"


def _count(name: str, doc: str, unit: str, formula: str, source: str, needs: tuple[str, ...] = ()) -> Feature:
    return TLS(name, "count", doc, unit, formula=formula, source=source, least=0, needs=needs)


def _share(name: str, doc: str, formula: str, source: str, needs: tuple[str, ...] = (), unit: str = "share") -> Feature:
    return TLS(name, "double", doc, unit, formula=formula, source=source, least=0, most=1, needs=needs)


def _number(name: str, doc: str, unit: str, formula: str, source: str, needs: tuple[str, ...]) -> Feature:
    return TLS(name, "double", doc, unit, formula=formula, source=source, least=0, needs=needs)


class HostTlsHour(DerivedTable):
    """A client's TLS handshakes in an hour, beside those of the other clients; see README.md."""

    name = "host_tls_hour"
    reads = ("ssl", "x509")
    level = "host"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("first_us", "count", "the first handshake", "µs since the epoch"),
        Column("last_us", "count", "the last handshake", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
        _count("tls_sessions", "handshakes", "handshakes", "rows of ssl", ZEEK),
        _count("tls_servers", "servers", "hosts", "distinct resp_h", ZEEK, ("ssl.resp_h",)),
        _count(
            "tls_names", "names that it asked for", "names", "distinct server_name", "RFC 6066 §3", ("ssl.server_name",)
        ),
        _share("tls_nameless_share", "handshakes without a name", "server_name null / handshakes", ANDERSON),
        _share("tls_name_rarity", "mean rarity of names", f"{RARE}; mean", ANDERSON, ("ssl.server_name",), "1"),
        _count("tls_ja3_count", "JA3 that it has", "fingerprints", "distinct ja3", JA3, ("ssl.ja3",)),
        _share("tls_ja3_rarity", "mean rarity of its JA3", f"{RARE}; mean over handshakes", JA3, ("ssl.ja3",), "1"),
        _share("tls_ja3_rarity_max", "its rarest JA3", f"{RARE}; max", JA3, ("ssl.ja3",), "1"),
        _share(
            "tls_ja3s_rarity", "mean rarity of servers' JA3S", f"{RARE}; mean over handshakes", JA3, ("ssl.ja3s",), "1"
        ),
        _count("tls_ja4_count", "JA4 that it has", "fingerprints", "distinct ja4", JA4, ("ssl.ja4",)),
        _share("tls_ja4_rarity", "mean rarity of its JA4", f"{RARE}; mean over handshakes", JA4, ("ssl.ja4",), "1"),
        _share("tls_ja4_rarity_max", "its rarest JA4", f"{RARE}; max", JA4, ("ssl.ja4",), "1"),
        _count(
            "tls_certificates", "certificates that it was shown", "certificates", "distinct leaf", ANDERSON, CERTIFICATE
        ),
        _number(
            "tls_certificate_diversity",
            "certificates per server that showed any",
            "1",
            "distinct leaf certificates / distinct resp_h",
            ANDERSON,
            CERTIFICATE,
        ),
        _count(
            "tls_issuers",
            "issuers of these",
            "issuers",
            "distinct issuer",
            ANDERSON,
            ("ssl.issuer|x509.certificate_issuer",),
        ),
        _share(
            "tls_self_signed_share",
            "certificates that sign themselves",
            "self-signed, or subject = issuer / known",
            ANDERSON,
            ("ssl.self_signed|x509.certificate_subject",),
        ),
        _share(
            "tls_name_mismatch_share",
            "certificates for another name than asked for",
            "sni_matches_cert false / known",
            "RFC 9525, Service identity in TLS",
            ("ssl.sni_matches_cert",),
        ),
        _share(
            "tls_invalid_share",
            "chains that do not lead to a trusted root",
            "validation_status other than ok / known",
            "Zeek, policy/protocols/ssl/validate-certs",
            ("ssl.validation_status",),
        ),
        _share("tls_out_of_time_share", "expired, or not yet valid", "ts not in validity / known", RFC5280, VALID),
        _number("tls_validity_mean", "mean validity of certificates", "days", "Σ (end - begin) / n", ANDERSON, VALID),
        _count("tls_validity_min", "the shortest validity", "days", "min (end - begin)", ANDERSON, VALID),
        _count("tls_validity_max", "the longest validity", "days", "max (end - begin)", ANDERSON, VALID),
        _number("tls_certificate_age_mean", "mean age of certificates", "days", "Σ (ts - begin) / n", ANDERSON, BEFORE),
        _share(
            "tls_weak_key_share",
            "certificates with a weak key",
            "RSA or DSA < 2048, elliptic curve < 224 bits / known",
            "NIST SP 800-131A rev. 2",
            ("ssl.cert_key_type|x509.certificate_key_type", "ssl.cert_key_length|x509.certificate_key_length"),
        ),
        _share("tls_resumed_share", "sessions that were resumed", "resumed / known", "RFC 8446 §2.2", ("ssl.resumed",)),
        _share("tls_failed_share", "handshakes that failed", "not established / known", ZEEK, ("ssl.established",)),
        _share(
            "tls_old_version_share",
            "versions before TLS 1.2",
            "SSLv2, SSLv3, TLSv10 or TLSv11 / known",
            "RFC 8996, Deprecating TLS 1.0 and TLS 1.1",
            ("ssl.version",),
        ),
        _share(
            "tls_weak_cipher_share",
            "broken ciphers",
            "RC4, RC2, DES, 3DES, IDEA, NULL, EXPORT, anonymous or MD5 / known by name",
            BCP195,
            ("ssl.cipher",),
        ),
        _share(
            "tls_no_forward_secrecy_share",
            "key exchange without forward secrecy",
            "not TLS 1.3 and neither DHE nor ECDHE / known by name",
            BCP195,
            ("ssl.cipher",),
        ),
        _share(
            "tls_odd_port_share",
            "servers at ports that are not TLS's",
            "resp_p not of 443, 465, 563, 636, 853, 989-995, 5061, 8443 / known",
            "IANA, Service name and transport protocol port number registry",
            ("ssl.resp_p",),
        ),
    )
