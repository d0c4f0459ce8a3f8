"""Finds ICMP that is no diagnosis: sweeps of many hosts, data hidden in echo, redirects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import MICROS, Detector, tunable

HALF = 2.0  # doublings of the threshold's evidence that score 0.5


@dataclass(frozen=True)
class Tuning:
    """From where on ICMP is more than a ping."""

    min_hosts: int = tunable(20, "hosts asked in an hour", least=5, most=1_000_000)
    max_requests: int = tunable(5, "requests to a host from which on it is watched, not swept", least=1, most=1_000)
    min_unanswered_share: float = tunable(0.2, "least part of the echoed hosts that do not answer", least=0.0, most=1.0)
    min_foreign_bytes: int = tunable(10_000, "data of replies that is not that of requests", least=100, unit="bytes")
    min_bulk_bytes: int = tunable(
        1_000_000, "data both ways in packets of 128 bytes or more in the mean", least=1_000, unit="bytes"
    )
    min_redirects: int = tunable(20, "redirects that a host sent in an hour", least=1)


class IcmpAnomaly(Detector):
    """Counts ICMP rows of conn, and of its snapshots for echo that goes on; see README.md."""

    name = "icmp_anomaly"
    reads = ("conn", "open_conn")
    window_s = 3_600
    every_s = 1_800
    lateness_s = 90  # Zeek writes ICMP a minute after its last packet
    counts: ClassVar = {"conn": ({"proto": ("icmp",)},), "open_conn": ({"proto": ("icmp",)},)}
    shard_key = "orig_h"
    entity = ("orig_h", "resp_h", "key")
    tuning = Tuning
    evidence = typed(
        string="kind",
        addr="hosts_sample",
        bool="source_internal",
        count=(
            "hosts answered_hosts timestamp_or_mask_hosts networks requests replies sent_bytes received_bytes "
            "foreign_bytes"
        ),
        double="hosts_per_network mean_request_bytes mean_reply_bytes bytes_per_s duration_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + what was seen / what it takes)."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    kind, size, evidence, what = TELLERS[row["key"]](row, tuning)
    seconds = (row["last_us"] - row["first_us"]) / MICROS
    x = log2(1 + size)
    return {
        "orig_h": row["orig_h"],
        "resp_h": row["resp_h"],
        "key": row["key"],
        "proto": "icmp",
        "direction": _direction(row),
        "score": x / (x + HALF),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "kind": kind,
            **evidence,
            "requests": int(row["requests"]),
            "source_internal": None if pd.isna(row["orig_internal"]) else bool(row["orig_internal"]),
            "duration_s": seconds,
        },
        "reason": f"{row['orig_h']} {what} in {_span(seconds)}",
        "uids": list(row["uids"]),
    }


Told = tuple[str, float, dict[str, Any], str]  # kind, size over threshold, evidence, what it did


def _sweep(row: Mapping[Hashable, Any], tuning: Tuning) -> Told:
    hosts, answered = int(row["hosts"]), int(row["answered"])
    evidence = {
        "hosts": hosts,
        "answered_hosts": answered,
        "timestamp_or_mask_hosts": int(row["odd_hosts"]),
        "networks": int(row["networks"]),
        "hosts_per_network": hosts / max(int(row["networks"]), 1),
        "hosts_sample": list(row["hosts_sample"]),
    }
    what = f"asked {hosts:,} hosts by ICMP, of which {answered:,} answered,"
    return "sweep", hosts / tuning.min_hosts, evidence, what


def _echo(row: Mapping[Hashable, Any], tuning: Tuning) -> Told:
    """A tunnel where replies are no echoes of their requests; else just much of it."""
    requests, replies, sent, received = (int(row[c]) for c in ("requests", "replies", "sent", "received"))
    foreign = int(row["foreign_bytes"])
    tunnel = foreign >= tuning.min_foreign_bytes
    seconds = max((row["last_us"] - row["first_us"]) / MICROS, 1.0)
    evidence = {
        "replies": replies,
        "sent_bytes": sent,
        "received_bytes": received,
        "foreign_bytes": foreign,
        "mean_request_bytes": sent / max(requests, 1),
        "mean_reply_bytes": received / replies if replies else None,
        "bytes_per_s": (sent + received) / seconds,
    }
    what = (
        f"sent {requests:,} echo requests with {sent:,} bytes to {row['resp_h']} and got {replies:,} replies with "
        f"{received:,} bytes, {foreign:,} of which are no echo,"
    )
    size = foreign / tuning.min_foreign_bytes if tunnel else (sent + received) / tuning.min_bulk_bytes
    return "tunnel" if tunnel else "bulk", size, evidence, what


def _redirects(row: Mapping[Hashable, Any], tuning: Tuning) -> Told:
    requests, hosts = int(row["requests"]), int(row["hosts"])
    evidence = {"hosts": hosts, "hosts_sample": list(row["hosts_sample"])}
    what = f"sent {requests:,} ICMP redirects to {hosts:,} host{'s' * (hosts != 1)}"
    return "redirects", requests / tuning.min_redirects, evidence, what


TELLERS = {"sweep": _sweep, "echo data": _echo, "redirects": _redirects}


def _direction(row: Mapping[Hashable, Any]) -> str | None:
    """As the networks enricher words it; None where it is not known."""
    if pd.isna(row["orig_internal"]) or pd.isna(row["resp_internal"]):
        return None
    if row["orig_internal"]:
        return "internal" if row["resp_internal"] else "outbound"
    return "inbound" if row["resp_internal"] else "external"


def _span(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
