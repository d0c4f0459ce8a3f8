"""Finds sources that probe many ports of a host, or one port of many hosts, and get no service out of it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

KINDS = {
    "vertical_tcp": "vertical TCP",
    "horizontal_tcp": "horizontal TCP",
    "vertical_udp": "vertical UDP",
    "horizontal_udp": "horizontal UDP",
}
ICMP_KINDS = {
    8: "ICMP echo",
    13: "ICMP timestamp",
    15: "ICMP information",
    17: "ICMP address mask",
    128: "ICMPv6 echo",
}
ICMP_LEAST = 5  # hosts from which on ICMP requests are named as a kind
HALF = 2.0  # doublings of the threshold's evidence that score 0.5


@dataclass(frozen=True)
class Tuning:
    """From where on failed attempts are a scan."""

    min_ports: int = tunable(15, "ports of one host, of one transport, without service", least=5, most=65_536)
    min_hosts: int = tunable(10, "hosts without service at one port", least=5, most=1_000_000)
    min_failed_share: float = tunable(
        0.3, "of all hosts that the source called at that port, the least part without service", least=0.0, most=1.0
    )
    min_share_of_failed: float = tunable(
        0.2, "of all hosts that the source failed to reach, the least part at that port", least=0.0, most=1.0
    )
    skip_ports: tuple[int, ...] = tunable((), "ports that do not count, such as 8333 where Bitcoin nodes are wanted")


class PortScan(Detector):
    """Counts TCP rows with state REJ, S0, SH, RSTOS0, RSTO, RSTR, SF, UDP and ICMP rows, and scans that Zeek's script
    tells; see README.md."""

    name = "port_scan"
    reads = ("conn", "aegis_scan")
    early = ("aegis_scan",)
    window_s = 3_600
    every_s = 1_800
    lateness_s = 150  # of UDP: a minute until it is unanswered, one in the scan log, and what its nodes take
    counts: ClassVar = {
        "conn": ({"conn_state": ("REJ", "S0", "RSTOS0", "SH", "RSTO", "RSTR", "SF")}, {"proto": ("icmp",)}),
        "aegis_scan": ({"kind": ("vertical", "horizontal", "mixed")},),
    }
    shard_key = "orig_h"
    entity = ("orig_h",)
    tuning = Tuning
    evidence = typed(
        string="kinds basis",
        addr="hosts_sample",
        bool="source_internal capped",
        count=(
            "hosts ports sockets attempts refused unanswered half_open udp_sockets most_ports_of_a_host "
            "most_hosts_at_a_port icmp_hosts ports_sample internal_hosts external_hosts nodes least_hosts "
            "least_ports answered"
        ),
        double="most_failed_share duration_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + vertical sockets / min_ports + swept hosts / min_hosts)."""
        vertical = (features["vertical_tcp"] + features["vertical_udp"]) / tuning.min_ports
        swept = features["swept_permille"] / 1000 / tuning.min_hosts
        doublings = np.log2(1 + vertical + swept)
        scores = (doublings / (doublings + HALF)).tolist()
        rows = zip(features.to_dict("records"), scores, strict=True)
        return pd.DataFrame([_logged(r, s) if r["of_log"] else _finding(r, s) for r, s in rows])


def _finding(row: Mapping[Hashable, Any], score: float) -> dict[str, Any]:
    (hosts, ports), (host, port) = _samples(row), _only(row)
    one_proto = row["least_proto"] == row["most_proto"]
    kinds = _kinds(row)
    return {
        "orig_h": row["orig_h"],
        "resp_h": host,
        "resp_p": port,
        "proto": row["most_proto"] if one_proto else None,
        "direction": _direction(row),
        "score": score,
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "kinds": kinds,
            "hosts": int(row["hosts"]),
            "ports": int(row["ports"]),
            "sockets": int(row["sockets"]),
            "attempts": int(row["attempts"]),
            "refused": int(row["refused"]),
            "unanswered": int(row["unanswered"]),
            "half_open": int(row["half_open"]),
            "udp_sockets": int(row["udp_sockets"]),
            "most_ports_of_a_host": int(row["most_ports"]),
            "most_hosts_at_a_port": int(row["most_hosts"]),
            "most_failed_share": None if pd.isna(row["failed_permille"]) else row["failed_permille"] / 1000,
            "icmp_hosts": int(row["icmp_hosts"]),
            "hosts_sample": hosts,
            "ports_sample": ports,
            "source_internal": None if pd.isna(row["orig_internal"]) else bool(row["orig_internal"]),
            "internal_hosts": int(row["internal_hosts"]),
            "external_hosts": int(row["external_hosts"]),
            "duration_s": (row["last_us"] - row["first_us"]) / 1e6,
        },
        "reason": _reason(row, kinds),
        "uids": [] if row["uids"] is None else list(row["uids"]),
    }


def _samples(row: Mapping[Hashable, Any]) -> tuple[list[str], list[int]]:
    """Some hosts and some ports; none where the rows name none."""
    hosts, ports = ([] if row[name] is None else list(row[name]) for name in ("hosts_sample", "ports_sample"))
    return hosts, [int(p) for p in ports]


def _only(row: Mapping[Hashable, Any]) -> tuple[str | None, int | None]:
    """The host and the port, where it is one."""
    hosts, ports = _samples(row)
    host = hosts[0] if row["hosts"] == len(hosts) == 1 else None
    return host, ports[0] if row["ports"] == len(ports) == 1 else None


def _logged(row: Mapping[Hashable, Any], score: float) -> dict[str, Any]:
    """A finding by Zeek's scan log: outcomes are of attempts, hosts and ports those of the largest interval."""
    (hosts, ports), (host, port) = _samples(row), _only(row)
    kinds = _kinds(row)
    counts = ("hosts", "ports", "least_hosts", "least_ports", "sockets", "attempts", "answered", "refused")
    return {
        "orig_h": row["orig_h"],
        "resp_h": host,
        "resp_p": port,
        "proto": row["most_proto"] if row["least_proto"] == row["most_proto"] else None,
        "direction": None,
        "score": score,
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "basis": "aegis_scan",
            "kinds": kinds,
            **{name: int(row[name]) for name in (*counts, "unanswered", "half_open")},
            "most_failed_share": row["failed_permille"] / 1000,
            "capped": bool(row["capped"]),
            "nodes": int(row["nodes"]),
            "hosts_sample": hosts,
            "ports_sample": [int(p) for p in ports],
            "source_internal": None if pd.isna(row["orig_internal"]) else bool(row["orig_internal"]),
            "duration_s": (row["last_us"] - row["first_us"]) / 1e6,
        },
        "reason": (
            f"{row['orig_h']} probed {_whom(row, host, port)} in {_span(row)} ({', '.join(kinds)}; Zeek's scan log): "
            f"of {int(row['attempts']):,} attempts {int(row['refused']):,} refused, {int(row['unanswered']):,} did not "
            f"answer, {int(row['half_open']):,} were reset without data"
        ),
        "uids": [],
    }


def _kinds(row: Mapping[Hashable, Any]) -> list[str]:
    """What kinds of probes there were; ICMP only beside others, for it is no trigger."""
    kinds = [text for column, text in KINDS.items() if row[column]]
    if row["icmp_hosts"] >= ICMP_LEAST:
        kinds += [ICMP_KINDS[int(t)] for t in row["icmp_types"]]
    return kinds


def _direction(row: Mapping[Hashable, Any]) -> str | None:
    """As the networks enricher words it; None where it is not known or the hosts are on both sides."""
    if pd.isna(row["orig_internal"]) or (row["internal_hosts"] > 0) == (row["external_hosts"] > 0):
        return None
    inside = row["internal_hosts"] > 0
    if row["orig_internal"]:
        return "internal" if inside else "outbound"
    return "inbound" if inside else "external"


def _reason(row: Mapping[Hashable, Any], kinds: list[str]) -> str:
    host, port = _only(row)
    return (
        f"{row['orig_h']} probed {_whom(row, host, port)} in {_span(row)} ({', '.join(kinds)}): of "
        f"{int(row['sockets']):,} sockets {int(row['refused']):,} refused, {int(row['unanswered']):,} did not answer, "
        f"{int(row['half_open']):,} were reset without data"
    )


def _whom(row: Mapping[Hashable, Any], host: str | None, port: int | None) -> str:
    more = "+" if row["capped"] else ""
    hosts = host or f"{int(row['hosts']):,}{more} host{'s' * (row['hosts'] > 1)}"
    ports = f"{int(row['ports']):,}{more} port{'s' * (row['ports'] > 1)}" if port is None else f"port {port}"
    return f"{ports} of {hosts}"


def _span(row: Mapping[Hashable, Any]) -> str:
    seconds = (row["last_us"] - row["first_us"]) / 1e6
    return f"{seconds:,.1f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
