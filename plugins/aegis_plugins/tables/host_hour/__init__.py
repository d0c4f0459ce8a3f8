"""Per hour and host inside, and in all: connections, bytes and packets, whichever side began them."""

from __future__ import annotations

from aegis_enrich.plugin import Column, DerivedTable


class HostHour(DerivedTable):
    """How much a host of ours, or the whole link, had to do in an hour; see README.md."""

    name = "host_hour"
    reads = ("conn",)
    columns = (
        Column("host", "addr", "host inside; null: all that the sensor saw"),
        Column("begun", "count", "answered connections that it began"),
        Column("served", "count", "connections that it answered"),
        Column("sent_bytes", "count", "sent by it, headers included; of all: by clients", "bytes"),
        Column("received_bytes", "count", "sent to it, headers included; of all: by servers", "bytes"),
        Column("packets", "count", "both ways"),
        Column("first_us", "count", "start of the first connection", "µs since the epoch"),
        Column("last_us", "count", "end of the last connection", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
    )
