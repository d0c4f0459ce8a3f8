"""What is read of each EVE event type, as the structures that DuckDB's json_transform takes; the rest is `extra`."""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]

TEXT, COUNT, NUMBER, YES = "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN"
TEXTS = [TEXT]


def _texts(names: str) -> Shape:
    return dict.fromkeys(names.split(), TEXT)


def _counts(names: str) -> Shape:
    return dict.fromkeys(names.split(), COUNT)


# flow_id, up to 2**63, is a name here and no number.
_COMMON: Shape = _texts("timestamp event_type flow_id src_ip dest_ip proto community_id app_proto") | _counts(
    "src_port dest_port tx_id"
)

_FLOW: Shape = _counts("pkts_toserver pkts_toclient bytes_toserver bytes_toclient") | _texts("start end state")
_DNS_ANSWER: Shape = _texts("rrtype rdata") | {"ttl": NUMBER, "soa": _texts("mname"), "srv": _texts("name")}
_NAME_AND_HASSH: Shape = _texts("proto_version software_version") | {"hassh": _texts("hash")}

_OWN: dict[str, Shape] = {
    "flow": {
        "flow": _FLOW,
        "tcp": _texts("tcp_flags_ts tcp_flags_tc state"),
        "vlan": [COUNT],
        "parent_id": TEXT,
        **_counts("icmp_type icmp_code response_icmp_type"),
    },
    "dns": {
        "dns": {
            **_texts("type rrname rrtype rcode"),
            **_counts("version id"),
            **dict.fromkeys(("aa", "tc", "rd", "ra", "z"), YES),
            "queries": [_texts("rrname rrtype")],
            "answers": [_DNS_ANSWER],
        }
    },
    "tls": {
        "tls": {
            **_texts("subject issuerdn serial fingerprint sni version notbefore notafter ja4"),
            "session_resumed": YES,
            "ja3": _texts("hash"),
            "ja3s": _texts("hash string"),
            "subjectaltname": TEXTS,
            "server_alpns": TEXTS,
            "server_handshake": _texts("cipher"),
            "client": _texts("subject issuerdn fingerprint"),
        }
    },
    "http": {
        "http": {
            **_texts("hostname url http_user_agent http_content_type http_method http_refer protocol version"),
            **_counts("http_port status length"),
        }
    },
    "fileinfo": {
        "fileinfo": {
            **_texts("filename state md5 sha1 sha256"),
            **_counts("size tx_id file_id"),
            "stored": YES,
        }
    },
    "quic": {"quic": {**_texts("version sni ua ja4"), "ja3": _texts("hash"), "ja3s": _texts("hash")}},
    "ssh": {"ssh": {"client": _NAME_AND_HASSH, "server": _NAME_AND_HASSH}},
    "smb": {
        "smb": {
            **_texts("command filename directory share share_type named_pipe disposition access fuid"),
            **_counts("size created accessed modified changed"),
            "rename": _texts("from to"),
            "service": _texts("response"),
        }
    },
    "krb5": {"krb5": _texts("msg_type cname realm sname encryption error_code failed_request")},
    "alert": {
        "direction": TEXT,
        "flow": {**_texts("src_ip dest_ip"), **_counts("src_port dest_port")},
        "alert": {
            **_texts("action signature category"),
            **_counts("gid signature_id rev severity"),
            "metadata": "JSON",
        },
    },
    "anomaly": {"anomaly": _texts("type event layer app_proto")},
    "stats": {
        "stats": {
            "uptime": COUNT,
            "capture": _counts("kernel_packets kernel_drops"),
            "decoder": _counts("pkts"),
            "tcp": _counts("reassembly_gap ssn_memcap_drop segment_memcap_drop"),
            "flow": _counts("memcap"),
            "detect": _counts("alert"),
        }
    },
}

# What says nothing that is not said elsewhere in the row, and so goes to no `extra`.
_NEEDLESS: dict[str, Shape] = {
    "flow": {
        "flow": {"age": None},
        "tcp": dict.fromkeys(("tcp_flags", "syn", "fin", "rst", "psh", "ack", "urg", "ecn", "cwr")),
        "response_icmp_code": None,
    },
    "dns": {"dns": dict.fromkeys(("grouped", "flags", "qr", "tx_id", "opcode"))},
    "quic": {"quic": {"ja3": {"string": None}, "ja3s": {"string": None}}},
    "ssh": {"ssh": {side: {"hassh": {"string": None}} for side in ("client", "server")}},
    "tls": {"tls": {"ja3": {"string": None}}},
    "fileinfo": {"http": None, "smtp": None, "smb": None, "email": None},
    "stats": {"stats": None},
}
# State and flags of a flow decide conn_state but are worth keeping as they were.
_KEPT = {"flow": {"flow": {"state"}, "tcp": {"tcp_flags_ts", "tcp_flags_tc", "state"}}}

SHAPES: dict[str, Shape] = {event_type: _COMMON | own for event_type, own in _OWN.items()}

TABLES_OF: dict[str, tuple[str, ...]] = {
    "alert": ("suricata_alert",),
    "anomaly": ("suricata_anomaly",),
    "dns": ("dns",),
    "fileinfo": ("files",),
    "flow": ("conn",),
    "http": ("http",),
    "krb5": ("kerberos",),
    "quic": ("quic",),
    "smb": ("smb_files", "smb_mapping"),
    "ssh": ("ssh",),
    "stats": ("suricata_stats",),
    "tls": ("ssl", "x509"),
}


def patch(event_type: str) -> Shape:
    """The JSON merge patch that takes from an event what its table has columns for."""
    found = _merged(_nulls(SHAPES[event_type]), _NEEDLESS.get(event_type, {}))
    for section, names in _KEPT.get(event_type, {}).items():
        found[section] = {k: v for k, v in found[section].items() if k not in names}
    return found | dict.fromkeys(("pcap_cnt", "pkt_src", "ip_v"))


def _nulls(shape: Shape) -> Shape:
    return {name: _nulls(inner) if isinstance(inner, dict) else None for name, inner in shape.items()}


def _merged(one: Shape, other: Shape) -> Shape:
    both = {k: _merged(one[k], other[k]) for k in one.keys() & other.keys() if one[k] and other[k]}
    return one | other | both
