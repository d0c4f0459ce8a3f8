"""Per hour and destination outside: who called it, how much went there, and what is odd about it."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class DestinationHour(DerivedTable):
    """Which places outside the network called in an hour; see README.md."""

    name = "destination_hour"
    reads = ("conn", "ssl", "quic", "http", "dns")
    columns = (
        Column("key", "string", "registered domain of the name that the client told, else the server's address"),
        Column("by_name", "bool", "the key is a domain"),
        Column("resolved", "bool", "so it is, or a resolver gave one of its addresses in the hour"),
        Column("least_client", "addr", "the first of its clients, as text"),
        Column("most_client", "addr", "the last of them: the same where there is one"),
        Column("least_server", "addr", "the first of its servers, as text"),
        Column("servers", "count", "addresses behind it"),
        Column("least_port", "port", "the least port of these"),
        Column("most_port", "port", "the greatest port"),
        Column("least_proto", "string", "transport protocol, the first by name"),
        Column("most_proto", "string", "transport protocol, the last by name"),
        Column("connections", "count", "answered connections that ended in the hour"),
        Column("sent_bytes", "count", "payload that clients sent", "bytes"),
        Column("received_bytes", "count", "payload that servers sent", "bytes"),
        Column("longest_us", "count", "the longest connection", "µs"),
        Column("self_signed", "bool", "a certificate was its own issuer"),
        Column("first_us", "count", "start of the first connection", "µs since the epoch"),
        Column("last_us", "count", "end of the last connection", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
    )
