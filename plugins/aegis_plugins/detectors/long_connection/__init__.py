"""Finds connections that last: tunnels, remote control and exfiltration hold one open where browsing does not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import MICROS, Detector, tunable


@dataclass(frozen=True)
class Tuning:
    """From when on a connection is long."""

    min_duration_s: int = tunable(3_600, "from its first packet to its last", least=10, most=2_592_000, unit="s")
    half_score_s: int = tunable(43_200, "duration that scores 0.5", least=60, most=2_592_000, unit="s")
    min_history_h: int = tunable(72, "time watched, from which on there is a past", least=24, most=168, unit="h")
    min_pair_days: int = tunable(3, "days of the week before with one, for the pair's own past", least=1, most=8)
    min_clients: int = tunable(10, "clients with one to the port, for the past of the port", least=2)
    push_ports: tuple[int, ...] = tunable(
        (143, 443, 993, 5222, 5223, 5228, 8883),
        "ports at which clients wait in silence, so that pieces are not joined: IMAP, HTTPS, XMPP, APNs, FCM, MQTT",
    )
    max_silence_s: int = tunable(7_200, "without a packet, after which it is another one", least=300, unit="s")
    skip_udp_ports: tuple[int, ...] = tunable(
        (53, 67, 68, 123, 137, 138, 546, 547, 1900, 3702, 5353, 5355),
        "UDP services that clients poll from one socket: DNS, DHCP, NTP, NetBIOS, SSDP, WS-Discovery, mDNS, LLMNR",
    )


class LongConnection(Detector):
    """A connection is a row, so a window needs no other: what lasts on is found again, longer; see README.md.

    What a silence has cut into several is joined, from `lasting_hour`, which also tells what is usual.
    """

    name = "long_connection"
    reads = ("conn", "open_conn", "ssl", "open_ssl", "http", "open_http", "quic")
    derived = ("lasting_hour",)
    window_s = 3_600
    every_s = 3_600
    rowwise = True
    lookback_s = 21_600  # a name is told in a connection's first second, its row comes at the end
    past_s = 604_800
    entity = ("orig_h", "orig_p", "resp_h", "resp_p", "proto", "start_us")
    tuning = Tuning
    evidence = typed(
        string="conn_state tls_name http_host",
        bool="still_open source_internal destination_internal",
        count="pieces orig_bytes resp_bytes orig_pkts resp_pkts",
        double="duration_s usual_longest_s times_usual",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = d / (d + half_score_s) of the duration d."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    duration_s = (row["last_us"] - row["first_us"]) / MICROS
    # Another sensor, or another tool, may time the first packet some microseconds apart.
    start_us = int(row["start_us"]) // MICROS * MICROS
    usual_s = _usual_s(row, tuning)
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
            "pieces": int(row["pieces"]),
            "usual_longest_s": usual_s,
            "times_usual": None if usual_s is None else duration_s / usual_s,
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
        "reason": _reason(row, duration_s, name, still_open, usual_s),
        "uids": [row["uid"]] if _text(row["uid"]) else [],
    }


def _usual_s(row: Mapping[Hashable, Any], tuning: Tuning) -> float | None:
    """The longest that the pair, or anyone to this port, held one in the week before; None where no past is known.

    Of what a silence cuts into pieces the past holds pieces only, so nothing is said.
    """
    known = [row[name] for name in ("pair_longest_us", "service_longest_us") if not pd.isna(row[name])]
    if not known or row["past_h"] < tuning.min_history_h or row["pieces"] > 1:
        return None
    return float(max(known)) / MICROS


def _name(row: Mapping[Hashable, Any]) -> str | None:
    """The server's name without a port; None where the client named none or an address."""
    text = _text(row["tls_name"]) or _text(row["http_host"])
    if text is None or text.startswith("["):
        return None
    host = text.partition(":")[0] if text.count(":") == 1 else text
    return None if ":" in host or host.replace(".", "").isdigit() else host.rstrip(".") or None


def _reason(
    row: Mapping[Hashable, Any], duration_s: float, name: str | None, still_open: bool, usual_s: float | None
) -> str:
    address = f"[{row['resp_h']}]" if ":" in row["resp_h"] else row["resp_h"]
    port = "" if pd.isna(row["resp_p"]) else f":{int(row['resp_p'])}"  # GRE and the like have none in EVE
    server = f"{address}{port}/{row['proto']}" + (f" ({name})" if name else "")
    held = "has held a connection" if still_open else "held a connection"
    span = _span(duration_s) + (f", in {int(row['pieces'])} pieces" if row["pieces"] > 1 else "")
    sent, received = _count(row["orig_bytes"]), _count(row["resp_bytes"])
    volume = "" if sent is None or received is None else f", {sent:,} bytes sent and {received:,} received"
    usual = "" if usual_s is None else f"; the longest there in the week before was {_span(usual_s)}"
    return f"{row['orig_h']} {held} to {server} open for {span}{volume}{usual}"


def _span(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{seconds:,.0f} s"


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _flag(value: Any) -> bool | None:
    return None if pd.isna(value) else bool(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
