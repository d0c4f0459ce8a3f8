"""Per hour, client of ours and server outside: how much payload went out, how much came back, and in which pieces."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class EgressHour(DerivedTable):
    """Payload that left our networks: by pair from 64 KiB in the hour on, and by client; see README.md."""

    name = "egress_hour"
    reads = ("conn",)
    columns = (
        Column("orig_h", "addr", "client inside"),
        Column("resp_h", "addr", "server outside; null in the row of all that the client sent, to whomever"),
        Column("least_port", "port", "the least port of the server"),
        Column("most_port", "port", "the greatest port of the server"),
        Column("least_proto", "string", "transport protocol, the first by name"),
        Column("most_proto", "string", "transport protocol, the last by name"),
        Column("connections", "count", "answered connections that ended in the hour"),
        Column("sent_bytes", "count", "payload that the client sent", "bytes"),
        Column("received_bytes", "count", "payload that the server sent", "bytes"),
        Column("upload_sizes", "counts", "payload of the uploads, ascending; the 1,000 largest", "bytes"),
        Column("server_clients", "count", "clients inside with an answered connection to the server"),
        Column("clients", "count", "clients inside with an answered connection to any outside"),
        Column("first_us", "count", "start of the first connection", "µs since the epoch"),
        Column("last_us", "count", "end of the last connection", "µs since the epoch"),
        Column("uids", "strings", "up to five that sent the most, no less than the mean or 8 KiB"),
    )
