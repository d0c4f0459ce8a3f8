"""Finds hosts, and a whole link, that carry far more or far less than in the same hours of the days before."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

HALF = 7.0  # the deviation that scores 0.5


@dataclass(frozen=True)
class Tuning:
    """What is much, what is far, and how much past there must be."""

    min_bytes: int = tunable(200_000_000, "in an hour, both ways, headers included", least=1_000, unit="bytes")
    min_packets: int = tunable(500_000, "in an hour, both ways", least=100, unit="packets")
    min_connections: int = tunable(5_000, "in an hour, answered, begun and served", least=10, unit="connections")
    quiet_times: float = tunable(
        10.0, "times these, for a host whose usual hour is below them", least=1.0, most=1_000_000.0
    )
    min_deviation: float = tunable(3.5, "modified z-score of doublings", least=1.0, most=1_000.0)
    min_spread: float = tunable(0.25, "least spread that is assumed of the past", least=0.01, most=10.0, unit="octaves")
    min_over_most: float = tunable(1.5, "times the greatest of the same hours", least=1.0, most=1_000.0)
    min_days: int = tunable(3, "days of the same hour of day, below which all hours are compared", least=2, most=14)
    min_history_h: int = tunable(24, "hours with rows before the last two, for comparing all hours", least=3, unit="h")


class TrafficSpike(Detector):
    """The last hour against the same hour of up to 14 days, by median and MAD of logarithms; see README.md."""

    name = "traffic_spike"
    reads = ()
    derived = ("host_hour", "pair_hour")
    window_s = 14 * 86_400 + 7_200
    every_s = 3_600
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="turn scope metric top_peer top_peer_proto",
        bool="beyond_past regular by_hour_of_day",
        count=(
            "value usual_most past_most compared_hours past_days past_hours sent_bytes received_bytes "
            "top_peer_port top_peer_bytes"
        ),
        double="usual deviation octaves bytes_deviation packets_deviation connections_deviation",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = z / (z + 7) of the deviation z."""
        return pd.DataFrame([_finding(row) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    host, drop, far = _text(row["orig_h"]), row["turn"] == "drop", abs(float(row["z"]))
    scope = "link" if host is None else "host"
    return {
        "orig_h": host,
        "key": f"{row['turn']} of {host or 'the whole link'}",
        "score": far / (far + HALF),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "turn": row["turn"],
            "scope": scope,
            "metric": row["metric"],
            "value": int(row["value"]),
            "usual": row["usual"],
            "usual_most": int(row["most"]),
            "past_most": int(row["past_most"]),
            "beyond_past": None if drop else bool(row["value"] > row["past_most"]),
            "regular": bool(row["usual"] >= row["least"]),
            "deviation": float(row["z"]),
            "octaves": float(row["octaves"]),
            "bytes_deviation": _number(row["bytes_z"]),
            "packets_deviation": _number(row["packets_z"]),
            "connections_deviation": _number(row["connections_z"]),
            "by_hour_of_day": bool(row["by_hour"]),
            "compared_hours": int(row["samples"]),
            "past_days": int(row["days"]),
            "past_hours": int(row["past_hours"]),
            "sent_bytes": int(row["sent_bytes"]),
            "received_bytes": int(row["received_bytes"]),
            "top_peer": _text(row["peer"]),
            "top_peer_port": None if pd.isna(row["port"]) else int(row["port"]),
            "top_peer_proto": _text(row["proto"]),
            "top_peer_bytes": None if pd.isna(row["peer_bytes"]) else int(row["peer_bytes"]),
        },
        "reason": _reason(row, host),
        "uids": [row["uid"]] if _text(row["uid"]) else [],
    }


def _reason(row: Mapping[Hashable, Any], host: str | None) -> str:
    who = "The whole link" if host is None else host
    hours = f"the same hour of {row['days']} days" if row["by_hour"] else f"{row['samples']} hours"
    now, usual, most = (_amount(row[name], row["metric"]) for name in ("value", "usual", "most"))
    text = (
        f"{who} had {now} in the hour, where {hours} before had {usual} in the middle and {most} at most "
        f"({abs(row['z']):.1f} times the usual deviation)"
    )
    peer = _text(row["peer"])
    return text + (f"; most with {peer}, {_amount(row['peer_bytes'], 'bytes')}" if peer else "")


def _amount(value: float, metric: str) -> str:
    return f"{value / 1_000_000:,.1f} MB" if metric == "bytes" else f"{value:,.0f} {metric}"


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
