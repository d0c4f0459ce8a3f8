"""Finds protocols where they do not belong, and hosts or networks that speak others than they did."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

NAMES = {"ssl": "TLS", "dns": "DNS", "http": "HTTP", "ssh": "SSH", "quic": "QUIC", "rdp": "RDP", "smb": "SMB"}
# Ports that firewalls let out, and that are another protocol's: where one hides.
OPEN_PORTS = (21, 22, 25, 53, 80, 110, 123, 143, 443, 465, 587, 853, 993, 995, 8080, 8443)


@dataclass(frozen=True)
class Tuning:
    """How much of a mix, and since when a protocol on an odd port is usual here."""

    min_shift: float = tunable(
        0.3, "part of the connections that is of another protocol than usual", least=0.05, most=1.0
    )
    min_beyond: float = tunable(0.1, "of this, above the greatest shift of the hours before", least=0.0, most=1.0)
    min_connections: int = tunable(200, "in an hour, with payload both ways, for its mix to count", least=20)
    min_hours: int = tunable(24, "such hours in the week before", least=2, most=166, unit="h")
    min_history_h: int = tunable(72, "time watched, from which on there is a past", least=2, most=166, unit="h")
    usual_days: int = tunable(3, "days on which it was spoken so here, from which on it is usual", least=1, most=8)
    min_known: int = tunable(20, "connections on a port, for what is spoken there to be known", least=1)


class ProtocolAnomaly(Detector):
    """The mix of the last hour, and the protocols that are out of place in it, against a week; see README.md."""

    name = "protocol_anomaly"
    reads = ()
    derived = ("service_hour",)
    window_s = 7 * 86_400
    every_s = 3_600
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="kind scope protocol",
        addr="servers_sample",
        bool="open_port new_here",
        count="connections sent_bytes received_bytes servers past_days_here past_days_of_host compared_hours past_h",
        double="shift past_shift_most share share_before share_before_most",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score of a mix is its shift, of a protocol out of place 0.2 to 0.6 by what and where it is."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    mix = row["kind"] == "mix"
    known = bool(row["past_h"] >= tuning.min_history_h)
    servers = _list(row["top_servers"])
    scope = "" if _text(row["orig_h"]) else " of the whole network" if mix else " from outside"
    return {
        "orig_h": _text(row["orig_h"]),
        "key": ("mix of protocols" if mix else row["what"]) + scope,
        "resp_h": servers[0] if row["servers"] == len(servers) == 1 else None,
        "resp_p": _count(row["resp_p"]),
        "proto": _text(row["proto"]),
        "service": None if mix or row["kind"] == "unknown" else row["label"],
        "direction": _text(row["direction"]),
        "score": float(row["shift"]) if mix else _weight(row),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "kind": row["kind"],
            "scope": "network" if mix and _text(row["orig_h"]) is None else "host",
            "protocol": row["label"],
            "open_port": None if mix else _count(row["resp_p"]) in OPEN_PORTS,
            "connections": _count(row["connections"]),
            "sent_bytes": _count(row["sent_bytes"]),
            "received_bytes": _count(row["received_bytes"]),
            "servers": _count(row["servers"]),
            "servers_sample": servers,
            "new_here": None if mix or not known else bool(row["days"] == 0),
            "past_days_here": _count(row["days"]),
            "past_days_of_host": _count(row["host_days"]),
            "shift": _number(row["shift"]),
            "past_shift_most": _number(row["past_shift"]),
            "share": _number(row["share"]),
            "share_before": _number(row["base"]),
            "share_before_most": _number(row["most"]),
            "compared_hours": _count(row["compared_hours"]),
            "past_h": int(row["past_h"]),
        },
        "reason": _mix(row) if mix else _misplaced(row, servers, known),
        "uids": [uid for uid in _list(row["uids"]) if _text(uid)],
    }


def _list(value: Any) -> list[Any]:
    return [] if value is None else list(value)


def _weight(row: Mapping[Hashable, Any]) -> float:
    """How odd it is: a protocol on a port that is let out for another most, TLS on a high port least."""
    if row["kind"] == "tunnel":
        return 0.4
    if row["kind"] == "unknown":
        return 0.3
    if row["label"] in ("ssl", "quic") and not row["resp_p"] < 1024:
        return 0.2
    if row["label"] == "http" and row["resp_p"] == 443:
        return 0.3  # old clients and proxies do
    return 0.6 if row["resp_p"] in OPEN_PORTS else 0.4


def _mix(row: Mapping[Hashable, Any]) -> str:
    who = _text(row["orig_h"]) or "the whole network"
    return (
        f"{row['shift']:.0%} of the {int(row['connections']):,} connections of {who} in the hour are of other "
        f"protocols than in {int(row['compared_hours'])} hours before (at most {row['past_shift']:.0%} in one): "
        f"{_name(row['label'])} {row['share']:.0%} instead of {row['base']:.0%}"
    )


def _misplaced(row: Mapping[Hashable, Any], servers: list[str], known: bool) -> str:
    who = _text(row["orig_h"]) or "Clients outside"
    first = f", first {servers[0]}" if servers else ""
    where = servers[0] if row["servers"] == len(servers) == 1 else f"{int(row['servers'])} servers{first}"
    days = f"so here on {int(row['days'])} of the 7 days before" if known else "there is no past to compare with"
    port = "high ports" if pd.isna(row["resp_p"]) else f"port {int(row['resp_p'])}"
    what = {
        "odd": f"spoke {_name(row['label'])} on {port}",
        "unknown": f"spoke what is not the protocol of {port}",
        "tunnel": f"tunnelled by {_name(row['label'])}",
    }[row["kind"]]
    volume = f"{int(row['sent_bytes']):,} bytes out, {int(row['received_bytes']):,} back"
    number = f"{int(row['connections']):,} connection{'' if row['connections'] == 1 else 's'}"
    return f"{who} {what} with {where}: {number}, {volume}; {days}"


def _name(label: str) -> str:
    return NAMES.get(label, label.upper() if len(label) <= 4 else label)


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
