"""Finds logins that fail again and again: guessing at a host, spraying over hosts or users, many sources at a host."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import MICROS, Detector, tunable

HALF = 2.0  # doublings of the threshold's evidence that score 0.5
MANY_USERS = 10  # user names from which on the guessing is a spraying


@dataclass(frozen=True)
class Tuning:
    """From where on failures are guesses."""

    min_failures: int = tunable(20, "failed logins in an hour", least=5, most=1_000_000)
    min_failed_share: float = tunable(
        0.7, "least part of the logins (of hosts, of sources, where there are many) that failed", least=0.0, most=1.0
    )
    min_hosts: int = tunable(5, "hosts at which one source fails, a few times each", least=2, most=100_000)
    min_sources: int = tunable(10, "sources that fail at one host, a few times each", least=2, most=1_000_000)
    min_connections: int = tunable(
        15, "short connections of alike sizes between two hosts in an hour, where no log tells of logins", least=5
    )
    flow_ports: tuple[int, ...] = tunable((21, 22, 23, 3389), "ports at which these are guesses")
    max_login_s: int = tunable(60, "duration up to which a connection may be failed logins", least=1, unit="s")
    max_login_bytes: int = tunable(
        8_000, "sent by the server, headers included, up to which it may be", least=500, unit="bytes"
    )
    min_guesses: int = tunable(
        6, "connections of SSH, alike and too small for a session, before one that is a session", least=4, most=10_000
    )
    max_guess_bytes: int = tunable(
        2_600,
        "payload of the server up to which a connection of SSH is too small for a session",
        least=1_000,
        unit="bytes",
    )
    min_session_bytes: int = tunable(
        3_500, "payload of the server from which on a connection of SSH is one", least=1_000, unit="bytes"
    )


class BruteForce(Detector):
    """Counts failed logins that logs tell of, and short connections of alike sizes where none does; see README.md."""

    name = "brute_force"
    reads = ("conn", "ssh", "ntlm", "kerberos", "ldap", "ftp", "smtp", "http", "sip")
    window_s = 3_600
    every_s = 1_800
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="kinds service basis logged_in got_in_as users_sample",
        addr="got_into sources_sample hosts_sample",
        bool="inferred source_internal",
        count=(
            "failures connections busiest_minute successes successes_after sources hosts users refused "
            "larger_connections guess_bytes session_bytes"
        ),
        double="duration_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; x / (x + 2) of x = log2(1 + failures / min_failures + other hosts or sources / their minimum).

        Where a login followed, three quarters of the way to 1. Where only flows tell, half of it: half of that
        score, and half of the way.
        """
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    hosts, service = int(row["hosts"]), row["service"]
    flows, by_target = bool(row["by_flows"]), bool(row["by_target"])
    return {
        "orig_h": None if by_target else row["lead_h"],
        "key": f"{service} at {row['lead_h']}" if by_target else f"{service} by flows" if flows else service,
        "resp_h": row["hosts_sample"][0] if hosts == 1 else None,
        "resp_p": int(ports[0]) if len(ports := _texts(row["ports"])) == 1 else None,
        "proto": "tcp" if service in ("ssh", "ftp", "smtp", "http", "rdp", "telnet") else None,
        "direction": _direction(row),
        "score": _score(row, tuning),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "kinds": _kinds(row, tuning),
            "service": service,
            "basis": "flows" if flows else "log",
            "inferred": flows,
            **{c: int(row[c]) for c in ("failures", "connections", "busiest_minute", "successes")},
            "successes_after": int(row["got_in"]),
            "logged_in": None if not row["got_in"] else "inferred" if flows else "told",
            "got_into": _texts(row["got_into"]),
            "got_in_as": _texts(row["got_in_as"]),
            **{c: int(row[c]) for c in ("sources", "hosts", "users", "refused", "larger_connections")},
            "sources_sample": _texts(row["sources_sample"]),
            "guess_bytes": _whole(row["guess_bytes"]),
            "session_bytes": _whole(row["session_bytes"]),
            "hosts_sample": _texts(row["hosts_sample"]),
            "users_sample": _texts(row["users_sample"]),
            "source_internal": _same(row, "orig_internal"),
            "duration_s": (row["last_us"] - row["first_us"]) / MICROS,
        },
        "reason": _reason(row),
        "uids": list(row["uids"]),
    }


def _score(row: Mapping[Hashable, Any], tuning: Tuning) -> float:
    if row["by_flows"]:
        x = log2(1 + row["failures"] / tuning.min_connections)
        score = x / (x + HALF)
        return float(1 - (1 - score) / 2 if row["got_in"] else score / 2)
    others = (row["sources"] - 1) / tuning.min_sources if row["by_target"] else (row["hosts"] - 1) / tuning.min_hosts
    x = log2(1 + row["failures"] / tuning.min_failures + others)
    score = x / (x + HALF)
    return float(1 - (1 - score) / 4 if row["got_in"] else score)


def _kinds(row: Mapping[Hashable, Any], tuning: Tuning) -> list[str]:
    """How it is done: many sources, many hosts, many users, or one of each."""
    kinds = [
        *(["many sources"] if row["by_target"] else []),
        *(["many hosts"] if row["hosts"] >= tuning.min_hosts else []),
        *(["many users"] if row["users"] >= MANY_USERS else []),
    ]
    return kinds or ["guessing"]


def _reason(row: Mapping[Hashable, Any]) -> str:
    hosts, sources, users = int(row["hosts"]), int(row["sources"]), int(row["users"])
    who = f"{sources:,} sources" if row["by_target"] else row["lead_h"]
    where = f"{hosts:,} hosts" if hosts > 1 else row["hosts_sample"][0]
    span = _span((row["last_us"] - row["first_us"]) / MICROS)
    failures, service = int(row["failures"]), row["service"]
    if row["by_flows"]:
        return f"{who} made {failures:,} short connections of alike sizes to {service} of {where} in {span}{_then(row)}"
    names = f" as {users:,} users" if users > 1 else ""
    then = f", then logged in at {_some(row['got_into'])}" if row["got_in"] else ""
    return (
        f"{who} failed to log in {failures:,} times to {service} of {where}{names} in {span} "
        f"({int(row['connections']):,} connections, up to {int(row['busiest_minute']):,} failures a minute){then}"
    )


def _then(row: Mapping[Hashable, Any]) -> str:
    """What followed, as far as flows show it."""
    if row["got_in"]:
        told = f"{int(row['guess_bytes']):,} bytes each, {int(row['session_bytes']):,} in what followed"
        return f", then logged in at {_some(row['got_into'])}, by what the server sent ({told})"
    later = int(row["larger_connections"])
    return f", and then {later:,} larger" if later else ""


def _some(values: Any) -> str:
    texts = _texts(values)
    return texts[0] if len(texts) == 1 else f"{len(texts)} hosts"


def _whole(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _texts(values: Any) -> list[str]:
    """A list of the query, which is null where nothing was in it."""
    return [] if values is None else [str(v) for v in values]


def _same(row: Mapping[Hashable, Any], side: str) -> bool | None:
    """Whether all of that side are inside or none; None where they differ or it is not known."""
    least, most = row[f"least_{side}"], row[f"most_{side}"]
    return None if pd.isna(least) or least != most else bool(least)


def _direction(row: Mapping[Hashable, Any]) -> str | None:
    """As the networks enricher words it; None where it is not known or there are hosts on both sides."""
    sources, hosts = _same(row, "orig_internal"), _same(row, "resp_internal")
    if sources is None or hosts is None:
        return None
    if sources:
        return "internal" if hosts else "outbound"
    return "inbound" if hosts else "external"


def _span(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
