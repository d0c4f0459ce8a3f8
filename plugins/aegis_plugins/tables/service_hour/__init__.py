"""Per hour and client: how many connections of which protocol, and those where it is not where it belongs."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class ServiceHour(DerivedTable):
    """The protocols that hosts spoke in an hour, in connections that stood; see README.md."""

    name = "service_hour"
    reads = ("conn", "tunnel")
    columns = (
        Column("orig_h", "addr", "client; null: all outside that call a server inside"),
        Column("label", "string", "protocol by what was said, else tcp/25, other udp, or the transport"),
        Column("kind", "string", "usual; odd: on a port not its own; unknown: on a port known for another; tunnel"),
        Column("proto", "string", "transport protocol; null for rows of tunnel.log"),
        Column("resp_p", "port", "server's port, where the kind is not usual, or it is one of seven"),
        Column("resp_h", "addr", "server, where the kind is not usual"),
        Column("direction", "string", "internal, outbound, inbound or external, where the kind is not usual"),
        Column("connections", "count", "with payload both ways"),
        Column("sent_bytes", "count", "sent by clients, headers included", "bytes"),
        Column("received_bytes", "count", "sent by servers, headers included", "bytes"),
        Column("first_us", "count", "start of the first", "µs since the epoch"),
        Column("last_us", "count", "end of the last", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
    )
