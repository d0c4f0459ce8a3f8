"""Finds clients that ask for many unlike domains which do not exist, as a domain generation algorithm does."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar

import pandas as pd

from aegis_enrich.plugin import Detector, tunable

from .names import Traits, traits

HALF = 2.0  # doublings of the least number of names that score 0.5
SHOWN = 10
LOCAL = (
    "alt",
    "corp",
    "domain",
    "example",
    "fritz.box",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "workgroup",
)


@dataclass(frozen=True)
class Tuning:
    """From where on failed names are generated ones."""

    min_names: int = tunable(12, "unlikely registered domains that failed in an hour", least=5, most=100_000)
    min_share: float = tunable(0.5, "of the domains that failed, the least part that is unlikely", least=0.0, most=1.0)
    min_surprise_bits: float = tunable(
        4.5, "mean information of a letter after the one before, from which on a name is unlikely", least=1.0, most=9.0
    )
    min_letters: int = tunable(5, "letters and digits of a name below which nothing is told of it", least=3, most=63)
    skip_suffixes: tuple[str, ...] = tunable(LOCAL, "suffixes of names that no public server knows")
    skip_domains: tuple[str, ...] = tunable((), "registered domains that do not count, the site's own for example")


class Dga(Detector):
    """Counts queries answered NXDOMAIN, SERVFAIL or REFUSED; see README.md."""

    name = "dga"
    reads = ("dns",)
    window_s = 3_600
    every_s = 1_800
    lateness_s = 60  # a row of dns comes with its answer
    counts: ClassVar = {"dns": ({"rcode_name": ("NXDOMAIN", "SERVFAIL", "REFUSED")},)}
    shard_key = "orig_h"
    entity = ("orig_h",)
    tuning = Tuning

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + unlikely names * their share / min_names)."""
        found = (_finding(row, tuning) for row in features.to_dict("records"))
        return pd.DataFrame([finding for finding in found if finding is not None])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any] | None:
    failed = [traits(name.split(" ")[0]) for name in row["failed"]]
    judged = [t for t in failed if not t.encoded]
    unlikely = [t for t in judged if _is_unlikely(t, tuning)]
    share = len(unlikely) / max(1, len(judged))
    if len(unlikely) < tuning.min_names or share < tuning.min_share:
        return None
    doublings = log2(1 + len(unlikely) * share / tuning.min_names)
    resolved = _alike([] if row["resolved"] is None else list(row["resolved"]), unlikely, tuning)
    evidence = _evidence(row, judged, unlikely) | {
        "resolved_alike": len(resolved),
        "resolved_sample": resolved[:SHOWN],
    }
    return {
        "orig_h": row["orig_h"],
        "resp_h": row["least_resolver"] if row["least_resolver"] == row["most_resolver"] else None,
        "score": doublings / (doublings + HALF),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": evidence,
        "reason": _reason(row, evidence),
        "uids": list(row["uids"]),
    }


def _is_unlikely(name: Traits, tuning: Tuning) -> bool:
    return name.letters >= tuning.min_letters and name.surprise_bits >= tuning.min_surprise_bits


def _alike(resolved: Sequence[str], unlikely: Sequence[Traits], tuning: Tuning) -> list[str]:
    """Of `label suffix address`, those as unlikely as the names that failed, and about as long."""
    shortest, longest = 0.75 * min(t.letters for t in unlikely), 1.25 * max(t.letters for t in unlikely)
    alike = []
    for text in resolved:
        label, suffix, address = text.split(" ", 2)
        name = traits(label)
        if not name.encoded and shortest <= name.letters <= longest and _is_unlikely(name, tuning):
            alike.append(f"{label}.{suffix} {address}")
    return alike


def _evidence(row: Mapping[Hashable, Any], judged: Sequence[Traits], unlikely: Sequence[Traits]) -> dict[str, Any]:
    many = len(unlikely)
    return {
        "failed_domains": int(row["failed_domains"]),
        "judged_domains": len(judged),
        "unlikely_domains": many,
        "unlikely_share": many / len(judged),
        "known_domains": int(row["known_domains"]),
        "failed_queries": int(row["failed_queries"]),
        "nxdomain": int(row["nxdomain"]),
        "servfail": int(row["servfail"]),
        "refused": int(row["refused"]),
        "surprise_bits_mean": sum(t.surprise_bits for t in unlikely) / many,
        "entropy_bits_mean": sum(t.entropy_bits for t in unlikely) / many,
        "letters_mean": sum(t.letters for t in unlikely) / many,
        "digits_share": sum(t.digits for t in unlikely) / sum(t.letters for t in unlikely),
        "consonants_in_a_row_mean": sum(t.consonants_in_a_row for t in unlikely) / many,
        "suffixes": list(row["suffixes"])[:SHOWN],
        "examples": list(row["examples"]),
        "duration_s": (row["last_us"] - row["first_us"]) / 1e6,
    }


def _reason(row: Mapping[Hashable, Any], evidence: Mapping[str, Any]) -> str:
    seconds = evidence["duration_s"]
    span = f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
    resolved = f"; {evidence['resolved_alike']} alike resolved" if evidence["resolved_alike"] else ""
    return (
        f"{row['orig_h']} asked for {evidence['failed_domains']:,} registered domains in {span} that all failed, "
        f"{evidence['unlikely_domains']:,} of them unlikely names ({evidence['surprise_bits_mean']:.1f} bits a letter"
        f"), such as {', '.join(evidence['examples'][:3])}{resolved}"
    )
