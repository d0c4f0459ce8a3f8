"""Finds QUIC to places outside that looks like an implant's: version, name, port, fingerprint, rarity and habits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

BEACON_CALLS, BEACON_US = 20, 1_800_000_000  # from which on beaconing judges a rhythm

Row = Mapping[Any, Any]
Sign = tuple[str, str, float]  # kind, what was seen, how much of the doubt that is left it takes


@dataclass(frozen=True)
class Tuning:
    """What is odd about a version, a name, a port, a place and the calls, and how much of it is told."""

    min_kinds: int = tunable(3, "kinds of signs, of six, below which nothing is said", least=2, most=6)
    min_sessions: int = tunable(10, "handshakes in 24 h from which on calls are repeated", least=3, most=100_000)
    even_sizes: float = tunable(
        0.1, "median distance from the median size, as a part of it, up to which sizes are even", least=0.0, most=1.0
    )
    even_gaps: float = tunable(
        0.35, "the same of the times between calls, up to which they have a rhythm", least=0.0, most=1.0
    )
    min_clients: int = tunable(5, "clients in an hour from which on rarity is known", least=2, most=100_000)
    rare_share: float = tunable(0.02, "of these, the part that may call a rare place; one always may", least=0, most=1)
    min_others: int = tunable(20, "handshakes of others to compare with", least=1, most=1_000_000)
    named_share: float = tunable(
        0.8, "of these, the part that must show a name, so that none says something", least=0.0, most=1.0
    )
    crowd: int = tunable(1_000, "places called in an hour from which on a client stands for many", least=10)
    min_history_h: int = tunable(72, "time the client was watched before, from which on new is new", least=24, unit="h")
    usual_ports: tuple[int, ...] = tunable((443, 853), "ports on which QUIC is at home")


class QuicC2(Detector):
    """Six kinds of signs about a client's QUIC to one place over 24 h, together; see README.md."""

    name = "quic_c2"
    reads = ()
    derived = ("tls_server_hour", "pair_hour", "server_name_hour")
    needs = ("tls_server_hour",)
    window_s = 86_400
    every_s = 3_600
    lookback_s = 604_800  # the client's past
    shard_key = "orig_h"
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="fingerprint signs kinds",
        bool="own_fingerprint rare new crowd repeated rhythmic",
        count="sessions hours odd_versions fingerprint_clients place_clients clients past_h past_days kinds_count",
        double="size_median_bytes size_mad_bytes gap_median_s gap_mad_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = 1 - product over signs of (1 - what the sign takes of the doubt)."""
        found = (_finding(row, tuning) for row in features.to_dict("records"))
        return pd.DataFrame([finding for finding in found if finding is not None])


def _finding(row: Row, tuning: Tuning) -> dict[str, Any] | None:
    signs = list(_signs(row, tuning))
    kinds = list(dict.fromkeys(kind for kind, _, _ in signs))
    if len(kinds) < tuning.min_kinds:
        return None
    evidence = _evidence(row, tuning) | {
        "signs": [text for _, text, _ in signs],
        "kinds": kinds,
        "kinds_count": len(kinds),
    }
    one_port = row["least_port"] == row["most_port"]
    return {
        "orig_h": row["orig_h"],
        "key": row["key"],
        "name": row["name"] if isinstance(row["name"], str) and not _true(row["nameless"]) else None,
        "resp_h": row["resp_h"] if row["servers"] == 1 else None,
        "resp_p": int(row["least_port"]) if one_port else None,
        "proto": "udp",
        "service": "quic",
        "direction": "outbound",
        "score": 1 - prod(1 - weight for _, _, weight in signs),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": evidence,
        "reason": (
            f"{row['orig_h']} had {int(row['sessions']):,} QUIC sessions with {row['key']} in {int(row['hours'])} h: "
            f"{', '.join(evidence['signs'])}"
        ),
        "uids": list(row["uids"])[:20],
    }


def _signs(row: Row, tuning: Tuning) -> Iterator[Sign]:
    if row["odd_versions"] > 0:
        yield "version", f"{int(row['odd_versions'])} of an unusual version", 0.2
    if _true(row["nameless"]):
        yield "name", "no name asked for", 0.2
    elif row["bare_name"]:
        yield "name", "a name without a domain", 0.2
    elif row["random_name"]:
        yield "name", "a random-looking name", 0.25
    if row["odd_ports"] > 0:
        yield "port", f"port {int(row['most_port'])}", 0.25
    if _true(row["own_fingerprint"]):
        yield "fingerprint", "a client fingerprint of its own", 0.35
    if _true(row["rare"]):
        yield "rarity", "a place that nobody else calls", 0.2
    if _new(row, tuning):
        yield "rarity", "never called before", 0.2
    if _repeated(row, tuning):
        yield "repetition", "repeated calls of one size", 0.3
        if _rhythmic(row, tuning):
            yield "repetition", "at an even pace", 0.15


def _repeated(row: Row, tuning: Tuning) -> bool:
    even = row["size_mad"] <= tuning.even_sizes * row["size_median"]  # NaN is not even
    return bool(row["sessions"] >= tuning.min_sessions and even)


def _rhythmic(row: Row, tuning: Tuning) -> bool:
    """Whether it is even enough, for long enough, that `beaconing` tells of it."""
    even = row["gap_mad_ms"] <= tuning.even_gaps * row["gap_median_ms"]  # NaN is not even
    return bool(even and row["sessions"] >= BEACON_CALLS and row["last_us"] - row["first_us"] >= BEACON_US)


def _new(row: Row, tuning: Tuning) -> bool | None:
    """Whether the client never called the place before; None where it was not watched for long enough."""
    return bool(row["past_days"] == 0) if row["past_hours"] >= tuning.min_history_h else None


def _true(value: Any) -> bool:
    return value is not None and not pd.isna(value) and bool(value)


def _evidence(row: Row, tuning: Tuning) -> dict[str, Any]:
    return {
        "sessions": int(row["sessions"]),
        "hours": int(row["hours"]),
        "odd_versions": int(row["odd_versions"]),
        "fingerprint": row["fingerprint"],
        "fingerprint_clients": row["fingerprint_clients"],
        "own_fingerprint": None if pd.isna(row["own_fingerprint"]) else bool(row["own_fingerprint"]),
        "place_clients": int(row["place_clients"]),
        "clients": int(row["clients"]),
        "rare": None if pd.isna(row["rare"]) else bool(row["rare"]),
        "new": _new(row, tuning),
        "past_h": int(row["past_hours"]),
        "past_days": int(row["past_days"]),
        "crowd": bool(row["client_places"] >= tuning.crowd),
        "repeated": _repeated(row, tuning),
        "rhythmic": _rhythmic(row, tuning),
        "size_median_bytes": row["size_median"],
        "size_mad_bytes": row["size_mad"],
        "gap_median_s": row["gap_median_ms"] / 1000,
        "gap_mad_s": row["gap_mad_ms"] / 1000,
    }
