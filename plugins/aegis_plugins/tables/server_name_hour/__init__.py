"""Per hour, client, server name and server: the requests and handshakes under that name."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class ServerNameHour(DerivedTable):
    """What a client asked of a name (HTTP Host, TLS and QUIC SNI) in an hour; see README.md."""

    name = "server_name_hour"
    reads = ("conn", "http", "ssl", "quic", "dns")
    needs = ("http", "ssl", "quic")
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("name", "string", "Host or SNI in lower case, without port; the server's address where HTTP named none"),
        Column("resp_h", "addr", "server, or the proxy"),
        Column("resp_p", "port", "its port"),
        Column("proto", "string", "transport protocol"),
        Column("resp_internal", "bool", "the server (or proxy) is in a network of ours"),
        Column("direction", "string", "internal, outbound, inbound or external"),
        Column("proxied", "bool", "asked through a proxy (CONNECT, or a whole URI in the request)"),
        Column("tls", "bool", "the name was in a TLS or QUIC handshake"),
        Column("connections", "count", "connections that showed this name first"),
        Column("requests", "count", "HTTP requests and handshakes"),
        Column("acts", "count", "of these, first of their connection or more than 5 s after the one before"),
        Column("first_us", "count", "the first request", "µs since the epoch"),
        Column("last_us", "count", "the last request", "µs since the epoch"),
        Column("starts_ms", "counts", "times of the acts, ascending; null above 3,600", "ms since the epoch"),
        Column(
            "sizes", "counts", "HTTP: URI and body; TLS, QUIC: all that the client sent; null as `starts_ms`", "bytes"
        ),
        Column(
            "ip_sizes",
            "counts",
            "all that the client sent in each of `connections`, ascending; null as `starts_ms`",
            "bytes",
        ),
        Column("uid", "string", "an example: the least uid of the hour"),
        Column("lookups", "count", "the client's DNS queries for the name in the hour, of the most frequent type"),
    )
