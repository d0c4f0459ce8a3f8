"""Lines to begin with: the lab's real logs, and a made line of every table that the lab has none of.

Each line bears a mark (a field `mark` that no table has, so that it comes out in `extra`), by which its row is found
again among thousands of spoilt ones.
"""

from __future__ import annotations

import functools
import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path

from aegis_enrich.follow.follower import LOG_NAMES
from aegis_enrich.tables import TABLES

LAB = Path(__file__).parents[1] / "data" / "lab"
MOST = 300  # lines of one log that are taken
TSV, JSON, EVE = "tsv", "json", "eve"

_VALUES = {
    "time": ("time", "1700000000.123456"),
    "interval": ("interval", "1.5"),
    "double": ("double", "0.25"),
    "count": ("count", "42"),
    "port": ("port", "443"),
    "bool": ("bool", "T"),
    "string": ("string", "some text"),
    "addr": ("addr", "192.0.2.7"),
    "strings": ("vector[string]", "one,two"),
    "addrs": ("set[addr]", "192.0.2.1,2001:db8::1"),
    "intervals": ("vector[interval]", "1.0,2.0"),
    "counts": ("vector[count]", "1,2"),
    "ints": ("vector[int]", "1,-2"),
}
_OURS = {"end_ts", "sensor", "source", "extra", "event", "query_len", "answer_count", "answer_bytes"}


@dataclass(frozen=True)
class Log:
    """Lines of one log in one form, without their line feeds; `header` are whole lines (TSV)."""

    name: str
    form: str
    header: bytes
    lines: tuple[bytes, ...]

    def marked(self, number: int, mark: str) -> bytes:
        """A line (counted round) with this mark."""
        line = self.lines[number % len(self.lines)]
        if self.form == TSV:
            return line + b"\t" + mark.encode()
        return b'{"mark":"' + mark.encode() + b'",' + line.lstrip()[1:]


@functools.cache
def logs() -> tuple[Log, ...]:
    """Every log that is read, in every form that it comes in."""
    found = [*_lab(TSV), *_lab(JSON), *_eve()]
    there = {(log.name, log.form) for log in found}
    made = [_made(name, form) for name in sorted(LOG_NAMES) for form in (TSV, JSON) if (name, form) not in there]
    return tuple(found + made)


def _text(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _lab(form: str) -> list[Log]:
    by_header: dict[tuple[str, bytes], list[bytes]] = {}
    for path in sorted(LAB.glob(f"*/{form}/*")):
        name = path.name.split(".")[0]
        if name not in TABLES:
            continue
        lines = _text(path).splitlines()
        header = b"".join(_with_mark(line) + b"\n" for line in lines if line.startswith(b"#") and _matters(line))
        kept = by_header.setdefault((name, header), [])
        kept += [line for line in lines if line and not line.startswith(b"#")][:40]
    best: dict[str, Log] = {}
    for (name, header), rows in by_header.items():
        if rows and (name not in best or len(rows) > len(best[name].lines)):
            best[name] = Log(name, form, header, tuple(rows[:MOST]))
    return list(best.values())


def _matters(line: bytes) -> bool:
    return not line.startswith((b"#open", b"#close"))


def _with_mark(line: bytes) -> bytes:
    more = {b"#fields": b"\tmark", b"#types": b"\tstring"}
    return line + more.get(line.split(b"\t", 1)[0], b"")


def _eve() -> list[Log]:
    """Events of each type by turns, so that every table is met in every chunk."""
    by_type: dict[str, list[bytes]] = {}
    for path in sorted(LAB.glob("*/eve.json.gz")):
        for line in _text(path).splitlines():
            found = re.search(rb'"event_type": ?"(\w+)"', line)
            if found:
                by_type.setdefault(found[1].decode(), []).append(line)
    for event_type, lines in sorted(_MADE_EVENTS.items()):
        by_type.setdefault(event_type, [json.dumps(line).encode() for line in lines])
    turns = [lines[i % len(lines)] for i in range(40) for lines in by_type.values()]
    return [Log("eve", EVE, b"", tuple(turns))]


_FLOW = {
    "timestamp": "2023-11-14T22:13:20.123456+0000",
    "flow_id": 1234567890123456789,
    "src_ip": "192.0.2.7",
    "src_port": 50000,
    "dest_ip": "2001:0db8:0000:0000:0000:0000:0000:0001",
    "dest_port": 445,
    "proto": "TCP",
    "community_id": "1:wCb3OG7yAFWelaUydu0D+125CLM=",
}
_MADE_EVENTS: dict[str, list[dict[str, object]]] = {
    "smb": [
        {**_FLOW, "event_type": "smb", "smb": {"command": "SMB2_COMMAND_CREATE", "filename": "a\\b", "size": 5,
            "created": 1700000000, "accessed": 1700000000, "modified": 1700000000, "changed": 0}},
        {**_FLOW, "event_type": "smb", "smb": {"command": "SMB2_COMMAND_TREE_CONNECT", "share": "\\\\h\\IPC$"}},
    ],
    "krb5": [{**_FLOW, "event_type": "krb5", "krb5": {"msg_type": "KRB_AS_REP", "cname": "a", "realm": "B"}}],
    "quic": [{**_FLOW, "event_type": "quic", "quic": {"version": "1", "sni": "example.org", "ja4": "q13d"}}],
    "ssh": [{**_FLOW, "event_type": "ssh", "ssh": {"client": {"software_version": "x"}, "server": {}}}],
    "alert": [
        {
            **_FLOW,
            "event_type": "alert",
            "direction": "to_server",
            "flow": {"src_ip": "192.0.2.7", "dest_ip": "192.0.2.8", "src_port": 1, "dest_port": 2},
            "alert": {"action": "allowed", "gid": 1, "signature_id": 9, "rev": 1, "signature": "s", "severity": 1,
                      "metadata": {"mitre_technique_id": ["T1071"]}},
        }
    ],
    "anomaly": [{**_FLOW, "event_type": "anomaly", "anomaly": {"type": "stream", "event": "e", "layer": "x"}}],
    "stats": [{"timestamp": _FLOW["timestamp"], "event_type": "stats", "stats": {"uptime": 8, "tcp": {"memuse": 1}}}],
    "netflow": [{**_FLOW, "event_type": "netflow", "netflow": {"pkts": 1}}],
}  # fmt: skip


def _made(name: str, form: str) -> Log:
    kinds = {c: k for c, k in TABLES[name].kinds.items() if c not in _OURS}
    if form == TSV:
        fields, types = [*kinds, "mark"], [*(_VALUES[k][0] for k in kinds.values()), "string"]
        header = "\n".join(
            [
                "#separator \\x09",
                "#set_separator\t,",
                "#empty_field\t(empty)",
                "#unset_field\t-",
                f"#path\t{name}",
                "\t".join(["#fields", *fields]),
                "\t".join(["#types", *types]),
                "",
            ]
        )
        line = "\t".join(_VALUES[k][1] for k in kinds.values())
        return Log(name, form, header.encode(), (line.encode(),))
    values: dict[str, object] = {}
    for column, kind in kinds.items():
        text = _VALUES[kind][1]
        parts: list[object] = [_plain(part, kind) for part in text.split(",")]
        values[column] = parts if kind.endswith("s") else _plain(text, kind)
    return Log(name, form, b"", (json.dumps(values, separators=(",", ":")).encode(),))


def _plain(text: str, kind: str) -> object:
    match kind.removesuffix("s"):
        case "bool":
            return text == "T"
        case "count" | "int" | "port":
            return int(text)
        case "time" | "interval" | "double":
            return float(text)
    return text
