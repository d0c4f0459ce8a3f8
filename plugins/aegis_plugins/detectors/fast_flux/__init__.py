"""Finds names whose addresses change quickly over many networks, as those of a fast-flux service network do."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

HALF = 2.0  # doublings of the least number of networks that score 0.5
# Names that are answered so by design: pools of volunteers' clocks, first peers of currencies and file sharing, and
# content networks and clouds with addresses all over the world.
ROTATING = (
    "aaplimg.com",
    "akadns.net",
    "akamai.net",
    "akamaiedge.net",
    "amazonaws.com",
    "azure.com",
    "azure.net",
    "bitcoinstats.com",
    "bluematt.me",
    "cloudapp.net",
    "cloudfront.net",
    "edgekey.net",
    "edgesuite.net",
    "fastly.net",
    "fbcdn.net",
    "gvt1.com",
    "jonasschnelli.ch",
    "llnwd.net",
    "msedge.net",
    "nordvpn.com",
    "ntp.org",
    "opendht.org",
    "petertodd.org",
    "sipa.be",
    "trafficmanager.net",
    "transmissionbt.com",
    "windows.com",
)


@dataclass(frozen=True)
class Tuning:
    """From where on a name's addresses are in flux."""

    min_addresses: int = tunable(10, "different addresses of a name in an hour", least=4, most=10_000)
    min_networks: int = tunable(8, "different networks (/16, of IPv6 /32) of these", least=3, most=10_000)
    min_spread: float = tunable(0.5, "networks for each address: a provider has many in one", least=0.0, most=1.0)
    min_new_share: float = tunable(
        0.25,
        "of the addresses, first seen in the later half of the time: a fixed set shows itself early",
        least=0.0,
        most=1.0,
    )
    min_answers: int = tunable(3, "answers, so that a change can show", least=2, most=100_000)
    max_ttl_s: int = tunable(1_800, "the longest time to live of an answer that counts", least=1, most=86_400, unit="s")
    least_systems: float = tunable(
        0.3, "where the AS of five addresses or more is known: fewer AS for each are a provider's", least=0.0, most=1.0
    )
    skip_domains: tuple[str, ...] = tunable(ROTATING, "domains whose addresses rotate by design, asked for or as alias")


class FastFlux(Detector):
    """Addresses, networks and turnover of a name's answers over all clients; see README.md."""

    name = "fast_flux"
    reads = ("dns", "conn")
    needs = ("dns",)
    window_s = 3_600
    every_s = 1_800
    entity = ("name",)
    tuning = Tuning
    evidence = typed(
        string="queries_sample examples",
        count="addresses networks new_addresses answers clients as_known as_numbers",
        double="networks_per_address new_address_share ttl_s_median duration_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + networks * share of new addresses / (min_networks / 2))."""
        rows = [row for row in features.to_dict("records") if not _is_provider(row, tuning)]
        return pd.DataFrame([_finding(row, tuning) for row in rows])


def _is_provider(row: Mapping[Hashable, Any], tuning: Tuning) -> bool:
    """An alias that is known to rotate, or addresses that nearly all are one AS's."""
    name = str(row["name"])
    if any(name == domain or name.endswith(f".{domain}") for domain in tuning.skip_domains):
        return True
    known = _number(row["as_known"])
    return known is not None and known >= 5 and row["as_numbers"] < tuning.least_systems * known


def _number(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    addresses, networks, new = int(row["addresses"]), int(row["networks"]), int(row["new_addresses"])
    doublings = log2(1 + networks * new / addresses / (tuning.min_networks / 2))
    median_s = None if pd.isna(row["ttl_s_median"]) else float(row["ttl_s_median"])
    evidence = {
        "addresses": addresses,
        "networks": networks,
        "networks_per_address": networks / addresses,
        "new_addresses": new,
        "new_address_share": new / addresses,
        "answers": int(row["answers"]),
        "clients": int(row["clients"]),
        "ttl_s_median": median_s,
        "as_known": _number(row["as_known"]),
        "as_numbers": _number(row["as_numbers"]),
        "queries_sample": list(row["queries"]),
        "examples": list(row["examples"]),
        "duration_s": (row["last_us"] - row["first_us"]) / 1e6,
    }
    return {
        "name": row["name"],
        "orig_h": row["orig_h"] if row["clients"] == 1 else None,
        "score": doublings / (doublings + HALF),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": evidence,
        "reason": _reason(row, evidence),
        "uids": list(row["uids"]),
    }


def _reason(row: Mapping[Hashable, Any], evidence: Mapping[str, Any]) -> str:
    ttl = "" if evidence["ttl_s_median"] is None else f" that live {evidence['ttl_s_median']:,.0f} s"
    return (
        f"{row['name']} was answered with {evidence['addresses']:,} addresses in {evidence['networks']:,} networks "
        f"within {evidence['duration_s'] / 60:,.0f} min, in {evidence['answers']:,} answers{ttl}; "
        f"{evidence['new_address_share']:.0%} of them first in the later half"
    )
