"""Finds sockets that are flooded with SYNs which come to no connection, whoever their sources claim to be."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import MICROS, Detector, tunable

HALF = 2.0  # doublings of the threshold's rate that score 0.5
SLOT_S = 10


@dataclass(frozen=True)
class Tuning:
    """From where on failed attempts are a flood."""

    min_syns: int = tunable(500, "SYNs to one socket in 10 s that come to nothing", least=50, most=100_000_000)
    min_failed_share: float = tunable(
        0.8, "of these and the connections taken up in the same 10 s, the least part", least=0.0, most=1.0
    )
    min_of_source: int = tunable(
        100, "SYNs of one source to that socket in 10 s from which on they are no retries", least=10, most=1_000_000
    )


class SynFlood(Detector):
    """Counts TCP rows that came to no connection, by target; see README.md."""

    name = "syn_flood"
    reads = ("conn",)
    window_s = 1_800
    every_s = 900
    shard_key = "resp_h"
    entity = ("resp_h", "resp_p")
    tuning = Tuning
    evidence = typed(
        addr="sources_sample",
        bool="sources_internal target_internal",
        count="syns flooded_s sources refused unanswered half_open taken_up",
        double="peak_syns_per_s bare_share duration_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + SYNs in the worst 10 s / min_syns)."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    syns, sources, peak = int(row["syns"]), int(row["sources"]), int(row["peak_syns"])
    return {
        "resp_h": row["resp_h"],
        "resp_p": int(row["resp_p"]),
        "orig_h": row["sources_sample"][0] if sources == 1 else None,
        "proto": "tcp",
        "direction": _direction(row),
        "score": _score(peak, tuning),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "syns": syns,
            "peak_syns_per_s": peak / SLOT_S,
            "flooded_s": int(row["slots"]) * SLOT_S,
            "sources": sources,
            "sources_sample": list(row["sources_sample"]),
            "refused": int(row["refused"]),
            "unanswered": int(row["unanswered"]),
            "half_open": int(row["half_open"]),
            "taken_up": int(row["served"]),
            "bare_share": int(row["bare"]) / syns,
            "sources_internal": _same(row),
            "target_internal": None if pd.isna(row["resp_internal"]) else bool(row["resp_internal"]),
            "duration_s": (row["last_us"] - row["first_us"]) / MICROS,
        },
        "reason": _reason(row, syns, sources, peak),
        "uids": list(row["uids"]),
    }


def _score(peak: int, tuning: Tuning) -> float:
    x = log2(1 + peak / tuning.min_syns)
    return x / (x + HALF)


def _reason(row: Mapping[Hashable, Any], syns: int, sources: int, peak: int) -> str:
    target = f"[{row['resp_h']}]" if ":" in row["resp_h"] else row["resp_h"]
    whose = row["sources_sample"][0] if sources == 1 else f"{sources:,} sources"
    seconds = (row["last_us"] - row["first_us"]) / MICROS
    counts = {name: f"{int(row[name]):,}" for name in ("refused", "unanswered", "half_open", "served")}
    return (
        f"{target}:{int(row['resp_p'])} got {syns:,} SYNs from {whose} in {seconds:,.1f} s, up to "
        f"{peak / SLOT_S:,.0f} a second: {counts['refused']} refused, {counts['unanswered']} unanswered, "
        f"{counts['half_open']} never acknowledged, {counts['served']} connections taken up meanwhile"
    )


def _same(row: Mapping[Hashable, Any]) -> bool | None:
    """Whether all sources are inside or none; None where they differ or it is not known."""
    least, most = row["least_internal"], row["most_internal"]
    return None if pd.isna(least) or least != most else bool(least)


def _direction(row: Mapping[Hashable, Any]) -> str | None:
    """As the networks enricher words it."""
    sources = _same(row)
    if sources is None or pd.isna(row["resp_internal"]):
        return None
    if sources:
        return "internal" if row["resp_internal"] else "outbound"
    return "inbound" if row["resp_internal"] else "external"
