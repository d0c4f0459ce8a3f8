"""Per connection: its size, its pace and its first packets."""

from __future__ import annotations

from aegis_enrich.features import distribution
from aegis_enrich.plugin import Column, DerivedTable, Feature

BYTES = ("conn.orig_ip_bytes", "conn.resp_ip_bytes")
PACKETS = ("conn.orig_pkts", "conn.resp_pkts")
SIZES, GAPS = ("aegis_packets.sizes",), ("aegis_packets.gaps",)
ZEEK = "Zeek, Conn::Info (conn.log)"
MOORE = "Moore, Zuev, Crogan 2005, Discriminators for use in flow-based classification"
SHANNON = "Shannon 1948, A mathematical theory of communication"
GOH = "Goh, Barabási 2008, Burstiness and memory in complex systems, EPL 81 48002"


def _number(
    name: str,
    doc: str,
    unit: str,
    formula: str,
    needs: tuple[str, ...],
    *,
    family: str = "statistical",
    source: str = MOORE,
    kind: str = "double",
    least: float = 0,
    most: float | None = None,
) -> Feature:
    return Feature(
        name, kind, doc, unit, family=family, formula=formula, source=source, least=least, most=most, needs=needs
    )


class FlowFeaturesHour(DerivedTable):
    """Features of each connection that ended in an hour; see README.md."""

    name = "flow_features_hour"
    reads = ("conn", "aegis_packets")
    level = "flow"
    shard_key = "orig_h"
    columns = (
        Column("uid", "string", "the connection"),
        Column("orig_h", "addr", "client"),
        Column("resp_h", "addr", "server"),
        Column("resp_p", "port", "server's port"),
        Column("proto", "string", "transport protocol"),
        Column("first_us", "count", "its start", "µs since the epoch"),
        Column("last_us", "count", "its end", "µs since the epoch"),
        _number(
            "flow_bytes", "both ways, headers included", "bytes", "orig_ip_bytes + resp_ip_bytes", BYTES, kind="count"
        ),
        _number("flow_packets", "packets, both ways", "packets", "orig_pkts + resp_pkts", PACKETS, kind="count"),
        _number("flow_upload_share", "how much the client sent", "share", "sent / (sent + received)", BYTES, most=1),
        _number(
            "flow_sent_packet_bytes",
            "mean size of the client's packets",
            "bytes",
            "orig_ip_bytes / orig_pkts",
            (BYTES[0], PACKETS[0]),
        ),
        _number(
            "flow_received_packet_bytes",
            "mean size of the server's packets",
            "bytes",
            "resp_ip_bytes / resp_pkts",
            (BYTES[1], PACKETS[1]),
        ),
        _number(
            "flow_sent_entropy",
            "entropy of the client's first bytes",
            "bits per byte",
            "-Σ p log2 p, p = share of a byte's value",
            ("conn.orig_entropy",),
            source=SHANNON,
            most=8,
        ),
        _number(
            "flow_received_entropy",
            "entropy of the server's first bytes",
            "bits per byte",
            "-Σ p log2 p, p = share of a byte's value",
            ("conn.resp_entropy",),
            source=SHANNON,
            most=8,
        ),
        _number(
            "flow_duration",
            "from first to last packet; null for one packet",
            "seconds",
            "duration",
            ("conn.duration",),
            family="timing",
            source=ZEEK,
        ),
        _number(
            "flow_rate",
            "bytes per second",
            "bytes per second",
            "(orig_ip_bytes + resp_ip_bytes) / duration",
            (*BYTES, "conn.duration"),
            family="timing",
        ),
        *distribution(
            "flow_packet_size",
            "IP length of the first packets",
            "bytes",
            "mean std min p25 median p75 max cv",
            family="statistical",
            needs=SIZES,
        ),
        _number(
            "flow_packet_upload_share",
            "how much of these the client sent",
            "share",
            "Σ size, size > 0 / Σ |size|",
            SIZES,
            most=1,
        ),
        *distribution(
            "flow_packet_gap",
            "gap between the first packets",
            "seconds",
            "mean std min median p90 max cv",
            family="timing",
            needs=GAPS,
        ),
        _number(
            "flow_packet_burstiness",
            "-1 regular, 0 as by chance (Poisson), 1 bursty",
            "1",
            "(σ - μ) / (σ + μ) of these gaps",
            GAPS,
            family="timing",
            source=GOH,
            least=-1,
            most=1,
        ),
    )
