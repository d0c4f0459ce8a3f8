"""Finds services for inside use only that answer the Internet: remote desktops, file shares, databases and the like."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import log10
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

REACHED, SPOKEN, CONFIRMED, USED = 0.2, 0.4, 0.6, 0.8  # least score of each degree of certainty
STEP = 0.19  # what many sources add within a degree

SERVICES = (
    *("3389/tcp rdp", "445/tcp smb", "139/tcp smb", "5900/tcp vnc", "5901/tcp vnc", "5902/tcp vnc", "5903/tcp vnc"),
    *("23/tcp telnet", "2323/tcp telnet", "5985/tcp winrm", "5986/tcp winrm", "135/tcp msrpc", "513/tcp rlogin"),
    *("514/tcp rsh", "6000/tcp x11", "5555/tcp adb", "623/udp ipmi", "69/udp tftp", "161/udp snmp", "873/tcp rsync"),
    *("111/tcp rpcbind", "111/udp rpcbind", "2049/tcp nfs", "389/tcp ldap", "389/udp ldap", "1433/tcp mssql"),
    *("1434/udp mssql", "1521/tcp oracle", "3306/tcp mysql", "5432/tcp postgresql", "27017/tcp mongodb"),
    *("27018/tcp mongodb", "6379/tcp redis", "9200/tcp elasticsearch", "9300/tcp elasticsearch", "5984/tcp couchdb"),
    *("9042/tcp cassandra", "8086/tcp influxdb", "11211/tcp memcached", "11211/udp memcached", "2375/tcp docker"),
    *("2376/tcp docker", "6443/tcp kubernetes", "10250/tcp kubernetes", "2379/tcp etcd", "8500/tcp consul"),
    *("2181/tcp zookeeper", "1099/tcp java rmi", "8009/tcp ajp", "5005/tcp java debugger", "9100/tcp printer"),
    *("502/tcp modbus", "102/tcp s7comm", "20000/tcp dnp3", "44818/tcp enip", "47808/udp bacnet", "2404/tcp iec104"),
    *("1883/tcp mqtt",),
)
# What Zeek calls a service in conn's `service`, wherever it is served, and what we call it.
ANALYZERS = (
    *("rdp rdp", "rdpeudp rdp", "smb smb", "rfb vnc", "vnc vnc", "telnet telnet", "dce_rpc msrpc", "snmp snmp"),
    *("mysql mysql", "postgresql postgresql", "mongodb mongodb", "redis redis", "ldap ldap", "ldap_tcp ldap"),
    *("ldap_udp ldap", "modbus modbus", "dnp3_tcp dnp3", "dnp3_udp dnp3", "enip enip", "s7comm s7comm", "mqtt mqtt"),
    *(
        "bacnet bacnet",
        "x11 x11",
        "rlogin rlogin",
        "rsh rsh",
        "ipmi ipmi",
        "tftp tftp",
        "nfs nfs",
        "portmapper rpcbind",
    ),
)
# These speak HTTP or TLS, so that Zeek's word for it confirms them at their own port.
OVER_HTTP = ("winrm", "docker", "kubernetes", "elasticsearch", "couchdb", "influxdb", "etcd", "consul", "rdp")


@dataclass(frozen=True)
class Tuning:
    """Which services are none of the Internet's business, and what an answer is."""

    services: tuple[str, ...] = tunable(SERVICES, "port/protocol and name of services that are for inside use only")
    analyzers: tuple[str, ...] = tunable(
        ANALYZERS, "what `service` of conn.log says and our name for it: found at any port; `name none` leaves it out"
    )
    over_http: tuple[str, ...] = tunable(OVER_HTTP, "names of services that HTTP or TLS at their port confirms")
    allowed: tuple[str, ...] = tunable((), "`address port/protocol` that is exposed on purpose")
    max_silent_ports: int = tunable(
        8, "ports of a host that accept connections and say nothing, beyond which these ports are nothing", least=0
    )
    min_answer_bytes: int = tunable(
        10_000, "payload in one connection that only a service in use sends", least=100, unit="bytes"
    )


class ExposedService(Detector):
    """Inbound connections that were answered, by host, port and service; see README.md."""

    name = "exposed_service"
    reads = ("conn",)
    window_s = 3_600
    every_s = 1_800
    shard_key = "resp_h"
    entity = ("resp_h", "resp_p", "proto")
    tuning = Tuning
    evidence = typed(
        string="service",
        addr="sources_sample",
        bool="confirmed spoken usual_port",
        count="connections spoken_connections used_connections answer_bytes largest_answer_bytes sources",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; 0.2 for a port that was reached, 0.4 spoken, 0.6 confirmed, 0.8 used, and up to 0.19 by sources."""
        return pd.DataFrame([_finding(row) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    sources, least = int(row["sources"]), _degree(row)
    sample = list(row["sources_sample"])
    return {
        "resp_h": row["resp_h"],
        "resp_p": int(row["resp_p"]),
        "proto": row["proto"],
        "orig_h": sample[0] if sources == 1 else None,
        "service": row["service"],
        "direction": "inbound",
        "score": least + STEP * min(1.0, log10(sources) / 2),
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "service": row["service"],
            "confirmed": bool(row["confirmed"]),
            "spoken": int(row["spoken"]) > 0,
            "usual_port": bool(row["usual_port"]),
            "connections": int(row["connections"]),
            "spoken_connections": int(row["spoken"]),
            "used_connections": int(row["used"]),
            "answer_bytes": int(row["answer_bytes"]),
            "largest_answer_bytes": int(row["largest_answer_bytes"]),
            "sources": sources,
            "sources_sample": sample,
        },
        "reason": _reason(row, sources, sample),
        "uids": list(row["uids"]),
    }


def _degree(row: Mapping[Hashable, Any]) -> float:
    """How sure it is that the service is there: reached, spoken to, confirmed (by name or by much data), both."""
    certain = int(row["confirmed"]) + (1 if row["used"] > 0 else 0)
    if certain:
        return USED if certain == 2 else CONFIRMED
    return SPOKEN if row["spoken"] > 0 else REACHED


def _reason(row: Mapping[Hashable, Any], sources: int, sample: list[str]) -> str:
    host = f"[{row['resp_h']}]" if ":" in row["resp_h"] else row["resp_h"]
    whom = sample[0] if sources == 1 else f"{sources:,} addresses outside"
    what = f"the service {row['service']}" if row["confirmed"] else f"the port of {row['service']}"
    how = "accepted connections of" if row["spoken"] == 0 else f"sent {int(row['answer_bytes']):,} bytes to"
    return (
        f"{host}:{int(row['resp_p'])}/{row['proto']}, {what}, {how} {whom} in {int(row['connections']):,} connections"
    )
