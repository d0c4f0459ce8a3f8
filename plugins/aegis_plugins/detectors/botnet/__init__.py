"""Finds hosts that do a botnet's work: call its controllers, talk to its peers, send its spam, mine, march in step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import MICROS, Detector, tunable

HALF = 2.0  # doublings of the threshold that score 0.5

COMMON_PATHS = (
    *("/", "/index.html", "/index.htm", "/index.php", "/default.aspx", "/favicon.ico", "/robots.txt", "/sitemap.xml"),
    *("/ads.txt", "/app-ads.txt", "/humans.txt", "/security.txt", "/crossdomain.xml", "/clientaccesspolicy.xml"),
    *("/apple-touch-icon.png", "/apple-touch-icon-precomposed.png", "/wpad.dat", "/proxy.pac"),
    *("/generate_204", "/gen_204", "/ncsi.txt", "/connecttest.txt", "/redirect", "/hotspot-detect.html"),
    *("/library/test/success.html", "/success.txt", "/canonical.html", "/check_network_status.txt", "/health"),
    *("/status", "/ping", "/feed", "/feed/", "/rss", "/rss/", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml"),
    *("/ocsp", "/ocsp/", "/crl", "/dns-query", "/manifest.json", "/service-worker.js", "/sw.js"),
)
# Defaults of BitTorrent, eDonkey and Kademlia, Gnutella, DHTs of Ethereum, Bitcoin and IPFS, Syncthing, Tailscale.
SHARING_PORTS = (
    *range(6881, 6890),
    *(6969, 51413, 8999, 49001, 4661, 4662, 4665, 4672, 6346, 6347, 6348, 30303, 30301, 8333, 4001, 22000, 41641),
)
POOLS = (
    *(
        "supportxmr.com",
        "minexmr.com",
        "nanopool.org",
        "hashvault.pro",
        "moneroocean.stream",
        "2miners.com",
        "c3pool.com",
    ),
    *(
        "xmrpool.eu",
        "monerohash.com",
        "herominers.com",
        "minergate.com",
        "f2pool.com",
        "unmineable.com",
        "nicehash.com",
    ),
    *("viabtc.com", "antpool.com", "slushpool.com", "braiins.com", "ethermine.org", "flexpool.io", "woolypooly.com"),
    *("kryptex.network", "zpool.ca", "prohashing.com", "p2pool.io", "dwarfpool.com", "poolin.com", "miningpoolhub.com"),
)
# Ports that poll by design (as beaconing), and those of calls, tunnels and mail, which many clients keep open.
SKIP_PORTS = (
    *(25, 53, 67, 68, 123, 137, 138, 465, 500, 546, 547, 587, 853, 993, 995, 1194, 1900, 3478, 3702, 4500, 5060),
    *(5061, 5222, 5223, 5228, 5353, 5355, 8801, 19302, 51820),
)


@dataclass(frozen=True)
class Tuning:
    """From where on it is a botnet's work."""

    min_names: int = tunable(20, "registered domains that a client asks for one path and nothing else", least=3)
    max_requests: int = tunable(20, "requests up to which a name counts among these", least=1)
    common_paths: tuple[str, ...] = tunable(COMMON_PATHS, "paths, in lower case, that programs ask of any name")
    min_peers: int = tunable(50, "hosts outside to which one UDP socket talks", least=10)
    sharing_ports: tuple[int, ...] = tunable(SHARING_PORTS, "ports of file sharing and of other open networks of peers")
    sharing_share: float = tunable(
        0.02, "part of the peers at these from which on it is file sharing", least=0.0, most=1.0
    )
    sharing_bytes: int = tunable(20_000, "bytes for each peer from which on it is", least=0, unit="bytes")
    min_mail_servers: int = tunable(20, "servers outside to which a host sends mail itself", least=5)
    mail_servers: tuple[str, ...] = tunable((), "addresses of ours that send mail to the Internet")
    pools: tuple[str, ...] = tunable(POOLS, "registered domains of mining pools")
    stratum_ports: tuple[int, ...] = tunable(
        (3333, 4444, 5555, 7777, 9999, 14433, 14444, 45560, 45700), "ports that pools use, where no name is seen"
    )
    min_job_s: int = tunable(
        600, "duration of a connection at these from which on it may be mining", least=60, unit="s"
    )
    irc_ports: tuple[int, ...] = tunable(
        (194, *range(6660, 6670), 6679, 6697, 7000, 7070), "ports that IRC is served at"
    )
    min_clients: int = tunable(5, "clients that call one place at the same pace", least=3)
    skip_ports: tuple[int, ...] = tunable(SKIP_PORTS, "server ports at which clients in step are none")


class Botnet(Detector):
    """One path on many names, an overlay of peers, spam, mining, IRC, clients in step; see README.md."""

    name = "botnet"
    reads = ("conn", "http", "dns", "ssl", "smtp")
    window_s = 3_600
    every_s = 1_800
    entity = ("orig_h", "key")
    tuning = Tuning
    evidence = typed(
        string="kind path pool sample",
        bool="file_sharing mail_server named usual_port",
        count=(
            "names failed_names addresses answers requests port peers ports sharing_peers servers "
            "sender_domains connections served_connections sent_bytes jobs payload_bytes clients all_clients "
            "calls"
        ),
        double="alike failed_share bytes_per_peer connected_s pace_s unanswered_share duration_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; by kind, mostly x / (x + 2) of x = log2(1 + members / their minimum), so 0.33 at the threshold."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    kind, port = row["kind"], row["resp_p"]
    score, evidence, reason = KINDS[kind](row, tuning)
    what = "" if kind in ("spam", "peers") else f" {row['what']}"
    return {
        "orig_h": None if kind == "in step" else row["orig_h"],
        "key": f"{kind}{what}",
        "resp_h": row["resp_h"] if isinstance(row["resp_h"], str) else None,
        "resp_p": None if pd.isna(port) else int(port),
        "proto": row["proto"],
        "name": row["what"] if kind == "mining" and row["known"] else None,
        "direction": None if kind == "one path" else "outbound",
        "score": score,
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "kind": kind,
            **evidence,
            "sample": list(row["sample"]),
            "duration_s": (row["last_us"] - row["first_us"]) / MICROS,
        },
        "reason": reason,
        "uids": [uid for uid in row["uids"] if isinstance(uid, str)],
    }


def _grown(members: int, least: int) -> float:
    x = log2(1 + members / least)
    return x / (x + HALF)


Made = tuple[float, dict[str, Any], str]


def _path(row: Mapping[Hashable, Any], tuning: Tuning) -> Made:
    names, failed, addresses, answers = (int(row[c]) for c in ("members", "failed", "spread", "known"))
    # how much the names are one thing: they fail, or they share addresses and answer alike
    alike = max(failed / names, min(1 - addresses / names, 1 - answers / names))
    evidence = {
        "path": row["what"],
        "names": names,
        "failed_names": failed,
        "failed_share": failed / names,
        "addresses": addresses,
        "answers": answers,
        "alike": alike,
        "requests": int(row["calls"]),
    }
    reason = (
        f"{row['orig_h']} asked {names:,} unrelated names for {row['what']} and nothing else: {failed:,} of them gave "
        f"no page, and they have {addresses:,} addresses and {answers:,} different answers"
    )
    return names / (names + tuning.min_names) * alike, evidence, reason


def _peers(row: Mapping[Hashable, Any], tuning: Tuning) -> Made:
    peers, failed, at_ports, amount = (int(row[c]) for c in ("members", "failed", "known", "amount"))
    sharing = at_ports >= tuning.sharing_share * peers or amount >= tuning.sharing_bytes * peers
    evidence = {
        "port": int(row["what"]),
        "peers": peers,
        "failed_share": failed / peers,
        "ports": int(row["spread"]),
        "sharing_peers": at_ports,
        "bytes_per_peer": amount / peers,
        "file_sharing": sharing,
    }
    like = "as file sharing does" if sharing else "none of them where file sharing would be"
    reason = (
        f"{row['orig_h']} talked from UDP port {row['what']} to {peers:,} hosts outside at {int(row['spread']):,} "
        f"ports, {failed:,} of which never answered: {like}"
    )
    return _grown(peers, tuning.min_peers), evidence, reason


def _spam(row: Mapping[Hashable, Any], tuning: Tuning) -> Made:
    servers, failed, domains, served = (int(row[c]) for c in ("members", "failed", "spread", "known"))
    evidence = {
        "servers": servers,
        "failed_share": failed / servers,
        "sender_domains": domains,
        "connections": int(row["calls"]),
        "mail_server": served > 0,
        "served_connections": served,
        "sent_bytes": int(row["amount"]),
    }
    reason = (
        f"{row['orig_h']} sent mail to {servers:,} servers outside by itself, {failed:,} of which did not take it, "
        f"in the name of {domains:,} domains; it took mail in {served:,} connections"
    )
    return _grown(servers, tuning.min_mail_servers), evidence, reason


def _mining(row: Mapping[Hashable, Any], tuning: Tuning) -> Made:
    seconds, named, jobs = int(row["amount"]), bool(row["known"]), int(row["spread"])
    evidence = {
        "pool": row["what"],
        "named": named,
        "connections": int(row["calls"]),
        "jobs": jobs,
        "connected_s": seconds,
    }
    by = "a mining pool by its name" if named else "at a port of mining pools, with their small messages"
    reason = f"{row['orig_h']} was connected to {row['what']} for {seconds:,} s, {by}"
    return (0.6 if named and jobs else 0.3) + min(0.15, seconds / 36_000), evidence, reason


def _irc(row: Mapping[Hashable, Any], tuning: Tuning) -> Made:
    usual = bool(row["known"])
    evidence = {"usual_port": usual, "connections": int(row["calls"]), "payload_bytes": int(row["amount"])}
    where = "" if usual else ", at a port that is none of IRC's"
    return 0.3 if usual else 0.6, evidence, f"{row['orig_h']} speaks IRC with {row['what']}{where}"


def _step(row: Mapping[Hashable, Any], tuning: Tuning) -> Made:
    clients, failed, named = (int(row[c]) for c in ("members", "failed", "known"))
    pace = row["amount"] / MICROS
    evidence = {
        "clients": clients,
        "all_clients": int(row["others"]),
        "pace_s": pace,
        "calls": int(row["calls"]),
        "unanswered_share": failed / clients,
        "named": named > 0,
    }
    reason = (
        f"{clients:,} of the {int(row['others']):,} clients of {row['what']} call it at the same pace, one each "
        f"{pace:,.1f} s" + ("" if named else "; nothing here knows it by a name")
    )
    return clients / (clients + tuning.min_clients), evidence, reason


KINDS: Mapping[str, Callable[[Mapping[Hashable, Any], Tuning], Made]] = {
    "one path": _path,
    "peers": _peers,
    "spam": _spam,
    "mining": _mining,
    "irc": _irc,
    "in step": _step,
}
