"""When a client called what an alert says it calls at an even pace, read again from the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..plugin import DAY_US, MICROS
from .clock import micros
from .lake import Lake

MOST_CALLS = 20_000  # the newest that are read
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Rhythm:
    """A beacon and its calls, ascending, in µs; `gaps`: (time of a call, seconds since the one before)."""

    alert: Document
    calls: tuple[int, ...]
    gaps: tuple[tuple[int, float], ...]


def is_rhythm(alert: Document) -> bool:
    """Whether an alert's evidence tells of gaps between calls."""
    evidence = alert["aegis"]["evidence"]
    return bool(evidence.get("gap_median_s")) and bool(alert["aegis"]["entity"].get("orig_h"))


def rhythms(alerts: Sequence[Document]) -> list[tuple[Document, ...]]:
    """Alerts of rhythms, the worst first, those on one pair (of several days) together."""
    pairs: dict[str, list[Document]] = {}
    for alert in filter(is_rhythm, alerts):
        pairs.setdefault(repr(sorted(alert["aegis"]["entity"].items())), []).append(alert)
    return [tuple(found) for found in pairs.values()]


def rhythm(lake: Lake, alerts: Sequence[Document]) -> Rhythm:
    """The calls of alerts on one pair, the worst first; none where their rows are not kept any more."""
    aegis = alerts[0]["aegis"]
    first_us = min(micros(a["aegis"]["first_seen"]) for a in alerts)
    last_us = max(micros(a["aegis"]["last_seen"]) for a in alerts)
    asked = {"client": aegis["entity"]["orig_h"], "first_us": first_us, "last_us": last_us, "most": MOST_CALLS}
    query, values = _asked(str(aegis["entity"].get("key", "")), aegis["evidence"])
    rows = lake.ask(query, aegis["sensors"][0], first_us, last_us + DAY_US, **asked, **values)
    apart_us = round((aegis["evidence"].get("burst_s") or 0) * MICROS)
    by_server: dict[str, list[int]] = {}
    for row in rows:
        by_server.setdefault(row["server"], []).append(int(row["ts_us"]))
    found = [_merged(sorted(times), apart_us) for _, times in sorted(by_server.items())]
    gaps = sorted((b, (b - a) / MICROS) for times in found for a, b in pairwise(times))
    return Rhythm(alerts[0], tuple(sorted(t for times in found for t in times)), tuple(gaps))


def _asked(key: str, evidence: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The query of a beacon's key: a name, `address:port/protocol`, `address:*` for ports by turns, or `peers`."""
    address, _, socket = key.rpartition(":")
    port, slash, proto = socket.partition("/")
    servers, ports = list(evidence.get("servers_sample") or ()), list(evidence.get("ports") or ())
    if key and key != "peers" and not slash and socket != "*":
        return "calls_by_name", {"name": key}
    if slash and port.isdigit():
        return "calls_by_socket", {"servers": [address], "ports": [int(port)], "proto": proto, "apart": False}
    if socket == "*":
        return "calls_by_socket", {"servers": [address], "ports": ports, "proto": "", "apart": False}
    return "calls_by_socket", {"servers": servers, "ports": ports, "proto": "", "apart": True}


def _merged(times: Iterable[int], apart_us: int) -> list[int]:
    """Calls without those that start so soon after the one before that they are the same."""
    kept: list[int] = []
    before = None
    for time in times:
        if before is None or time - before > apart_us:
            kept.append(time)
        before = time
    return kept
