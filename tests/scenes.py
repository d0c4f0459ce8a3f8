"""Lab logs moved in time, in the order in which a sensor would write them, and what is to be found again of them."""

from __future__ import annotations

import gzip
import json
import random
import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from aegis_enrich.plugin import MICROS
from aegis_enrich.store import Store

LAB = Path(__file__).resolve().parent / "data" / "lab"
ZEEK = LAB.parent / "zeek"  # what the package's scripts write of the same captures
BASE_S = 1_709_668_800  # 2024-03-05 20:00 UTC: scenes of more than four hours cross a day's end
_JSON_UIDS = rb'("(?:uid|fuid|id|conn_uids|resp_fuids|orig_fuids|cert_chain_fuids)":)("[^"]*"|\[[^\]]*\])'
UIDS = ("uid", "fuid", "conn_uids", "resp_fuids", "orig_fuids", "cert_chain_fuids", "id")
INDICATORS = "203.0.113.50,lab,73\n203.0.113.53,lab,47\n"  # the lab's controllers, for the rule `intel`

NOTICE = """#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tnotice
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tnote\tmsg\tsub\tsrc\tdst\tp\tn\tactions
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tenum\tstring\tstring\taddr\taddr\tport\tcount\tset[enum]
"""

# A row as the sensor writes it: when (µs since the epoch), to which log, and the line.
Line = tuple[int, str, bytes]
# A row as it is read: its end (µs since the epoch), how much later it is written at most (s), and the line.
Row = tuple[int, float, bytes]


def content(document: Mapping[str, Any]) -> str:
    """All of an alert but what says how and when it was delivered."""
    doc = json.loads(json.dumps(document))
    for part, key in (("event", "created"), ("event", "ingested"), ("aegis", "revision"), ("aegis", "status")):
        doc[part].pop(key, None)
    return json.dumps(doc, sort_keys=True)


def contents(documents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {doc["event"]["id"]: content(doc) for doc in documents}


# Logs, moved in time


def read_log(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


@dataclass
class Scene:
    """Rows of several logs in the order of their arrival, and what each log's file begins with."""

    headers: dict[str, bytes] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return sorted({name for _, name, _ in self.lines})

    @property
    def start_us(self) -> int:
        return self.lines[0][0]

    @property
    def end_us(self) -> int:
        return self.lines[-1][0]

    def append(self, folder: Path, lines: Sequence[Line], *, file: Callable[[str], str] = str) -> None:
        """Writes these rows where `file` says each log is written now (below `folder`)."""
        by_log: dict[str, list[bytes]] = {}
        for _, name, line in lines:
            by_log.setdefault(name, []).append(line)
        for name, texts in by_log.items():
            path = folder / file(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as log:
                if not log.tell():
                    log.write(self.headers.get(name, b""))
                log.write(b"".join(texts))

    def write(self, folder: Path) -> Path:
        """The whole scene, a file a log."""
        self.append(folder, self.lines)
        return folder

    def cut(self, times_us: Sequence[int]) -> list[list[Line]]:
        """The lines before the first of these times, those from it to the next, and so on."""
        parts: list[list[Line]] = [[] for _ in range(len(times_us) + 1)]
        for line in self.lines:
            parts[bisect(times_us, line[0])].append(line)
        return parts

    def parts(self, count: int) -> list[list[Line]]:
        """Cut into as many spans of equal length in time."""
        span_us = (self.end_us - self.start_us) // count + 1
        return self.cut([self.start_us + n * span_us for n in range(1, count)])


def zeek_delay_s(row: Mapping[str, Any]) -> float:
    """How long after a connection's last packet Zeek writes it, by its timeouts."""
    if row.get("proto") in ("udp", "icmp"):
        return 60
    state = row.get("conn_state")
    if "ts_end" in row:  # aegis_scan: UDP is given up after a minute, a row is about one, and three flushes follow
        return 135
    return {"S0": 5, "SF": 0, "REJ": 0, "RSTO": 0, "RSTR": 0, "RSTOS0": 5, "RSTRH": 5}.get(state or "SF", 300)


def moved_tsv(path: Path, shift_s: int, mark: bytes) -> tuple[bytes, list[Row]]:
    """Header and rows of a Zeek log, `shift_s` later, uids told apart by `mark`."""
    head, rows, names = b"", [], []
    for line in read_log(path).splitlines(keepends=True):
        if line.startswith(b"#"):
            names = line.decode().rstrip("\n").split("\t")[1:] if line.startswith(b"#fields") else names
            head += b"" if line.startswith(b"#close") else line
            continue
        cells = line.rstrip(b"\n").split(b"\t")
        values = dict(zip(names, (c.decode(errors="replace") for c in cells), strict=True))
        ts_us, ts_end_us = (int(Decimal(values.get(c, "0")) * MICROS) + shift_s * MICROS for c in ("ts", "ts_end"))
        for n, name in enumerate(names):
            if name in UIDS and cells[n] not in (b"-", b"(empty)"):
                cells[n] = b",".join(uid + mark for uid in cells[n].split(b","))
        cells[names.index("ts")] = b"%d.%06d" % divmod(ts_us, MICROS)
        conn = path.name.startswith("conn.")
        end_us = ts_us + (int(Decimal(values["duration"]) * MICROS) if conn and values["duration"] != "-" else 0)
        if scan := "ts_end" in values:
            cells[names.index("ts_end")], end_us = b"%d.%06d" % divmod(ts_end_us, MICROS), ts_end_us
        rows.append((end_us, zeek_delay_s(values) if conn or scan else 0, b"\t".join(cells) + b"\n"))
    return head, rows


def as_json(data: bytes) -> bytes:
    """A scan log in TSV as Zeek would write it in JSON."""
    lines, heads = data.decode().splitlines(), {}
    for line in lines:
        heads[line.split("\t")[0]] = line.split("\t")[1:]
    texts = []
    for line in [line for line in lines if not line.startswith("#")]:
        cells = zip(heads["#fields"], heads["#types"], line.split("\t"), strict=True)
        told = {name: cell if kind in ("addr", "string") else _value(kind, cell) for name, kind, cell in cells}
        texts.append(json.dumps(told) + "\n")
    return "".join(texts).encode()


def _value(kind: str, cell: str) -> Any:
    return {"count": int, "time": float, "bool": lambda c: c == "T"}.get(kind, lambda c: c.split(","))(cell)


def moved_json(path: Path, shift_s: int, mark: bytes) -> list[Row]:
    """The same of a log in JSON, which has no header."""

    def marked(match: re.Match[bytes]) -> bytes:
        return match[1] + re.sub(rb'[^",\[\]]+', lambda uid: uid[0] + mark, match[2])

    rows, data = [], read_log(path)
    for line in (as_json(data) if data.startswith(b"#") else data).splitlines(keepends=True):
        line = re.sub(_JSON_UIDS, marked, line)
        values = json.loads(line.decode(errors="replace"))
        ts = re.search(rb'"ts": ?([0-9.]+)', line)
        assert ts is not None
        moved = Decimal(ts[1].decode()) + shift_s
        conn = path.name.startswith("conn.")
        end_us = int(moved * MICROS) + (int(values.get("duration", 0) * MICROS) if conn else 0)
        text = line[: ts.start(1)] + str(moved).encode() + line[ts.end(1) :]
        if scan := re.search(rb'"ts_end": ?([0-9.]+)', text):
            moved = Decimal(scan[1].decode()) + shift_s
            text, end_us = text[: scan.start(1)] + str(moved).encode() + text[scan.end(1) :], int(moved * MICROS)
        rows.append((end_us, zeek_delay_s(values) if conn or scan else 0, text))
    return rows


OTHERS = ("latency_5h",)  # whose conn has columns that the others have not: no rows for the same file
SCENARIOS = tuple(sorted(p.name for p in LAB.iterdir() if (p / "json").is_dir() and p.name not in OTHERS))
DAY = (
    ("beacon_http_60s", 0.1),
    ("beacon_https_60s", 1.1),
    ("dns_tunnel", 2.2),
    ("scan_slow_1min", 2.5),
    ("multistage", 3.6),
    ("long_connection_66min", 4.2),
    ("scan_vertical", 5.5),
    ("scan_udp", 6.1),
    ("beacon_http_60s", 6.4),
    ("benign", 7.5),
)


def zeek_scene(
    placed: Sequence[tuple[str, float]] = DAY, *, form: str = "tsv", notices: int = 0, chance: int | None = None
) -> Scene:
    """Scenarios, each begun so many hours behind the scene's start, as one sensor would have written them.

    `chance`: a seed; each row comes up to so late as the sensor writes it, by chance, and not always as late.
    """
    scene, rng = Scene(), None if chance is None else random.Random(chance)
    for number, (scenario, hours) in enumerate(placed):
        files = sorted([*(LAB / scenario / form).glob("*.log*"), *(ZEEK / scenario).glob("aegis_scan.log")])
        first = min(min(r[0] for r in moved_tsv(f, 0, b"")[1]) for f in (LAB / scenario / "tsv").glob("conn.log*"))
        shift_s = BASE_S + int(hours * 3600) - first // MICROS
        for path in files:
            name = path.name.removesuffix(".gz")
            if form == "tsv":
                head, rows = moved_tsv(path, shift_s, b"%d" % number)
                assert scene.headers.setdefault(name, head).split(b"#fields")[1] == head.split(b"#fields")[1]
            else:
                rows = moved_json(path, shift_s, b"%d" % number)
            scene.lines += arrivals(rows, name, rng)
    span_us = max(line[0] for line in scene.lines) - BASE_S * MICROS
    for n in range(notices):
        ts_us = BASE_S * MICROS + span_us * n // notices
        client, what = f"10.0.0.{n % 2}", "SSH::Password_Guessing\tguessing\t-"
        row = f"{client}\t40000\t10.0.1.1\t22\ttcp\t{what}\t{client}\t10.0.1.1\t22\t-\tNotice::ACTION_LOG"
        text = f"{ts_us // MICROS}.{ts_us % MICROS:06}\tCn{n:04}\t{row}\n"
        scene.headers["notice.log"] = NOTICE.encode()
        scene.lines.append((ts_us, "notice.log", text.encode()))
    scene.lines.sort(key=lambda line: line[0])  # stable: rows of one time stay as they were
    return scene


def eve_delay_s(event: Mapping[str, Any]) -> float:
    """How long after a flow's last packet Suricata writes it, by its timeouts; other events at once."""
    if event["event_type"] != "flow":
        return 0
    return 10 if event["flow"]["state"] == "closed" else 600


def moved_eve(path: Path, shift_s: int, mark: bytes) -> list[Row]:
    """Events of Suricata, `shift_s` later, flows told apart by `mark`."""

    def moved(match: re.Match[bytes]) -> bytes:
        return (
            match[1]
            + (datetime.fromisoformat(match[2].decode()) + timedelta(seconds=shift_s))
            .strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
            .encode()
        )

    rows = []
    for line in read_log(path).splitlines(keepends=True):
        line = re.sub(rb'("(?:timestamp|start|end)":")([^"]*)', moved, line)
        line = re.sub(rb'("flow_id":\d+)', rb"\g<1>" + mark, line)
        event = json.loads(line)
        at = datetime.fromisoformat(event.get("flow", {}).get("end") or event["timestamp"])
        rows.append((micros(at), eve_delay_s(event), line))
    return rows


def stamp(time_us: int) -> str:
    """A time as Zeek writes it into a rotated log's name."""
    return datetime.fromtimestamp(time_us // MICROS, UTC).strftime("%Y-%m-%d-%H-%M-%S")


def arrivals(rows: Iterable[Row], name: str, rng: random.Random | None) -> list[Line]:
    """When each row is written: as late as it can be, or up to that by chance."""
    return [(end + int(late_s * (rng.random() if rng else 1) * MICROS), name, line) for end, late_s, line in rows]


def micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def eve_scene(placed: Sequence[tuple[str, float]], *, alerts: int = 0, chance: int | None = None) -> Scene:
    """As `zeek_scene`, of Suricata: one log."""
    scene, rng = Scene(), None if chance is None else random.Random(chance)
    for number, (scenario, hours) in enumerate(placed):
        path = LAB / scenario / "eve.json.gz"
        first = min(row[0] for row in moved_eve(path, 0, b""))
        shift_s = BASE_S + int(hours * 3600) - first // MICROS
        scene.lines += arrivals(moved_eve(path, shift_s, b"%d" % number), "eve.json", rng)
    span_us = max(line[0] for line in scene.lines) - BASE_S * MICROS
    for n in range(alerts):
        at_us = BASE_S * MICROS + span_us * n // alerts
        signature = {"signature_id": 1000 + n % 2, "signature": f"LOCAL {n % 2}", "category": "Test", "severity": 2}
        event = {
            "timestamp": datetime.fromtimestamp(at_us / MICROS, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
            "flow_id": n + 1,
            "event_type": "alert",
            "src_ip": "10.0.0.5",
            "src_port": 40000,
            "dest_ip": "10.0.1.1",
            "dest_port": 80,
            "proto": "TCP",
            "alert": {"action": "allowed", "gid": 1, "rev": 1, **signature},
        }
        scene.lines.append((at_us, "eve.json", json.dumps(event).encode() + b"\n"))
    scene.lines.sort(key=lambda line: line[0])
    return scene


# Rows


def lake_rows(store: Store) -> Counter[tuple[str, int, str]]:
    """What lies in the lake, by the manifest: (log, ts in µs, uid) and how often."""
    found: Counter[tuple[str, int, str]] = Counter()
    segments = store.query("SELECT tbl, path FROM segments WHERE tombstone_us IS NULL AND derived = 0")
    by_table: dict[str, list[str]] = {}
    for table, path in segments:
        by_table.setdefault(table, []).append(str(store.root / path))
    with duckdb.connect(":memory:") as db:
        for table, paths in by_table.items():
            rows = db.execute(
                "SELECT epoch_us(ts), coalesce(uid, '') FROM read_parquet($1, union_by_name = true)", [paths]
            )
            found.update((table, ts_us, uid) for ts_us, uid in rows.fetchall())
    return found


def log_rows(name: str, data: bytes) -> Counter[tuple[str, int, str]]:
    """The same of a Zeek log's text, read independently."""
    found: Counter[tuple[str, int, str]] = Counter()
    names: list[str] = []
    for line in data.splitlines():
        if line.startswith(b"#"):
            names = line.decode().split("\t")[1:] if line.startswith(b"#fields") else names
        else:
            values = dict(zip(names, line.decode(errors="replace").split("\t"), strict=True))
            uid = values.get("uid", "-")
            found[name, int(Decimal(values["ts"]) * MICROS), "" if uid == "-" else uid] += 1
    return found


def folder_rows(folder: Path) -> Counter[tuple[str, int, str]]:
    """The same of a folder that holds each Zeek log in one file."""
    logs = (log_rows(path.name.removesuffix(".log"), path.read_bytes()) for path in folder.iterdir())
    return sum(logs, Counter())
