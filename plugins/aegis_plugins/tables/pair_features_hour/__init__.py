"""Per hour, client, server, port and protocol: sizes and rhythm of the connections."""

from __future__ import annotations

from functools import partial

from aegis_enrich.features import distribution
from aegis_enrich.plugin import Column, DerivedTable, Feature

STATISTICAL = partial(Feature, family="statistical", least=0)
TIMING = partial(Feature, family="timing")

BYTES = ("conn.orig_ip_bytes", "conn.resp_ip_bytes")
ZEEK = "Zeek, Conn::Info (conn.log)"
MOORE = "Moore, Zuev, Crogan 2005, Discriminators for use in flow-based classification"
GOH = "Goh, Barabási 2008, Burstiness and memory in complex systems, EPL 81 48002"


class PairFeaturesHour(DerivedTable):
    """Features of a pair that met four times or more in an hour; see README.md."""

    name = "pair_features_hour"
    reads = ("conn",)
    level = "pair"
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("resp_h", "addr", "server"),
        Column("resp_p", "port", "server's port"),
        Column("proto", "string", "transport protocol"),
        Column("first_us", "count", "start of the first connection", "µs since the epoch"),
        Column("last_us", "count", "end of the last connection", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
        STATISTICAL(
            "pair_connections", "count", "connections of the pair", "connections", formula="rows of conn", source=ZEEK
        ),
        STATISTICAL(
            "pair_sent_bytes",
            "count",
            "sent by the client, headers included",
            "bytes",
            formula="Σ orig_ip_bytes",
            source=ZEEK,
            needs=BYTES[:1],
        ),
        STATISTICAL(
            "pair_received_bytes",
            "count",
            "sent by the server, headers included",
            "bytes",
            formula="Σ resp_ip_bytes",
            source=ZEEK,
            needs=BYTES[1:],
        ),
        STATISTICAL(
            "pair_upload_share",
            "double",
            "how much of all bytes the client sent",
            "share",
            formula="sent / (sent + received)",
            source=MOORE,
            most=1,
            needs=BYTES,
        ),
        *distribution(
            "pair_bytes",
            "bytes of a connection of the pair, both ways, headers included",
            "bytes",
            "mean std min p25 median p75 max cv skew",
            family="statistical",
            needs=BYTES,
        ),
        *distribution(
            "pair_duration",
            "duration of a connection of the pair",
            "seconds",
            "mean median max",
            family="statistical",
            needs=("conn.duration",),
        ),
        STATISTICAL(
            "pair_failed_share",
            "double",
            "connections that never stood",
            "share",
            formula="conn_state S0, REJ, RSTOS0, RSTRH, SH or SHR / rows with one",
            source=ZEEK,
            most=1,
            needs=("conn.conn_state",),
        ),
        *distribution(
            "pair_gap",
            "gap between the starts of two connections of the pair",
            "seconds",
            "mean std min p10 p25 median p75 p90 max cv skew",
            family="timing",
            needs=(),
        ),
        TIMING(
            "pair_burstiness",
            "double",
            "-1 regular, 0 as by chance (Poisson), 1 bursty",
            "1",
            formula="(σ - μ) / (σ + μ) of gaps",
            source=GOH,
            least=-1,
            most=1,
        ),
        TIMING(
            "pair_gap_regularity",
            "double",
            "1 where all gaps are equal",
            "1",
            formula="max(0, 1 - median |gap - median gap| / median gap)",
            source="Hampel 1974, The influence curve and its role in robust estimation (MAD); RITA, beacon dispersion",
            least=0,
            most=1,
        ),
        TIMING(
            "pair_active_minutes",
            "count",
            "minutes in which a connection began",
            "minutes",
            formula="minutes of the hour with a start",
            source=GOH,
            least=0,
            most=60,
        ),
    )
