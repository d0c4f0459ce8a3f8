"""The features by which what a client did is told apart; what each is stands in docs/features.md."""

from __future__ import annotations

from aegis_plugins.models.measures import Measure, plain, share, size

TABLES = ("host_statistical_hour", "pair_features_hour")

# Null is no number here: a forest parts rows by it, too. A row of a whole hour has none of the pair's features.
MEASURES: tuple[Measure, ...] = (
    plain("over_tcp", 1.0),
    # of a client and a server
    size("pair_connections"),
    size("pair_sent_bytes"),
    size("pair_received_bytes"),
    share("pair_upload_share"),
    size("pair_bytes_median"),
    size("pair_bytes_cv", 0.1),
    size("pair_duration_median", 0.001),
    size("pair_duration_max", 0.001),
    share("pair_failed_share"),
    size("pair_gap_median", 0.001),
    size("pair_gap_cv", 0.1),
    plain("pair_burstiness", 0.2),
    share("pair_gap_regularity", 0.1),
    plain("pair_active_minutes", 5.0),
    # of the client
    size("connections"),
    size("peers"),
    size("ports"),
    plain("peer_entropy", 0.5),
    plain("port_entropy", 0.5),
    size("sent_bytes"),
    size("received_bytes"),
    share("upload_share"),
    size("bytes_median"),
    size("packets_median"),
    size("sent_packet_bytes", 32),
    size("received_packet_bytes", 32),
    size("duration_median", 0.001),
    share("failed_share"),
    share("unanswered_share"),
)
