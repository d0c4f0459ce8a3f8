"""Finds DNS tunnels: names below one domain that are too many, too long and too mixed to be anything but a message."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aegis_enrich.plugin import Detector, tunable

BITS_A_BYTE = 8
HALF = 2.0  # doublings of the least message that score 0.5
# Answers are logged as text with marks of their own, and one that is alike each time says nothing new.
ANSWER_WEIGHT = 0.25
LOOKUPS = (
    "barracudacentral.org",
    "cymru.com",
    "e5.sk",
    "mailspike.net",
    "mcafee.com",
    "senderbase.org",
    "sophosxl.net",
    "spamcop.net",
    "spamhaus.net",
    "spamhaus.org",
    "surbl.org",
    "trendmicro.com",
    "uribl.com",
)


@dataclass(frozen=True)
class Tuning:
    """From where on names are a message."""

    min_names: int = tunable(50, "different names below the domain in 24 h", least=10, most=100_000)
    min_bytes: int = tunable(512, "information in names and answers, weighed as README.md says", least=64, unit="bytes")
    min_mean_bytes: float = tunable(
        12.0, "mean length of what stands before the domain, unless most names ask for text", least=1.0, most=240.0
    )
    min_entropy_bits: float = tunable(2.5, "information in a byte of these names", least=0.0, most=8.0, unit="bits")
    address_weight: float = tunable(
        0.1, "what a name asked for as an address counts, against one asked for as TXT, NULL …", least=0.0, most=1.0
    )
    max_loopback_share: float = tunable(
        0.5, "of the answered queries, answered in 127.0.0.0/8: from here on a list is asked", least=0.01, most=1.1
    )
    skip_domains: tuple[str, ...] = tunable(LOOKUPS, "registered domains that carry look-ups by design")


class DnsTunnel(Detector):
    """Volume and variety of names, their length and entropy, record types, answers, over 24 h; see README.md."""

    name = "dns_tunnel"
    reads = ()
    derived = ("name_hour",)
    window_s = 86_400
    every_s = 3_600
    shard_key = "orig_h"
    entity = ("orig_h", "name")
    tuning = Tuning

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + message / min_bytes)."""
        plain = features["millibits"] - features["typed_millibits"]
        sent = (features["typed_millibits"] + tuning.address_weight * plain) / (1000 * BITS_A_BYTE)
        message = sent + ANSWER_WEIGHT * features["typed_answer_bytes"]
        doublings = np.log2(1 + message / tuning.min_bytes)
        scored = features.assign(message=message, score=doublings / (doublings + HALF))
        rows = scored[message >= tuning.min_bytes].to_dict("records")
        return pd.DataFrame([_finding(row) for row in rows])


def _finding(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    names, queries, sub_bytes = int(row["names"]), int(row["queries"]), int(row["sub_bytes"])
    evidence = {
        "names": names,
        "queries": queries,
        "new_name_share": names / queries,
        "name_bytes_mean": sub_bytes / names,
        "name_bytes_longest": int(row["longest_bytes"]),
        "entropy_bits_per_byte": row["millibits"] / 1000 / sub_bytes,
        "information_bytes": row["millibits"] / 1000 / BITS_A_BYTE,
        "message_bytes": row["message"],
        "text_type_names": int(row["typed"]),
        "record_types": [t for t in row["qtypes"] if t is not None],
        "answered": int(row["answered"]),
        "nxdomain": int(row["nxdomain"]),
        "answer_bytes": int(row["answer_bytes"]),
        "duration_s": (row["last_us"] - row["first_us"]) / 1e6,
        "examples": list(row["examples"]) if row["examples"] is not None else [],
    }
    return {
        "orig_h": row["orig_h"],
        "name": row["query_domain"],
        "score": row["score"],
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": evidence,
        "reason": _reason(row, evidence),
        "uids": list(row["uids"]),
    }


def _reason(row: Mapping[Hashable, Any], evidence: Mapping[str, Any]) -> str:
    seconds = evidence["duration_s"]
    span = (
        f"{seconds:,.0f} s"
        if seconds < 120
        else f"{seconds / 60:,.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
    kinds = ", ".join(evidence["record_types"]) or "no known type"
    return (
        f"{row['orig_h']} asked for {evidence['names']:,} different names below {row['query_domain']} in {span} "
        f"({kinds}), {evidence['name_bytes_mean']:.0f} bytes long in the mean with "
        f"{evidence['entropy_bits_per_byte']:.1f} bits a byte, and got {evidence['answer_bytes']:,} bytes of answers"
    )
