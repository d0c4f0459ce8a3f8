"""Finds clients that send much to one destination outside: more than they get, than they did, or than others do."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import pandas as pd

from aegis_enrich.plugin import Detector, tunable

HALF = 2.0  # doublings of the least volume that score 0.5
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Tuning:
    """From where on what leaves is worth a word, and what makes it odd."""

    min_bytes: int = tunable(
        3_000_000, "payload to one destination in 24 h, above the most of a past day", least=100_000, unit="bytes"
    )
    min_ratio: float = tunable(3.0, "payload sent over payload received", least=1.0, most=1_000_000.0)
    min_history_h: int = tunable(
        72, "time watched before the window, from which on there is a past", least=24, unit="h"
    )
    min_clients: int = tunable(4, "hosts of ours that call outside, from which on rarity is known", least=2)
    rare_share: float = tunable(
        0.02, "of these, the part that may call a rare destination; one always may", least=0.0, most=1.0
    )
    min_pieces: int = tunable(3, "uploads of one size", least=2, most=1_000)
    min_piece_bytes: int = tunable(262_144, "size from which on they are pieces of a whole", least=32_768, unit="bytes")


class Exfiltration(Detector):
    """Volume, direction, the client's past, the destination's rarity, even pieces, over 24 h; see README.md."""

    name = "exfiltration"
    reads = ()
    derived = ("egress_hour", "pair_hour", "server_name_hour")
    window_s = 86_400
    every_s = 3_600
    lookback_s = 604_800  # the client's past
    entity = ("orig_h", "key")
    tuning = Tuning

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + payload above a past day's / min_bytes)."""
        found = (_finding(row, tuning) for row in features.to_dict("records"))
        return pd.DataFrame([finding for finding in found if finding is not None])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any] | None:
    excess = int(row["sent_bytes"]) - int(row["past_destination_most"])
    if excess < tuning.min_bytes:
        return None
    doublings = log2(1 + excess / tuning.min_bytes)
    evidence = _evidence(row, tuning)
    one_port, one_proto = row["least_port"] == row["most_port"], row["least_proto"] == row["most_proto"]
    return {
        "orig_h": row["orig_h"],
        "key": row["key"],
        "name": row["name"] if isinstance(row["name"], str) else None,
        "resp_h": row["least_server"] if row["servers"] == 1 else None,
        "resp_p": int(row["least_port"]) if one_port else None,
        "proto": row["least_proto"] if one_proto else None,
        "direction": "outbound",
        "score": doublings / (doublings + HALF),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": evidence,
        "reason": _reason(row, evidence),
        "uids": list(row["uids"])[:20],
    }


def _evidence(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    sent, clients, callers = int(row["sent_bytes"]), int(row["clients"]), int(row["destination_clients"])
    known = row["past_hours"] >= tuning.min_history_h
    rare = callers <= max(1.0, tuning.rare_share * clients) if clients >= tuning.min_clients else None
    even = (
        row["uploads_alike"] >= max(tuning.min_pieces, 0.75 * row["uploads"])
        and row["upload_median"] >= tuning.min_piece_bytes
        and rare is not False
    )
    signs = [text for text, holds in (("rare destination", rare), ("even pieces", even)) if holds]
    return {
        "signs": signs,
        "signs_count": len(signs),
        "beyond_past": sent > row["past_host_most"] if known else None,
        "sent_bytes": sent,
        "received_bytes": int(row["received_bytes"]),
        "ratio": sent / max(1, int(row["received_bytes"])),
        "connections": int(row["connections"]),
        "servers": int(row["servers"]),
        "active_hours": int(row["hours"]),
        "uploads": int(row["uploads"]),
        "uploads_alike": int(row["uploads_alike"]),
        "upload_median_bytes": row["upload_median"],
        "destination_clients": callers,
        "clients": clients,
        "rare": None if rare is None else bool(rare),
        "past_h": int(row["past_hours"]),
        "past_host_most_bytes": int(row["past_host_most"]) if known else None,
        "past_destination_most_bytes": int(row["past_destination_most"]) if known else None,
        "past_destination_days": int(row["past_destination_days"]) if known else None,
        "duration_s": (row["last_us"] - row["first_us"]) / 1e6,
    }


def _reason(row: Mapping[Hashable, Any], evidence: Mapping[str, Any]) -> str:
    most = evidence["past_host_most_bytes"]
    past = "no past to compare with" if most is None else f"at most {most / MEGABYTE:,.1f} MB a day to one before"
    signs = f"; {', '.join(evidence['signs'])}" if evidence["signs"] else ""
    return (
        f"{row['orig_h']} sent {evidence['sent_bytes'] / MEGABYTE:,.1f} MB to {row['key']} in "
        f"{evidence['connections']:,} connections within {evidence['duration_s'] / 3600:,.1f} h and got "
        f"{evidence['received_bytes'] / MEGABYTE:,.2f} MB ({evidence['destination_clients']:,} of "
        f"{evidence['clients']:,} hosts call there; {past}{signs})"
    )
