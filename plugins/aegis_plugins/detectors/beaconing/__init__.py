"""Finds clients that call the same server again and again at an even pace, as an implant calls its controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import HOUR_US, Detector, tunable

from .rita import rita_score

# Of the gaps between independent calls, which are distributed exponentially, over their median: MAD, asinh(1/2) / ln 2,
# and the distance of the first from the ninth decile, ln 9 / ln 2.
RANDOM_MAD = 0.694
RANDOM_DECILES = 3.17
# By how much a spread counts more that few gaps show: 1 + this / gaps. Few independent calls look even by chance.
FEW = 8.0
# Quartiles closer than this share of the median are one value: the skew of what is left is the clock's.
LEAST_SPREAD = 0.05
# A pause takes so many times its share of the gaps away: sleep once a day costs nothing, each tenth gap half.
PAUSES = 5.0
# A short run is half as sure as the same rhythm over time enough.
SHORT = 0.5
SHOWN = 10


@dataclass(frozen=True)
class Tuning:
    """When repeated calls are a beacon."""

    min_dials: int = tunable(12, "calls in the window below which there is no rhythm to judge", least=5, most=86_400)
    min_span_s: int = tunable(1_800, "time with calls, without long pauses", least=10, most=86_400, unit="s")
    least_gap_s: float = tunable(1.0, "calls closer than this are one", least=0.0, most=3_600.0, unit="s")
    min_score: float = tunable(0.7, "score below which nothing is said", least=0.0, most=1.0)
    most_calls: int = tunable(2_000, "newest calls that are judged; older hours are not opened", least=100, most=86_400)
    crowd: int = tunable(10, "nameless servers called evenly by one client from which on they are one finding", least=2)
    most_ports: int = tunable(16, "ports of a nameless server by turns that are one beacon; more are a scan", least=2)
    inside: bool = tunable(False, "servers inside our networks too")
    skip_ports: tuple[int, ...] = tunable((53, 853), "server ports that are polled by design, over TCP and UDP: DNS")
    skip_udp_ports: tuple[int, ...] = tunable(
        (67, 68, 123, 137, 138, 500, 546, 547, 1900, 3478, 3702, 4500, 5353, 5355),
        "likewise, over UDP: DHCP, NTP, NetBIOS, IKE, SSDP, STUN, WS-Discovery, mDNS, LLMNR",
    )
    min_short_dials: int = tunable(
        20,
        "calls of a run that is shorter than `min_span_s`, from which on it is told at half the score",
        least=5,
        most=86_400,
    )
    min_short_span_s: int = tunable(60, "time with calls of a short run", least=10, most=86_400, unit="s")
    min_short_score: float = tunable(
        0.8, "score below which a short run is not told, before it is halved", least=0.0, most=1.0
    )
    most_short_clients: int = tunable(
        2, "clients up to which a short run's server is a rare one", least=1, most=1_000_000
    )
    pollers: tuple[str, ...] = tunable(
        (), "names that are known to be polled (their subdomains too): noted as `known_poller` for the rule to weigh"
    )


class Beaconing(Detector):
    """Even gaps and an unbroken rhythm over up to 24 h, confirmed by even sizes and hours; see README.md."""

    name = "beaconing"
    reads = ()
    derived = ("pair_hour", "server_name_hour", "server_hour")
    window_s = 86_400
    every_s = 3_600
    shard_key = "orig_h"
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="dns_name",
        addr="servers_sample proxies_sample",
        bool="short known_poller through_proxy",
        count="dials rows answered_rows hours pauses peers ports dns_queries clients all_clients",
        double=(
            "span_s active_s gap_median_s gap_mad_s gap_d1_s gap_q1_s gap_q3_s gap_d9_s gap_skew burst_s jitter "
            "size_median_bytes size_mad_bytes hour_median_calls hour_mad_calls timing steady size level "
            "rita_score dns_per_call clients_share server_seen_h"
        ),
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = √(timing * steady * (0.85 + 0.15 * confirmed)), each 0.0-1.0, where 1 is a clock's.

        Half of it for a short run, whose known pollers are left out.
        """
        parts = components(features)
        short = features["short"] == 1
        kept = parts["score"] >= short.map({True: tuning.min_short_score, False: tuning.min_score})
        parts.loc[short, "score"] *= SHORT
        found = [_finding(row, tuning) for row in features[kept].join(parts[kept]).to_dict("records")]
        return pd.DataFrame([f for f in found if not (f["evidence"]["short"] and f["evidence"]["known_poller"])])


def components(features: pd.DataFrame) -> pd.DataFrame:
    """Score and its parts, by row. What is not known (sizes, hours) confirms nothing and contradicts nothing."""
    median = features["gap_median_ms"].clip(lower=1.0)
    free = (median - features["silence_ms"]).clip(lower=1.0)  # what chance could vary: a call ends with a silence
    few = 1 + FEW / (features["dials"] / features["peers"] - 1).clip(lower=1.0)
    middle = 1 - few * features["gap_mad_ms"] / free / RANDOM_MAD
    whole = 1 - few * (features["gap_d9_ms"] - features["gap_d1_ms"]) / free / RANDOM_DECILES
    timing = (middle.clip(0.0, 1.0) + whole.clip(0.0, 1.0)) / 2
    gaps = (features["dials"] / features["peers"] - 1).clip(lower=1.0)
    active = (features["span_ms"] - features["paused_ms"]).clip(lower=1)
    unbroken = (1 - PAUSES * features["pauses"] / gaps).clip(0.0, 1.0)
    steady = (features["steady_ms"] / active).clip(0.0, 1.0) * unbroken
    size = _evenness(features["size_median"], features["size_mad"])
    level = _evenness(features["hour_median"], features["hour_mad"])
    confirmed = pd.concat([size, level], axis=1).mean(axis=1).fillna(0.5)
    columns = {
        "skew": _skew(features, median),
        "timing": timing,
        "steady": steady,
        "size": size,
        "level": level,
        "score": (timing * steady * (0.85 + 0.15 * confirmed)) ** 0.5,
    }
    return pd.DataFrame({name: np.round(column.astype(float), 6) for name, column in columns.items()})


def _evenness(median: pd.Series[Any], mad: pd.Series[Any]) -> pd.Series[Any]:
    """1 - MAD / median, 0.0-1.0; null where they are."""
    return (1 - mad.astype(float) / median.astype(float).clip(lower=1.0)).clip(0.0, 1.0)


def _skew(features: pd.DataFrame, median: pd.Series[Any]) -> pd.Series[Any]:
    """Bowley's, without sign."""
    spread = features["gap_q3_ms"] - features["gap_q1_ms"]
    skew = (features["gap_q3_ms"] + features["gap_q1_ms"] - 2 * median) / spread.where(spread > 0, 1.0)
    return skew.where(spread >= LEAST_SPREAD * median, 0.0).abs()


def _finding(row: Mapping[Any, Any], tuning: Tuning) -> dict[str, Any]:
    name = row["name"] if isinstance(row["name"], str) and not _is_address(row["name"]) else None
    one = int(row["peers"]) == 1
    proxied = bool(row["proxied"])
    ports, protos = list(row["ports"]), list(row["protos"])
    return {
        "orig_h": row["orig_h"],
        "key": row["key"],
        "name": name,
        "resp_h": _server(row, proxied),
        "resp_p": int(ports[0]) if one and len(ports) == 1 and not proxied else None,
        "proto": protos[0] if len(protos) == 1 else None,
        "direction": None if proxied else row["direction"],
        "score": row["score"],
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": _rhythm(row) | _whom(row, proxied) | {"known_poller": _is_polled(row, name, tuning.pollers)},
        "reason": _reason(row, proxied),
        "uids": [example.split(" ", 1)[1] for example in row["examples"]][:20],
    }


def _rhythm(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "dials": int(row["dials"]),
        "short": bool(row["short"]),
        "rows": int(row["connections"]),
        "answered_rows": _whole(row["answered"]),
        "span_s": row["span_ms"] / 1000,
        "hours": int(row["hours"]),
        "pauses": int(row["pauses"]),
        "active_s": (row["span_ms"] - row["paused_ms"]) / 1000,
        "gap_median_s": row["gap_median_ms"] / 1000,
        "gap_mad_s": row["gap_mad_ms"] / 1000,
        "gap_d1_s": row["gap_d1_ms"] / 1000,
        "gap_q1_s": row["gap_q1_ms"] / 1000,
        "gap_q3_s": row["gap_q3_ms"] / 1000,
        "gap_d9_s": row["gap_d9_ms"] / 1000,
        "gap_skew": row["skew"],
        "burst_s": row["silence_ms"] / 1000,
        # a share by which gaps spread to both sides, if they do evenly: half of it is their MAD
        "jitter": min(1.0, 2 * row["gap_mad_ms"] / max(1.0, row["gap_median_ms"])),
        "size_median_bytes": row["size_median"],
        "size_mad_bytes": row["size_mad"],
        "hour_median_calls": row["hour_median"],
        "hour_mad_calls": row["hour_mad"],
        "timing": row["timing"],
        "steady": row["steady"],
        "size": row["size"],
        "level": row["level"],
        "rita_score": _rita(row),
    }


def _whom(row: Mapping[Any, Any], proxied: bool) -> dict[str, Any]:
    clients, all_clients, seen = _whole(row["clients"]), _whole(row["all_clients"]), row["seen_us"]
    lookups = _whole(row["lookups"])
    named = isinstance(row["lookup_name"], str)
    return {
        "peers": int(row["peers"]),
        "through_proxy": proxied,
        "proxies_sample" if proxied else "servers_sample": list(row["servers"])[:SHOWN],
        "ports": list(row["ports"])[:SHOWN],
        "dns_queries": lookups,
        "dns_per_call": None if lookups is None else lookups / int(row["dials"]),
        "dns_name": row["lookup_name"] if named else None,
        "clients": clients,
        "all_clients": all_clients,
        "clients_share": clients / max(1, all_clients, clients) if clients and all_clients else None,
        # how long before this beacon's last call anybody called the server first, as far as the window reaches
        "server_seen_h": None if pd.isna(seen) else max(0.0, (int(row["last_us"]) - int(seen)) / HOUR_US),
    }


def _rita(row: Mapping[Any, Any]) -> float | None:
    if row["starts_s"] is None or pd.isna(row["data_first_s"]):
        return None
    sizes = () if row["ip_sizes"] is None else row["ip_sizes"]
    return rita_score(row["starts_s"], sizes, int(row["data_first_s"]), int(row["data_last_s"]))


def _whole(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _server(row: Mapping[Any, Any], proxied: bool) -> str | None:
    """The address that was called: a proxy is none, nor is one of several."""
    if isinstance(row["name"], str) and _is_address(row["name"]):
        return str(row["name"])
    return str(row["servers"][0]) if len(row["servers"]) == 1 and not proxied else None


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _is_polled(row: Mapping[Any, Any], name: str | None, pollers: tuple[str, ...]) -> bool:
    """By the name that it called, or else by that which DNS gave for the address."""
    known = row["lookup_name"] if name is None else name
    return isinstance(known, str) and any(known == p or known.endswith("." + p) for p in pollers)


def _reason(row: Mapping[Any, Any], proxied: bool) -> str:
    whom = f"{int(row['peers'])} servers without a name" if row["peers"] > 1 else str(row["key"]).removesuffix(":*")
    ports = f" on {len(row['ports'])} ports by turns" if row["kind"] == "ports" else ""
    how = " through a proxy" if proxied else ""
    sizes = "" if pd.isna(row["size_median"]) else f", sending {row['size_median']:,.0f} ± {row['size_mad']:,.0f} bytes"
    asked = f", asking DNS {int(row['lookups'])} times" if not pd.isna(row["lookups"]) and row["lookups"] > 0 else ""
    dead = ", never answered" if row["answered"] == 0 else ""
    pauses = int(row["pauses"])
    asleep = f" with {pauses} pause{'s' if pauses > 1 else ''}" if pauses else ""
    return (
        f"{row['orig_h']} called {whom}{ports}{how} {int(row['dials'])} times in "
        f"{_span(row)}{asleep}, "
        f"one each {row['gap_median_ms'] / 1000:,.1f} ± {row['gap_mad_ms'] / 1000:,.1f} s{sizes}{asked}{dead}"
        f"{': a rhythm too short to be sure' if row['short'] else ''}"
    )


def _span(row: Mapping[Any, Any]) -> str:
    return f"{row['span_ms'] / 60_000:.1f} min" if row["short"] else f"{row['span_ms'] / 3_600_000:.1f} h"
