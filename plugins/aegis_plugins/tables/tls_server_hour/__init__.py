"""Per hour, client inside, server outside and name: what TLS and QUIC handshakes showed, beside those of all."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable

US = "µs since the epoch"


class TlsServerHour(DerivedTable):
    """The TLS and QUIC handshakes of a client with a server outside, in an hour; see README.md."""

    name = "tls_server_hour"
    reads = ("ssl", "x509", "quic")
    columns = (
        Column("orig_h", "addr", "client inside"),
        Column("resp_h", "addr", "server outside"),
        Column("resp_p", "port", "its port"),
        Column("proto", "string", "tcp: TLS; udp: QUIC"),
        Column("name", "string", "the name asked for (SNI), lower case; null where there was none"),
        Column("domain", "string", "its registered domain; the name itself where there is none"),
        Column("sessions", "count", "handshakes"),
        Column("established", "count", "of these, completed ones; 0 where the sensor does not tell"),
        Column("hidden", "count", "of these, with TLS 1.3, which shows no certificate"),
        Column("odd_versions", "count", "of these, with another version of QUIC than 1 and 2; 0 of TLS"),
        Column("resumed", "count", "of these, resumed ones, which show no certificate either"),
        Column("certificates", "count", "different certificates"),
        Column("certificate", "string", "the least of their fingerprints, or of their serial numbers"),
        Column("subject", "string", "of the certificate; null where neither ssl nor x509 of the hour tells"),
        Column("issuer", "string", "of the certificate; null likewise"),
        Column("self_signed", "count", "handshakes in which subject and issuer were the same"),
        Column("matched", "count", "handshakes in which the certificate was for the name"),
        Column("mismatched", "count", "handshakes in which it was not"),
        Column("trusted", "count", "handshakes in which the sensor found the certificate valid"),
        Column("untrusted", "count", "handshakes in which it did not"),
        Column("before_s", "count", "from when on the certificate is valid", "s since 1970"),
        Column("after_s", "count", "until when it is", "s since 1970"),
        Column("fingerprint", "string", "JA4 of the client, else JA3; null unless all handshakes have it"),
        Column("fingerprint_sessions", "count", "handshakes of all clients with this fingerprint"),
        Column("fingerprint_clients", "count", "clients with this fingerprint"),
        Column("fingerprinted", "count", "handshakes of all clients by this protocol that have a fingerprint"),
        Column("ja3s", "string", "JA3S of the server; null unless all handshakes have it"),
        Column("ja3s_sessions", "count", "handshakes of all clients with this JA3S"),
        Column("ja3s_known", "count", "handshakes of all clients by this protocol that have one"),
        Column(
            "place_clients", "count", "clients that called this domain; this server and port where there is no name"
        ),
        Column("clients", "count", "clients with a handshake with anything outside"),
        Column("client_places", "count", "domains and nameless servers that this client called"),
        Column("all_sessions", "count", "handshakes of all clients by this protocol"),
        Column("all_named", "count", "of these, with a name"),
        Column("first_us", "count", "the first handshake", US),
        Column("last_us", "count", "the last", US),
        Column("uid", "string", "an example: the least uid of the hour"),
    )
