"""Made rows for the tests inside the rule: one host browses, one scans, one uploads. They are of no real network."""

from __future__ import annotations

import numpy as np
import pandas as pd

from aegis_plugins.models.measures import drawn

from .measures import MEASURES

NAME = "example"
ROWS = 300  # of each class

# Least and greatest of each feature, of any class; what spans decades is drawn evenly by its logarithm.
_RANGES: dict[str, tuple[float, float]] = {
    "over_tcp": (0, 1),
    "pair_connections": (4, 300),
    "pair_sent_bytes": (500, 1e6),
    "pair_received_bytes": (500, 3e7),
    "pair_upload_share": (0.02, 0.6),
    "pair_bytes_median": (100, 1e5),
    "pair_bytes_cv": (0, 5),
    "pair_duration_median": (0.001, 60),
    "pair_duration_max": (0.001, 600),
    "pair_failed_share": (0, 0.3),
    "pair_gap_median": (0.001, 600),
    "pair_gap_cv": (0, 5),
    "pair_burstiness": (-1, 1),
    "pair_gap_regularity": (0, 1),
    "pair_active_minutes": (1, 60),
    "connections": (10, 500),
    "peers": (1, 40),
    "ports": (1, 8),
    "peer_entropy": (0, 5),
    "port_entropy": (0, 2.5),
    "sent_bytes": (2e3, 3e6),
    "received_bytes": (2e3, 1e8),
    "upload_share": (0.02, 0.6),
    "bytes_median": (100, 1e5),
    "packets_median": (1, 60),
    "sent_packet_bytes": (40, 400),
    "received_packet_bytes": (60, 1400),
    "duration_median": (0.001, 60),
    "failed_share": (0, 0.2),
    "unanswered_share": (0, 0.2),
}
_CLASSES: dict[str, dict[str, tuple[float, float]]] = {
    "benign": {},
    "scan": {
        "connections": (500, 20_000),
        "peers": (1, 20_000),
        "ports": (1, 5_000),
        "peer_entropy": (0, 14),
        "port_entropy": (0, 14),
        "bytes_median": (40, 130),
        "packets_median": (1, 2),
        "duration_median": (0, 0.01),
        "failed_share": (0.7, 1),
        "unanswered_share": (0.5, 1),
        "received_bytes": (0, 1e5),
        "received_packet_bytes": (20, 70),
        "upload_share": (0.6, 1),
    },
    "exfil": {
        "pair_sent_bytes": (5e6, 1e10),
        "pair_upload_share": (0.9, 1),
        "pair_bytes_median": (1e6, 1e9),
        "sent_bytes": (5e6, 1e10),
        "upload_share": (0.7, 1),
        "sent_packet_bytes": (900, 1500),
        "bytes_median": (1e3, 1e9),
    },
}


def rows() -> pd.DataFrame:
    """With `what` each is; a third of them are of whole hours. The same on every machine, as NumPy promises."""
    chance = np.random.RandomState(1)
    frames = []
    for name, ranges in _CLASSES.items():
        columns = {m.name: drawn(m, *ranges.get(m.name, _RANGES[m.name]), ROWS, chance) for m in MEASURES}
        frame = pd.DataFrame(columns)
        frame.loc[frame.index % 3 == 0, [m for m in columns if m.startswith("pair_") or m == "over_tcp"]] = np.nan
        frames.append(frame.assign(what=name))
    return pd.concat(frames, ignore_index=True)
