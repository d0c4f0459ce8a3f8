"""Finds clients that call the same server again and again at an even pace, as an implant calls its controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from aegis_enrich.plugin import Detector, tunable

# MAD over median of the gaps between independent calls, which are distributed exponentially: asinh(1/2) / ln 2.
RANDOM_DISPERSION = 0.694
# Quartiles closer than this share of the median are one value: the skew of what is left is the clock's.
LEAST_SPREAD = 0.05
SHOWN = 10


@dataclass(frozen=True)
class Tuning:
    """When repeated calls are a beacon."""

    min_dials: int = tunable(20, "calls in the window below which there is no rhythm to judge", least=5, most=86_400)
    min_span_s: int = tunable(1_800, "time from the first call to the last", least=10, most=86_400, unit="s")
    least_gap_s: float = tunable(1.0, "calls closer than this are one", least=0.0, most=3_600.0, unit="s")
    min_score: float = tunable(0.7, "score below which nothing is said", least=0.0, most=1.0)
    crowd: int = tunable(10, "nameless servers called evenly by one client from which on they are one finding", least=2)
    inside: bool = tunable(False, "servers inside our networks too")
    skip_ports: tuple[int, ...] = tunable(
        (53, 67, 68, 123, 137, 138, 546, 547, 853, 1900, 3702, 5353, 5355),
        "server ports whose protocols poll by design: DNS, DHCP, NTP, NetBIOS, SSDP, WS-Discovery, mDNS, LLMNR",
    )
    pollers: tuple[str, ...] = tunable(
        (), "names that are known to be polled (their subdomains too): noted as `known_poller` for the rule to weigh"
    )


class Beaconing(Detector):
    """Even gaps, even sizes and an unbroken rhythm over up to 24 h; see README.md."""

    name = "beaconing"
    reads = ()
    derived = ("pair_hour", "server_name_hour")
    window_s = 86_400
    every_s = 3_600
    shard_key = "orig_h"
    entity = ("orig_h", "key")
    tuning = Tuning

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = timing * steady * (0.75 + 0.25 * size), each 0.0-1.0, where 1 is a clock's."""
        parts = components(features)
        kept = parts["score"] >= tuning.min_score
        rows = features[kept].join(parts[kept]).to_dict("records")
        return pd.DataFrame([_finding(row, tuning) for row in rows])


def components(features: pd.DataFrame) -> pd.DataFrame:
    """Score and its parts, by row; sizes that are not known (no conn row) count as half even."""
    median = features["gap_median_ms"].clip(lower=1.0)
    spread = features["gap_q3_ms"] - features["gap_q1_ms"]
    skew = (features["gap_q3_ms"] + features["gap_q1_ms"] - 2 * median) / spread.where(spread > 0, 1.0)
    skew = skew.where(spread >= LEAST_SPREAD * median, 0.0).abs()
    dispersion = features["gap_mad_ms"] / median
    timing = ((1 - dispersion / RANDOM_DISPERSION).clip(0.0, 1.0) + (1 - skew).clip(0.0, 1.0)) / 2
    sent, apart = features["size_median"].astype(float), features["size_mad"].astype(float)
    size = (1 - apart / sent.clip(lower=1.0)).clip(0.0, 1.0).fillna(0.5)
    steady = (features["steady_ms"] / features["span_ms"].clip(lower=1)).clip(0.0, 1.0)
    score = timing * steady * (0.75 + 0.25 * size)
    columns = {"dispersion": dispersion, "skew": skew, "timing": timing, "size": size, "steady": steady, "score": score}
    return pd.DataFrame({name: np.round(column.astype(float), 6) for name, column in columns.items()})


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
        "evidence": _evidence(row, proxied) | {"known_poller": _is_polled(name, tuning.pollers)},
        "reason": _reason(row, proxied),
        "uids": [example.split(" ", 1)[1] for example in row["examples"]][:20],
    }


def _evidence(row: Mapping[Any, Any], proxied: bool) -> dict[str, Any]:
    return {
        "dials": int(row["dials"]),
        "rows": int(row["connections"]),
        "answered_rows": None if pd.isna(row["answered"]) else int(row["answered"]),
        "peers": int(row["peers"]),
        "span_s": row["span_ms"] / 1000,
        "hours": int(row["hours"]),
        "gap_median_s": row["gap_median_ms"] / 1000,
        "gap_mad_s": row["gap_mad_ms"] / 1000,
        "gap_q1_s": row["gap_q1_ms"] / 1000,
        "gap_q3_s": row["gap_q3_ms"] / 1000,
        "gap_skew": row["skew"],
        "size_median_bytes": row["size_median"],
        "size_mad_bytes": row["size_mad"],
        "timing": row["timing"],
        "steady": row["steady"],
        "size": row["size"],
        "through_proxy": proxied,
        "proxies" if proxied else "servers": list(row["servers"])[:SHOWN],
        "ports": list(row["ports"])[:SHOWN],
    }


def _server(row: Mapping[Any, Any], proxied: bool) -> str | None:
    """The address that was called: a proxy is none, nor is one of several."""
    if isinstance(row["name"], str) and _is_address(row["name"]):
        return str(row["name"])
    return str(row["servers"][0]) if len(row["servers"]) == 1 and not proxied else None


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _is_polled(name: str | None, pollers: tuple[str, ...]) -> bool:
    return name is not None and any(name == p or name.endswith("." + p) for p in pollers)


def _reason(row: Mapping[Any, Any], proxied: bool) -> str:
    whom = f"{int(row['peers'])} servers without a name" if row["peers"] > 1 else str(row["key"])
    how = " through a proxy" if proxied else ""
    sizes = "" if pd.isna(row["size_median"]) else f", sending {row['size_median']:,.0f} ± {row['size_mad']:,.0f} bytes"
    dead = ", never answered" if row["answered"] == 0 else ""
    return (
        f"{row['orig_h']} called {whom}{how} {int(row['dials'])} times in {row['span_ms'] / 3_600_000:.1f} h, "
        f"one each {row['gap_median_ms'] / 1000:,.1f} ± {row['gap_mad_ms'] / 1000:,.1f} s{sizes}{dead}"
    )
