"""Finds round trips that are long against what the same host had to the same networks before."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

BUCKETS = 8  # of rtt_hour, an octave


@dataclass(frozen=True)
class Tuning:
    """From when on a round trip is high."""

    min_ratio: float = tunable(2.0, "the last hour's median over that of the baseline", least=1.1, most=1_000.0)
    min_increase_ms: float = tunable(
        10.0, "the last hour's median less that of the baseline", least=0.0, most=60_000.0, unit="ms"
    )
    min_connections: int = tunable(5, "answers of the last hour that make a median", least=3, most=1_000_000)
    min_history: int = tunable(20, "answers before it that make a baseline", least=3, most=1_000_000)
    min_hours: int = tunable(2, "hours with an answer that make a baseline", least=1, most=95)
    min_peers: int = tunable(3, "risen peers from which on it is the host", least=2, most=10_000)
    ceiling_ms: float = tunable(
        0.0, "median that is high without a baseline, too; 0: none is", least=0.0, most=60_000.0, unit="ms"
    )


class HighLatency(Detector):
    """Medians of the last hour against those of four days, by peer; see README.md."""

    name = "high_latency"
    reads = ()
    derived = ("rtt_hour",)
    window_s = 345_600  # Monday morning still sees Friday
    every_s = 3_600
    shard_key = "orig_h"
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="scope kind worst",
        count="connections usual_connections baseline_connections baseline_hours peers risen_peers",
        double=(
            "round_trip_ms baseline_ms ratio baseline_p90_ms client_side_ms baseline_client_side_ms "
            "server_side_ms baseline_server_side_ms ceiling_ms"
        ),
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = the part of the present round trip that is new: 1 - baseline / median."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    risen = bool(row["risen_peers"])
    # beyond the ceiling without a baseline that it rose from: half of the ceiling stands for one
    ratio = float(row["ratio"]) if risen else 2 * row["median_us"] / (tuning.ceiling_ms * 1000)
    one_server = row["server"] is not None and row["server"] == row["other_server"]
    return {
        "orig_h": row["orig_h"],
        "key": row["key"],
        "resp_h": row["server"] if one_server else None,
        "service": "dns" if row["kind"] == "dns" else None,
        "score": max(0.0, 1 - 1 / ratio),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": _evidence(row, tuning, risen),
        "reason": _reason(row, tuning, risen),
        "uids": [uid for uid in row["uids"] if uid],
    }


def _evidence(row: Mapping[Hashable, Any], tuning: Tuning, risen: bool) -> dict[str, Any]:
    far, base_far = (_less(row[a], row[b]) for a, b in (("median_us", "near_us"), ("base_us", "base_near_us")))
    evidence = {
        "scope": "host" if row["key"] == "host" else "network" if row["key"].endswith(("/24", "/48")) else "server",
        "kind": row["kind"],
        "round_trip_ms": _ms(row["median_us"]),
        "baseline_ms": _ms(row["base_us"]),
        "ratio": _number(row["ratio"]),
        "baseline_p90_ms": _upper_ms(row["decile_bucket"]),
        "client_side_ms": _ms(row["near_us"]),
        "baseline_client_side_ms": _ms(row["base_near_us"]),
        "server_side_ms": _ms(far),
        "baseline_server_side_ms": _ms(base_far),
        "connections": int(row["connections"]),
        "usual_connections": int(row["usual_connections"]),
        "baseline_connections": _count(row["base_connections"]) or 0,
        "baseline_hours": int(row["hours"]),
    }
    if row["key"] == "host":
        evidence |= {"peers": int(row["peers"]), "risen_peers": int(row["risen_peers"]), "worst": list(row["worst"])}
    return evidence if risen else evidence | {"ceiling_ms": tuning.ceiling_ms}


def _reason(row: Mapping[Hashable, Any], tuning: Tuning, risen: bool) -> str:
    now, before = _ms(row["median_us"]), _ms(row["base_us"])
    if row["key"] == "host":
        return (
            f"round trips of {row['orig_h']} take {row['ratio']:.1f} times as long as before in the median of "
            f"{int(row['peers']):,} networks; {int(row['risen_peers']):,} of these have risen"
        )
    whom = f"answers of {row['key']} to" if row["kind"] == "dns" else f"round trips to {row['key']} by"
    taken = f"{whom} {row['orig_h']} take {now:,.1f} ms in the median of {int(row['connections']):,}"
    if not risen:
        return f"{taken}, above the ceiling of {tuning.ceiling_ms:,.0f} ms"
    return f"{taken}, {row['ratio']:.1f} times the {before:,.1f} ms of {int(row['hours']):,} hours before"


def _ms(us: Any) -> float | None:
    return None if pd.isna(us) else float(us) / 1000


def _upper_ms(bucket: Any) -> float | None:
    """The upper end of a bucket."""
    return None if pd.isna(bucket) else 2 ** ((float(bucket) + 1) / BUCKETS) / 1000


def _less(whole: Any, part: Any) -> Any:
    return None if pd.isna(whole) or pd.isna(part) else whole - part


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
