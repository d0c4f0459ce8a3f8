"""Per hour, client and server: a histogram of round-trip times."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class RttHour(DerivedTable):
    """How long answers took, in buckets of an eighth of an octave; see README.md."""

    name = "rtt_hour"
    reads = ("conn", "dns")
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("resp_h", "addr", "server"),
        Column("network", "string", "of the server: /24 of IPv4, /48 of IPv6"),
        Column("kind", "string", "tcp: handshakes, network only; dns: queries, the resolver's work included"),
        Column("bucket", "count", "8 * log2 of the time in µs, rounded down", "1/8 octave"),
        Column("connections", "count", "handshakes or queries in this bucket"),
        Column("total_us", "count", "their times, added up", "µs"),
        Column("near_us", "count", "of these, between sensor and client; null for dns", "µs"),
        Column("first_us", "count", "start of the first row", "µs since the epoch"),
        Column("last_us", "count", "end of the last row", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
    )
