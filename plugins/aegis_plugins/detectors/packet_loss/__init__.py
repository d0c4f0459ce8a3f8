"""Finds where TCP has to send its payload again: on a pair's way, around a host, on a whole link."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

WAYS = {
    "outbound": "out of our networks",
    "inbound": "into our networks",
    "internal": "within our networks",
    "external": "past our networks",
    "unknown": "past the sensor",
}


@dataclass(frozen=True)
class Tuning:
    """From where on retransmission is a finding."""

    min_rate: float = tunable(0.03, "of the payload sent, what was sent again", least=0.001, most=1.0)
    min_bytes: int = tunable(
        50_000, "payload in one direction from which on a pair, a peer or a host is judged", least=10_000, unit="bytes"
    )
    min_lost_bytes: int = tunable(7_300, "payload sent again: five full packets", least=1, unit="bytes")
    min_members: int = tunable(3, "peers of a host, or hosts of a link, that make one", least=2, most=1_000_000)
    min_missed: float = tunable(0.05, "of the payload acknowledged, what the sensor did not see", least=0.001, most=1.0)
    most_flows: int = tunable(100, "pairs that a window tells, those with the most loss", least=1, most=10_000)
    half_rate: float = tunable(0.1, "rate that scores 0.5", least=0.001, most=1.0)


class PacketLoss(Detector):
    """Retransmitted over sent payload bytes, by direction; see README.md."""

    name = "packet_loss"
    reads = ("conn", "aegis_retransmission")
    window_s = 3_600
    every_s = 1_800
    lookback_s = 3_600  # the rows of a long connection before the window, which the rows in it go on from
    entity = ("orig_h", "resp_h", "resp_p", "key")
    tuning = Tuning
    evidence = typed(
        string="scope subject cause payload way seen source worst_peers worst_hosts",
        count=(
            "sent_bytes sent_again_bytes late_or_again_least_bytes connections peers hosts lossy_connections "
            "lossy_peers lossy_hosts pairs_found sensor_missed_bytes doubled_connections payload_bytes "
            "seen_again_bytes connections_with_gaps missed_bytes"
        ),
        double="rate total_rate",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = rate / (rate + half_rate)."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    scope = str(row["key"]).partition(" ")[0]
    rate = float(row["rate"])
    return {
        "orig_h": row["orig_h"],
        "resp_h": row["resp_h"],
        "resp_p": _count(row["resp_p"]),
        "key": row["key"],
        "proto": "tcp",
        "direction": row["direction"],
        "score": rate / (rate + tuning.half_rate),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {"scope": scope, "subject": _SUBJECTS[scope](row), **_EVIDENCE.get(scope, _loss)(row)},
        "reason": _REASONS[scope](row),
        "uids": list(row["uids"]) if _listed(row["uids"]) else [],
    }


def _loss(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    scope = str(row["key"]).partition(" ")[0]
    members = {"flow": "connections", "host": "peers", "link": "hosts"}[scope]
    again, late = int(row["again"]), int(row["late"])
    return {
        "cause": "network",
        "rate": float(row["rate"]),
        "total_rate": int(row["lost"]) / int(row["sent"]),
        "payload": "received" if row["role"] == "received" else "sent",
        "way": row["way"],
        "sent_bytes": int(row["sent"]),
        "sent_again_bytes": again,
        "late_or_again_least_bytes": late,
        # again: the sensor saw both, so the loss is behind it; late: only the second, so it is before it, or reordering
        "seen": "again" if again >= late else "late",
        members: int(row["members"]),
        f"lossy_{members}": int(row["lossy"]),
        **({f"worst_{members}": list(row["worst"])} if scope != "flow" else {"pairs_found": int(row["found"])}),
        "sensor_missed_bytes": _count(row["missed"]),
        "source": _source(row),
    }


def _duplicates(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {
        "cause": "duplicates",
        "rate": float(row["rate"]),
        "way": row["way"],
        "connections": int(row["members"]),
        "doubled_connections": int(row["lossy"]),
        "payload_bytes": int(row["sent"]),
        "seen_again_bytes": _count(row["again"]),
        "source": _source(row),
    }


def _capture(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {
        "cause": "capture",
        "rate": float(row["rate"]),
        "connections": int(row["members"]),
        "connections_with_gaps": int(row["lossy"]),
        "payload_bytes": int(row["sent"]),
        "missed_bytes": _count(row["missed"]),
        "source": _source(row),
    }


_EVIDENCE = {"duplicates": _duplicates, "capture": _capture}
_SUBJECTS: dict[str, Callable[[Mapping[Hashable, Any]], str]] = {
    "flow": lambda row: f"Packet loss between {row['orig_h']} and {row['resp_h']}",
    "host": lambda row: f"Packet loss around {row['orig_h']}",
    "link": lambda row: f"Packet loss {WAYS[row['way']]}",
    "duplicates": lambda row: f"Sensor sees packets twice ({row['way']})",
    "capture": lambda row: "Sensor misses packets",
}


def _source(row: Mapping[Hashable, Any]) -> str:
    return "aegis_retransmission" if row["scripted"] else "conn"


def _flow_reason(row: Mapping[Hashable, Any]) -> str:
    sender, receiver = row["orig_h"], f"{row['resp_h']} port {_count(row['resp_p'])}"
    if row["role"] == "received":
        sender, receiver = receiver, sender
    return f"{sender} sent {_volume(row)} to {receiver} again, in {_connections(row['members'])}"


def _host_reason(row: Mapping[Hashable, Any]) -> str:
    what = "sent to" if row["role"] == "sent" else "got from"
    return (
        f"of what {row['orig_h']} {what} {int(row['members']):,} peers, {row['rate']:.1%} was sent again "
        f"in the median; {int(row['lossy']):,} of them are affected"
    )


def _link_reason(row: Mapping[Hashable, Any]) -> str:
    return (
        f"of the TCP payload {WAYS[row['way']]}, {row['rate']:.1%} was sent again in the median of "
        f"{int(row['members']):,} hosts; {int(row['lossy']):,} of them are affected"
    )


def _duplicates_reason(row: Mapping[Hashable, Any]) -> str:
    return (
        f"the sensor sees each packet twice in {int(row['lossy']):,} of {int(row['members']):,} TCP connections "
        f"({row['way']}), as where a mirror port copies both what enters and what leaves"
    )


def _capture_reason(row: Mapping[Hashable, Any]) -> str:
    return (
        f"the sensor did not see {row['rate']:.1%} of the TCP payload that was acknowledged "
        f"({int(row['missed']):,} bytes), in {int(row['lossy']):,} of {int(row['members']):,} connections"
    )


_REASONS = {
    "flow": _flow_reason,
    "host": _host_reason,
    "link": _link_reason,
    "duplicates": _duplicates_reason,
    "capture": _capture_reason,
}


def _connections(count: float) -> str:
    return f"{int(count):,} connection{'s' * (count != 1)}"


def _volume(row: Mapping[Hashable, Any]) -> str:
    least = "at least " if int(row["late"]) > int(row["again"]) else ""
    return f"{least}{int(row['lost']):,} of {int(row['sent']):,} payload bytes ({row['rate']:.1%})"


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _listed(value: Any) -> bool:
    return value is not None and not isinstance(value, float)
