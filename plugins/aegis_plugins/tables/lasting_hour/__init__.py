"""Per hour: how long the connections of a pair lasted, and pieces of connections that a silence cut."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class LastingHour(DerivedTable):
    """What lasted a minute or more, and what may be the part of something longer; see README.md."""

    name = "lasting_hour"
    reads = ("conn",)
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("orig_p", "port", "client's port, of a piece; null: all other connections to the server's port"),
        Column("resp_h", "addr", "server"),
        Column("resp_p", "port", "server's port"),
        Column("proto", "string", "transport protocol"),
        Column("direction", "string", "internal, outbound, inbound or external"),
        Column("orig_internal", "bool", "the client is in a network of ours"),
        Column("resp_internal", "bool", "so is the server"),
        Column("service", "string", "as the sensor tells it; the last by name"),
        Column("community_id", "string", "of a piece that of the connection"),
        Column("connections", "count", "rows of conn of a minute or more, or pieces"),
        Column("longest_us", "count", "the longest of them", "µs"),
        Column("begun_us", "count", "start of the last one with a SYN", "µs since the epoch"),
        Column("first_us", "count", "start of the first", "µs since the epoch"),
        Column("last_us", "count", "end of the last", "µs since the epoch"),
        Column("orig_bytes", "count", "payload of the client", "bytes"),
        Column("resp_bytes", "count", "payload of the server", "bytes"),
        Column("orig_pkts", "count", "packets of the client"),
        Column("resp_pkts", "count", "packets of the server"),
        Column("uid", "string", "the least uid, of those with a SYN where there are any"),
    )
