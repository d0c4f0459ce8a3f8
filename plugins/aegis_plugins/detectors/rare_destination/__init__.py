"""Finds places outside that nobody here ever called before, where more is odd about them than that."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import MICROS, Detector, tunable

HALF = 4.0  # points that score 0.5
SIGNS = (
    ("upload", "upload"),
    ("long", "long connection"),
    ("repeated", "called again and again"),
    ("own_issuer", "self-signed certificate"),
    ("odd_port", "odd port"),
    ("nameless", "address without a name"),
)


@dataclass(frozen=True)
class Tuning:
    """Since when the network is known, and what is odd about a new place."""

    min_history_h: int = tunable(72, "time watched before the last 24 h", least=3, most=312, unit="h")
    min_points: int = tunable(4, "of 17, from which on a new destination is told", least=1, most=17)
    min_upload_bytes: int = tunable(1_000_000, "payload, and three times what came back", least=1_000, unit="bytes")
    min_long_s: int = tunable(3_600, "the longest connection", least=60, most=604_800, unit="s")
    min_hours: int = tunable(3, "different hours in which it was called", least=1, most=24, unit="h")
    min_connections: int = tunable(10, "in these", least=2)
    usual_ports: tuple[int, ...] = tunable(
        (25, 80, 110, 143, 443, 465, 587, 993, 995, 5222, 5223, 5228, 8080, 8443, 8883),
        "web, mail and push services",
    )


class RareDestination(Detector):
    """New in the network, one client, and signs; 24 h against up to 13 days before; see README.md."""

    name = "rare_destination"
    reads = ()
    derived = ("destination_hour",)
    window_s = 14 * 86_400
    every_s = 3_600
    entity = ("orig_h",)
    tuning = Tuning
    evidence = typed(
        string="destinations_sample worst signs",
        count="new_destinations odd_destinations connections active_hours sent_bytes received_bytes past_h",
        double="points longest_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = p / (p + 4) of the points p of the oddest destination."""
        return pd.DataFrame([_finding(row) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    points = int(row["points"])
    signs = [text for name, text in SIGNS if row[name] == 1]
    return {
        "orig_h": row["orig_h"],
        "name": row["key"] if row["by_name"] else None,
        "resp_h": row["resp_h"],
        "resp_p": row["resp_p"],
        "proto": row["proto"],
        "direction": "outbound",
        "score": points / (points + HALF),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "new_destinations": int(row["new_destinations"]),
            "odd_destinations": int(row["odd_destinations"]),
            "destinations_sample": list(row["top"]),
            "worst": row["key"],
            "points": points,
            "signs": signs,
            "connections": int(row["connections"]),
            "active_hours": int(row["hours"]),
            "sent_bytes": int(row["sent_bytes"]),
            "received_bytes": int(row["received_bytes"]),
            "longest_s": int(row["longest_us"]) / MICROS,
            "past_h": int(row["past_h"]),
        },
        "reason": _reason(row, signs),
        "uids": [] if row["uids"] is None else list(row["uids"]),
    }


def _reason(row: Mapping[Hashable, Any], signs: list[str]) -> str:
    odd = int(row["odd_destinations"])
    others = f", and {odd - 1:,} more of {int(row['new_destinations']):,} new ones" if odd > 1 else ""
    port = "" if pd.isna(row["resp_p"]) else f":{int(row['resp_p'])}"
    calls = "1 connection" if row["connections"] == 1 else f"{int(row['connections']):,} connections"
    key = f"[{row['key']}]" if port and ":" in str(row["key"]) else row["key"]
    return (
        f"{row['orig_h']} called {key}{port}, which nobody here called in the {row['past_h'] / 24:,.0f} days before "
        f"({', '.join(signs)}; {calls}, {int(row['sent_bytes']):,} bytes out and "
        f"{int(row['received_bytes']):,} back){others}"
    )
