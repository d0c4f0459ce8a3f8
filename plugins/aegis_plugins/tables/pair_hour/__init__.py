"""Per hour, client, server, port and protocol: how much, how often and when."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class PairHour(DerivedTable):
    """What a pair of hosts did in an hour; see README.md."""

    name = "pair_hour"
    reads = ("conn", "dns")
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("resp_h", "addr", "server"),
        Column("resp_p", "port", "server's port"),
        Column("proto", "string", "transport protocol"),
        Column("resp_internal", "bool", "the server is in a network of ours"),
        Column("direction", "string", "internal, outbound, inbound or external"),
        Column("connections", "count", "rows"),
        Column("dials", "count", "rows that begin a connection: neither a retry nor the rest of one that was cut"),
        Column("answered", "count", "rows in which the server sent a packet"),
        Column("orig_ip_bytes", "count", "sent by the client, headers included", "bytes"),
        Column("resp_ip_bytes", "count", "sent by the server, headers included", "bytes"),
        Column("first_us", "count", "start of the first row", "µs since the epoch"),
        Column("last_us", "count", "end of the last row", "µs since the epoch"),
        Column(
            "starts_ms", "counts", "starts of the dials, ascending; null above 3,600 and for DNS", "ms since the epoch"
        ),
        Column("sizes", "counts", "what the client sent in each dial, ascending; null as `starts_ms`", "bytes"),
        Column("uid", "string", "an example: the least uid of the hour"),
        Column("lookups", "count", "the client's DNS queries of the hour that were answered with the server's address"),
        Column("lookup_name", "string", "the least name that they asked for"),
    )
