"""Finds DNS tunnels: names below one domain that are too many, too long and too mixed to be anything but a message."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import MICROS, Detector, tunable

from .lists import DOH, LOOKUPS, OWNED

BITS_A_BYTE = 8
HALF = 2.0  # doublings of the least message that score 0.5
# Answers are logged as text with marks of their own, and one that is alike each time says nothing new.
ANSWER_WEIGHT = 0.25
DOH_MOST = 0.3  # what goes to a resolver by HTTPS cannot be told from much browsing: no score is higher


@dataclass(frozen=True)
class Tuning:
    """From where on names are a message."""

    min_names: int = tunable(50, "different names below the domain in 24 h", least=10, most=100_000)
    min_bytes: int = tunable(512, "information in names and answers, weighed as README.md says", least=64, unit="bytes")
    min_mean_bytes: float = tunable(
        20.0, "mean length of what stands before the domain, unless most names ask for text", least=1.0, most=240.0
    )
    min_new_share: float = tunable(
        0.2, "names for each query, unless most names ask for text: hosts are asked for again", least=0.0, most=1.0
    )
    min_entropy_bits: float = tunable(2.5, "information in a byte of these names", least=0.0, most=8.0, unit="bits")
    address_weight: float = tunable(
        0.1, "what a name asked for as an address counts, against one asked for as TXT, NULL …", least=0.0, most=1.0
    )
    max_loopback_share: float = tunable(
        0.5, "of the answered queries, answered in 127.0.0.0/8: from here on a list is asked", least=0.01, most=1.1
    )
    min_clients: int = tunable(
        2, "clients that ask below a domain, from which on they are added up, text types alone", least=2, most=100_000
    )
    min_doh_bytes: int = tunable(
        50_000_000, "sent by one client to one resolver over HTTPS in 24 h", least=100_000, unit="bytes"
    )
    doh_resolvers: tuple[str, ...] = tunable(DOH, "names (SNI) of resolvers that answer over HTTPS")
    skip_domains: tuple[str, ...] = tunable(LOOKUPS + OWNED, "registered domains that carry look-ups by design")


class DnsTunnel(Detector):
    """Volume and variety of names, their length and entropy, record types, answers, over 24 h; see README.md."""

    name = "dns_tunnel"
    reads = ()
    derived = ("name_hour", "server_name_hour")
    window_s = 86_400
    every_s = 3_600
    entity = ("orig_h", "name")
    tuning = Tuning
    evidence = typed(
        string="kind record_types examples",
        count=(
            "clients names queries names_passed_on alike_domains name_bytes_longest text_type_names tcp_queries "
            "answered nxdomain answer_bytes active_hours sent_bytes connections"
        ),
        double=(
            "new_name_share name_bytes_mean entropy_bits_per_byte information_bytes message_bytes "
            "message_bytes_per_s gap_s_p10 gap_s_median gap_s_p90 duration_s"
        ),
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + message / min_bytes)."""
        rows = features.to_dict("records")
        return pd.DataFrame([_doh(r, tuning) if pd.notna(r["sent_bytes"]) else _finding(r, tuning) for r in rows])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    names, queries, sub_bytes, typed = (int(row[c]) for c in ("names", "queries", "sub_bytes", "typed"))
    plain = int(row["millibits"]) - int(row["typed_millibits"])
    sent = (int(row["typed_millibits"]) + tuning.address_weight * plain) / (1000 * BITS_A_BYTE)
    message = sent + ANSWER_WEIGHT * int(row["typed_answer_bytes"])
    seconds = (row["last_us"] - row["first_us"]) / MICROS
    evidence = {
        "kind": "names" if pd.notna(row["orig_h"]) else "many clients",
        "clients": int(row["clients"]),
        "names": names,
        "queries": queries,
        "new_name_share": names / queries,
        "names_passed_on": int(row["passed_on"]),
        "alike_domains": int(row["alike_domains"]),
        "name_bytes_mean": sub_bytes / names,
        "name_bytes_longest": int(row["longest_bytes"]),
        "entropy_bits_per_byte": row["millibits"] / 1000 / sub_bytes,
        "information_bytes": row["millibits"] / 1000 / BITS_A_BYTE,
        "message_bytes": message,
        "message_bytes_per_s": message / max(1.0, seconds),
        "text_type_names": typed,
        "record_types": [t for t in row["qtypes"] if t is not None],
        "tcp_queries": int(row["tcp"]),
        "answered": int(row["answered"]),
        "nxdomain": int(row["nxdomain"]),
        "answer_bytes": int(row["answer_bytes"]),
        **{f"gap_s_{part}": _seconds(row[f"gap_us_{part}"]) for part in ("p10", "median", "p90")},
        "active_hours": int(row["hours"]),
        "duration_s": seconds,
        "examples": list(row["examples"]) if row["examples"] is not None else [],
    }
    return _told(row, evidence, _score(message / tuning.min_bytes), _reason(row, evidence))


def _doh(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    sent, connections, hours = int(row["sent_bytes"]), int(row["connections"]), int(row["hours"])
    evidence = {
        "kind": "doh",
        "sent_bytes": sent,
        "connections": connections,
        "active_hours": hours,
        "duration_s": (row["last_us"] - row["first_us"]) / MICROS,
    }
    reason = (
        f"{row['orig_h']} sent {sent:,} bytes to the resolver {row['query_domain']} over HTTPS, in {connections:,} "
        f"connections of {hours} h: far more than questions take"
    )
    return _told(row, evidence, DOH_MOST * _score(sent / tuning.min_doh_bytes), reason)


def _told(row: Mapping[Hashable, Any], evidence: Mapping[str, Any], score: float, reason: str) -> dict[str, Any]:
    return {
        "orig_h": row["orig_h"],
        "name": row["query_domain"],
        "score": score,
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": evidence,
        "reason": reason,
        "uids": list(row["uids"]),
    }


def _score(times: float) -> float:
    doublings = log2(1 + times)
    return doublings / (doublings + HALF)


def _seconds(micros: Any) -> float | None:
    return None if pd.isna(micros) else float(micros) / MICROS


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
    whose = row["orig_h"] if evidence["kind"] == "names" else f"{evidence['clients']:,} clients"
    gap = evidence["gap_s_median"]
    rhythm = "" if gap is None or gap < 0.01 else f" a new one each {gap:,.3g} s,"
    return (
        f"{whose} asked for {evidence['names']:,} different names below {row['query_domain']} in {span} "
        f"({kinds}),{rhythm} {evidence['name_bytes_mean']:.0f} bytes long in the mean with "
        f"{evidence['entropy_bits_per_byte']:.1f} bits a byte, and got {evidence['answer_bytes']:,} bytes of answers"
    )
