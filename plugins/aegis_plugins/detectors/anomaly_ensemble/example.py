"""A made past for the tests inside the rule: hours of hosts drawn evenly from wide ranges. It is of no real network."""

from __future__ import annotations

import numpy as np
import pandas as pd

from aegis_plugins.models.measures import drawn

from .measures import MEASURES

NAME = "example"
ROWS = 300

# Least and greatest of each feature; what spans decades is drawn evenly by its logarithm.
_RANGES: dict[str, tuple[float, float]] = {
    "connections": (10, 400),
    "peers": (1, 30),
    "ports": (1, 6),
    "peer_entropy": (0, 4.5),
    "port_entropy": (0, 2),
    "sent_bytes": (5e3, 3e6),
    "received_bytes": (5e3, 3e7),
    "upload_download_log2": (-6, 0.5),
    "bytes_median": (150, 2e4),
    "bytes_p90": (300, 2e5),
    "packets_median": (2, 60),
    "sent_packet_bytes": (50, 300),
    "received_packet_bytes": (60, 1300),
    "duration_median": (0.001, 20),
    "duration_p90": (0.01, 120),
    "failed_share": (0, 0.1),
    "unanswered_share": (0, 0.1),
    "gap_median": (0.01, 60),
    "gap_cv": (0.05, 5),
    "burstiness": (-0.8, 0.8),
    "gap_regularity": (0, 1),
    "active_minutes": (5, 60),
    "minute_fano": (0.1, 30),
    "spectral_peak": (0, 1),
    "dns_queries": (0, 200),
    "dns_names_per_domain_max": (0, 12),
    "dns_name_length_mean": (8, 30),
    "dns_bigram_bits_mean": (3.5, 5),
    "dns_nxdomain_share": (0, 0.1),
    "dns_failed_share": (0, 0.1),
    "dns_text_share": (0, 0.05),
    "dns_answer_bytes_mean": (10, 200),
    "tls_sessions": (0, 200),
    "tls_names": (0, 40),
    "tls_nameless_share": (0, 0.3),
    "tls_self_signed_share": (0, 0.2),
    "tls_failed_share": (0, 0.1),
    "tls_odd_port_share": (0, 0.1),
}


def rows() -> pd.DataFrame:
    """The same on every machine: NumPy promises so of RandomState."""
    chance = np.random.RandomState(1)
    return pd.DataFrame({m.name: drawn(m, *_RANGES[m.name], ROWS, chance) for m in MEASURES})
