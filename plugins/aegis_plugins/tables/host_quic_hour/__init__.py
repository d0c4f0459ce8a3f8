"""Per hour and client: its QUIC handshakes, and whether its UDP to port 443 is QUIC at all."""

from __future__ import annotations

from functools import partial

from aegis_enrich.plugin import Column, DerivedTable, Feature

QUIC = partial(Feature, family="quic")

ID = ("quic.client_initial_dcid",)
NAME = ("quic.server_name",)
BYTES = ("conn.orig_ip_bytes", "conn.resp_ip_bytes")
ZEEK = "Zeek, QUIC::Info (quic.log)"
INITIAL = "RFC 9000 §14.1, Initial datagram size"
IDS = "RFC 9000 §7.2, Negotiating connection IDs"
ANDERSON = "Anderson, McGrew 2016, Identifying encrypted malware traffic with contextual flow data"
RARE = "1 - clients that have it / clients that have any"


def _count(name: str, doc: str, unit: str, formula: str, source: str, needs: tuple[str, ...]) -> Feature:
    return QUIC(name, "count", doc, unit, formula=formula, source=source, least=0, needs=needs)


def _share(name: str, doc: str, formula: str, source: str, needs: tuple[str, ...], unit: str = "share") -> Feature:
    return QUIC(name, "double", doc, unit, formula=formula, source=source, least=0, most=1, needs=needs)


def _number(
    name: str, doc: str, unit: str, formula: str, source: str, needs: tuple[str, ...], most: float | None = None
) -> Feature:
    return QUIC(name, "double", doc, unit, formula=formula, source=source, least=0, most=most, needs=needs)


class HostQuicHour(DerivedTable):
    """A client's QUIC in an hour, beside that of the other clients; see README.md."""

    name = "host_quic_hour"
    reads = ("quic", "conn")
    level = "host"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("first_us", "count", "start of the first handshake or flow", "µs since the epoch"),
        Column("last_us", "count", "end of the last", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
        _count("quic_flows", "flows of UDP to port 443, or named QUIC", "flows", "rows of conn", ZEEK, ("conn.proto",)),
        _share(
            "quic_likelihood",
            "how many of these are QUIC by name, handshake or size",
            "named, with a handshake, or both sides sent 1,228 bytes / known",
            INITIAL,
            ("conn.orig_ip_bytes|conn.service|quic.uid", "conn.resp_ip_bytes|conn.service|quic.uid"),
        ),
        _share(
            "quic_certain_share",
            "how many have a handshake that the sensor read; null without any",
            "named or with a handshake / flows",
            ZEEK,
            ("quic.uid", "conn.proto"),
        ),
        _share(
            "quic_size_consistency",
            "1 where the client sends as much each time",
            "1 / (1 + σ / μ) of orig_ip_bytes",
            "Moore, Zuev, Crogan 2005, Discriminators for use in flow-based classification",
            BYTES[:1],
            "1",
        ),
        _number(
            "quic_packet_bytes",
            "mean size of the client's datagrams",
            "bytes",
            "Σ orig_ip_bytes / Σ orig_pkts",
            INITIAL,
            (*BYTES[:1], "conn.orig_pkts"),
        ),
        _count("quic_handshakes", "handshakes", "handshakes", "distinct uid of quic", ZEEK, ("quic.uid",)),
        _count("quic_servers", "servers of these", "hosts", "distinct resp_h", ZEEK, ("quic.resp_h",)),
        _count(
            "quic_names", "names that it asked for", "names", "distinct server_name", "RFC 6066 §3; RFC 9001 §4", NAME
        ),
        _share(
            "quic_nameless_share", "handshakes without a name", "server_name null / handshakes", ANDERSON, ("quic.uid",)
        ),
        _share("quic_name_rarity", "mean rarity of names", f"{RARE}; mean over handshakes", ANDERSON, NAME, "1"),
        _share("quic_name_rarity_max", "the rarest name", f"{RARE}; max", ANDERSON, NAME, "1"),
        _share(
            "quic_ja4_rarity",
            "mean rarity of its JA4",
            f"{RARE}; mean over handshakes",
            "Althouse 2023, JA4 (github.com/FoxIO-LLC/ja4)",
            ("quic.ja4",),
            "1",
        ),
        _count("quic_versions", "versions", "versions", "distinct version", "RFC 8999 §5.1", ("quic.version",)),
        _share(
            "quic_odd_version_share",
            "versions other than 1 and 2",
            "neither RFC 9000 nor RFC 9369 / known",
            "RFC 9000 §15; RFC 9369",
            ("quic.version",),
        ),
        _number(
            "quic_id_length_mean", "mean length of the id drawn for the server", "bytes", "Σ length / n", IDS, ID, 20
        ),
        _number(
            "quic_id_entropy",
            "of these ids' hexadecimal digits; 4 is random",
            "bits per digit",
            "-Σ p log2 p, p = share of a digit",
            f"{IDS}; Shannon 1948",
            ID,
            4,
        ),
        _share("quic_id_repeated_share", "ids drawn before", "1 - distinct / ids", IDS, ID),
    )
