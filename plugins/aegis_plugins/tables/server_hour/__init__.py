"""Per hour and server, by address and by name: how many clients called it, and how many there are."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class ServerHour(DerivedTable):
    """How many clients of the sensor called a server in an hour; see README.md."""

    name = "server_hour"
    reads = ("conn", "http", "ssl", "quic")
    columns = (
        Column("server", "string", "address of a server, or its name (Host, SNI) in lower case, without port"),
        Column("clients", "count", "different clients that called it"),
        Column("all_clients", "count", "different clients that called anything outside; the same in all rows"),
        Column("connections", "count", "rows of conn; of a name, requests and handshakes"),
        Column("first_us", "count", "the first call", "µs since the epoch"),
        Column("last_us", "count", "the last call", "µs since the epoch"),
    )
