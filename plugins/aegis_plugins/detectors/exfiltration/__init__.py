"""Finds clients that send much to one destination outside: more than they get, than they did, or than others do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

HALF = 2.0  # doublings of the least volume that score 0.5
MEGABYTE = 1_000_000
DNS, QUIC = 53, 443  # ports

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Tuning:
    """From where on what leaves is worth a word, and what makes it odd."""

    min_bytes: int = tunable(
        3_000_000, "payload to one destination in 24 h with a sign, above the most of a past day", least=100_000,
        unit="bytes",
    )  # fmt: skip
    least_bytes: int = tunable(
        1_000_000, "the same with two signs or more and a past to compare with", least=100_000, unit="bytes"
    )
    plain_bytes: int = tunable(30_000_000, "the same without any sign", least=100_000, unit="bytes")
    min_ratio: float = tunable(3.0, "payload sent over payload received", least=1.0, most=1_000_000.0)
    min_growth: float = tunable(
        1.5, "times as much as on any past day, to a destination that has a past", least=1.0, most=1_000.0
    )
    min_history_h: int = tunable(
        72, "time the client was watched before the window, from which on there is a past", least=24, unit="h"
    )
    min_clients: int = tunable(4, "hosts of ours that call outside in an hour, from which on rarity is known", least=2)
    rare_share: float = tunable(
        0.02, "of these, the part that may call a rare destination; one always may", least=0.0, most=1.0
    )
    min_pieces: int = tunable(3, "uploads of one size", least=2, most=1_000)
    min_piece_bytes: int = tunable(262_144, "size from which on they are pieces of a whole", least=8_192, unit="bytes")
    min_drops: int = tunable(24, "smaller uploads of one size that are a slow channel", least=5, most=100_000)
    min_drop_hours: int = tunable(6, "hours in which they come", least=2, most=24, unit="h")


class Exfiltration(Detector):
    """Volume, direction, the client's past, the destination's rarity and how it was sent, over 24 h; see README.md."""

    name = "exfiltration"
    reads = ()
    derived = ("egress_hour", "server_name_hour", "tls_server_hour")
    needs = ("egress_hour",)
    window_s = 86_400
    every_s = 3_600
    lookback_s = 604_800  # the client's past
    shard_key = "orig_h"
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="signs channel",
        bool="beyond_past new rare",
        count=(
            "signs_count sent_bytes received_bytes connections servers active_hours uploads uploads_alike "
            "destination_clients clients past_h past_host_most_bytes past_destination_most_bytes "
            "past_destination_days"
        ),
        double="ratio upload_median_bytes duration_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + payload above a past day's / min_bytes)."""
        found = (_finding(row, tuning) for row in features.to_dict("records"))
        return pd.DataFrame([finding for finding in found if finding is not None])


def _finding(row: Row, tuning: Tuning) -> dict[str, Any] | None:
    sent, past = int(row["sent_bytes"]), int(row["past_destination_most"])
    evidence = _evidence(row, tuning)
    if sent - past < _floor(evidence, tuning) or sent < tuning.min_growth * past:
        return None
    doublings = log2(1 + (sent - past) / tuning.min_bytes)
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


def _floor(evidence: Mapping[str, Any], tuning: Tuning) -> int:
    """The volume from which on there is something to tell: the more signs, the less."""
    if evidence["signs_count"] >= 2 and evidence["beyond_past"]:
        return tuning.least_bytes
    return tuning.min_bytes if evidence["signs_count"] else tuning.plain_bytes


def _evidence(row: Row, tuning: Tuning) -> dict[str, Any]:
    sent = int(row["sent_bytes"])
    known = row["past_hours"] >= tuning.min_history_h
    rare = _rare(row, tuning) if known else None
    signs = list(_signs(row, rare, tuning))
    return {
        "signs": signs,
        "signs_count": len(signs),
        "beyond_past": sent > row["past_host_most"] if known else None,
        "new": bool(row["past_destination_days"] == 0) if known else None,
        "channel": _channel(row),
        "sent_bytes": sent,
        "received_bytes": int(row["received_bytes"]),
        "ratio": sent / max(1, int(row["received_bytes"])),
        "connections": int(row["connections"]),
        "servers": int(row["servers"]),
        "active_hours": int(row["hours"]),
        "uploads": int(row["uploads"]),
        "uploads_alike": int(row["uploads_alike"]),
        "upload_median_bytes": row["upload_median"],
        "destination_clients": int(row["destination_clients"]),
        "clients": int(row["clients"]),
        "rare": rare,
        "past_h": int(row["past_hours"]),
        "past_host_most_bytes": int(row["past_host_most"]) if known else None,
        "past_destination_most_bytes": int(row["past_destination_most"]) if known else None,
        "past_destination_days": int(row["past_destination_days"]) if known else None,
        "duration_s": (row["last_us"] - row["first_us"]) / 1e6,
    }


def _rare(row: Row, tuning: Tuning) -> bool | None:
    """Whether few others call there. Calls and games over UDP meet at another address each time: None."""
    if row["clients"] < tuning.min_clients or (row["least_proto"] == "udp" and row["least_port"] != QUIC):
        return None
    return bool(row["destination_clients"] <= max(1.0, tuning.rare_share * row["clients"]))


def _signs(row: Row, rare: bool | None, tuning: Tuning) -> Iterator[str]:
    if rare:
        yield "rare destination"
    if row["nameless"] > 0:
        yield "TLS without a name"
    alike = row["uploads_alike"] >= 0.75 * row["uploads"]
    if rare is False or not alike:
        return
    if row["uploads_alike"] >= tuning.min_pieces and row["upload_median"] >= tuning.min_piece_bytes:
        yield "even pieces"
    elif row["uploads_alike"] >= tuning.min_drops and row["hours"] >= tuning.min_drop_hours:
        yield "drop by drop"


def _channel(row: Row) -> str | None:
    """Where another detector leads: ICMP and DNS."""
    if row["most_proto"] == "icmp" and row["least_proto"] == "icmp":
        return "icmp"
    return "dns" if row["least_port"] == row["most_port"] == DNS else None


def _reason(row: Row, evidence: Mapping[str, Any]) -> str:
    most = evidence["past_host_most_bytes"]
    past = "no past to compare with" if most is None else f"at most {most / MEGABYTE:,.1f} MB a day to one before"
    signs = f"; {', '.join(evidence['signs'])}" if evidence["signs"] else ""
    return (
        f"{row['orig_h']} sent {evidence['sent_bytes'] / MEGABYTE:,.1f} MB to {row['key']} in "
        f"{evidence['connections']:,} connections within {evidence['duration_s'] / 3600:,.1f} h and got "
        f"{evidence['received_bytes'] / MEGABYTE:,.2f} MB ({evidence['destination_clients']:,} of "
        f"{evidence['clients']:,} hosts call there; {past}{signs})"
    )
