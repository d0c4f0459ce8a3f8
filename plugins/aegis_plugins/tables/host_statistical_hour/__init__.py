"""Per hour and client: how many connections, how large, to whom."""

from __future__ import annotations

from functools import partial

from aegis_enrich.features import distribution
from aegis_enrich.plugin import Column, DerivedTable, Feature

STATISTICAL = partial(Feature, family="statistical")
DISTRIBUTION = partial(distribution, family="statistical")

BYTES = ("conn.orig_ip_bytes", "conn.resp_ip_bytes")
PACKETS = ("conn.orig_pkts", "conn.resp_pkts")
SIZES = ("aegis_packets.sizes",)
ZEEK = "Zeek, Conn::Info (conn.log)"
LAKHINA = "Lakhina, Crovella, Diot 2005, Mining anomalies using traffic feature distributions"
MOORE = "Moore, Zuev, Crogan 2005, Discriminators for use in flow-based classification"
SHANNON = "Shannon 1948, A mathematical theory of communication; " + LAKHINA


def _counted(name: str, doc: str, unit: str, formula: str, needs: tuple[str, ...] = (), source: str = ZEEK) -> Feature:
    return STATISTICAL(name, "count", doc, unit, formula=formula, source=source, least=0, needs=needs)


def _share(name: str, doc: str, formula: str, needs: tuple[str, ...], source: str = ZEEK) -> Feature:
    return STATISTICAL(name, "double", doc, "share", formula=formula, source=source, least=0, most=1, needs=needs)


def _mean(name: str, doc: str, formula: str, needs: tuple[str, ...]) -> Feature:
    return STATISTICAL(name, "double", doc, "bytes", formula=formula, source=MOORE, least=0, needs=needs)


def _entropy(name: str, doc: str, unit: str, formula: str, most: float | None, needs: tuple[str, ...]) -> Feature:
    return STATISTICAL(name, "double", doc, unit, formula=formula, source=SHANNON, least=0, most=most, needs=needs)


class HostStatisticalHour(DerivedTable):
    """Numbers and sizes of a client's connections in an hour; see README.md."""

    name = "host_statistical_hour"
    reads = ("conn", "aegis_packets")
    level = "host"
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("first_us", "count", "start of the first connection", "µs since the epoch"),
        Column("last_us", "count", "end of the last connection", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
        _counted("connections", "connections that it began", "connections", "rows of conn"),
        _counted("peers", "servers that it called", "hosts", "distinct resp_h", ("conn.resp_h",), LAKHINA),
        _counted("ports", "ports that it called", "ports", "distinct (proto, resp_p), TCP and UDP", ("conn.resp_p",)),
        _entropy(
            "peer_entropy", "spread over servers", "bits", "-Σ p log2 p, p = share of a resp_h", None, ("conn.resp_h",)
        ),
        _entropy(
            "port_entropy",
            "spread over ports",
            "bits",
            "-Σ p log2 p, p = share of a (proto, resp_p), TCP and UDP",
            None,
            ("conn.resp_p", "conn.proto"),
        ),
        _counted("sent_bytes", "sent, headers included", "bytes", "Σ orig_ip_bytes", BYTES[:1]),
        _counted("received_bytes", "received, headers included", "bytes", "Σ resp_ip_bytes", BYTES[1:]),
        _share("upload_share", "how much of all bytes it sent", "sent / (sent + received)", BYTES, MOORE),
        _share(
            "upload_share_median",
            "the same of its median connection",
            "quantile 0.50 of sent / (sent + received)",
            BYTES,
        ),
        STATISTICAL(
            "upload_download_log2",
            "double",
            "upload to download; 0 is even, 1 twice as much up",
            "octaves",
            formula="log2((sent_bytes + 1) / (received_bytes + 1))",
            source=MOORE,
            needs=BYTES,
        ),
        _share("packets_upload_share", "how many of all packets it sent", "sent / (sent + received)", PACKETS, MOORE),
        *DISTRIBUTION(
            "bytes",
            "bytes of a connection, both ways, headers included",
            "bytes",
            "mean std min p10 p25 median p75 p90 p99 max cv skew",
            needs=BYTES,
        ),
        *DISTRIBUTION("packets", "packets of a connection, both ways", "packets", "mean std median max", needs=PACKETS),
        _mean("sent_packet_bytes", "mean size of its packets", "Σ orig_ip_bytes / Σ orig_pkts", (BYTES[0], PACKETS[0])),
        _mean("received_packet_bytes", "mean size of answers", "Σ resp_ip_bytes / Σ resp_pkts", (BYTES[1], PACKETS[1])),
        *DISTRIBUTION(
            "duration", "duration of a connection", "seconds", "mean std median p90 max", needs=("conn.duration",)
        ),
        _share(
            "failed_share",
            "connections that never stood",
            "conn_state S0, REJ, RSTOS0, RSTRH, SH or SHR / rows with one",
            ("conn.conn_state",),
        ),
        _share("unanswered_share", "connections without an answer", "resp_pkts = 0 / rows with resp_pkts", PACKETS[1:]),
        _entropy(
            "sent_entropy_mean",
            "mean entropy of the first bytes that it sent",
            "bits per byte",
            "Σ orig_entropy / n",
            8,
            ("conn.orig_entropy",),
        ),
        _entropy(
            "received_entropy_mean",
            "mean entropy of the first bytes that it got",
            "bits per byte",
            "Σ resp_entropy / n",
            8,
            ("conn.resp_entropy",),
        ),
        *DISTRIBUTION(
            "packet_size",
            "IP length of a connection's first packets",
            "bytes",
            "mean std min p25 median p75 p90 max cv skew",
            needs=SIZES,
        ),
        _mean("packet_size_up_mean", "mean IP length of its first packets", "Σ size / n, size > 0", SIZES),
        _mean("packet_size_down_mean", "mean IP length of the first answers", "Σ -size / n, size < 0", SIZES),
    )
