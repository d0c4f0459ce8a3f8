"""Finds connections that last: tunnels, remote control and exfiltration hold one open where browsing does not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aegis_enrich.plugin import MICROS, Detector, tunable


@dataclass(frozen=True)
class Tuning:
    """From when on a connection is long."""

    min_duration_s: int = tunable(3_600, "from its first packet to its last", least=10, most=2_592_000, unit="s")
    half_score_s: int = tunable(43_200, "duration that scores 0.5", least=60, most=2_592_000, unit="s")
    skip_udp_ports: tuple[int, ...] = tunable(
        (53, 67, 68, 123, 137, 138, 546, 547, 1900, 3702, 5353, 5355),
        "UDP services that clients poll from one socket: DNS, DHCP, NTP, NetBIOS, SSDP, WS-Discovery, mDNS, LLMNR",
    )


class LongConnection(Detector):
    """A connection is a row, so a window needs no other: what lasts on is found again, longer; see README.md."""

    name = "long_connection"
    reads = ("conn", "open_conn", "ssl", "open_ssl", "http", "open_http", "quic")
    window_s = 3_600
    every_s = 3_600
    rowwise = True
    lookback_s = 21_600  # a name is told in a connection's first second, its row comes at the end
    entity = ("orig_h", "orig_p", "resp_h", "resp_p", "proto", "start_us")
    tuning = Tuning

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = d / (d + half_score_s) of the duration d."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    duration_s = (row["last_us"] - row["first_us"]) / MICROS
    # Another sensor, or another tool, may time the first packet some microseconds apart.
    start_us = int(row["first_us"]) // MICROS * MICROS
    still_open = bool(row["still_open"])
    name = _name(row)
    return {
        "orig_h": row["orig_h"],
        "orig_p": _count(row["orig_p"]),
        "resp_h": row["resp_h"],
        "resp_p": _count(row["resp_p"]),
        "proto": row["proto"],
        "start_us": start_us,
        "period_us": start_us,
        "name": name,
        "service": row["service"],
        "direction": row["direction"],
        "community_id": row["community_id"],
        "score": duration_s / (duration_s + tuning.half_score_s),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "duration_s": duration_s,
            "still_open": still_open,
            "conn_state": row["conn_state"],
            "orig_bytes": _count(row["orig_bytes"]),
            "resp_bytes": _count(row["resp_bytes"]),
            "orig_pkts": _count(row["orig_pkts"]),
            "resp_pkts": _count(row["resp_pkts"]),
            "tls_name": _text(row["tls_name"]),
            "http_host": _text(row["http_host"]),
            "source_internal": _flag(row["orig_internal"]),
            "destination_internal": _flag(row["resp_internal"]),
        },
        "reason": _reason(row, duration_s, name, still_open),
        "uids": [row["uid"]] if _text(row["uid"]) else [],
    }


def _name(row: Mapping[Hashable, Any]) -> str | None:
    """The server's name without a port; None where the client named none or an address."""
    text = _text(row["tls_name"]) or _text(row["http_host"])
    if text is None or text.startswith("["):
        return None
    host = text.partition(":")[0] if text.count(":") == 1 else text
    return None if ":" in host or host.replace(".", "").isdigit() else host.rstrip(".") or None


def _reason(row: Mapping[Hashable, Any], duration_s: float, name: str | None, still_open: bool) -> str:
    address = f"[{row['resp_h']}]" if ":" in row["resp_h"] else row["resp_h"]
    port = "" if pd.isna(row["resp_p"]) else f":{int(row['resp_p'])}"  # GRE and the like have none in EVE
    server = f"{address}{port}/{row['proto']}" + (f" ({name})" if name else "")
    held = "has held a connection" if still_open else "held a connection"
    span = f"{duration_s / 3600:,.1f} h" if duration_s >= 3600 else f"{duration_s:,.0f} s"
    sent, received = _count(row["orig_bytes"]), _count(row["resp_bytes"])
    volume = "" if sent is None or received is None else f", {sent:,} bytes sent and {received:,} received"
    return f"{row['orig_h']} {held} to {server} open for {span}{volume}"


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _flag(value: Any) -> bool | None:
    return None if pd.isna(value) else bool(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
