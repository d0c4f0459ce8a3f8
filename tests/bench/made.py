"""Makes a large conn.log by repeating real rows with shifted times, in the order in which Zeek would write them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LAB = Path(__file__).resolve().parent.parent / "data" / "lab"
HOUR_S = 3600
START_S = 1_795_305_600  # a full hour in November 2026
_UID = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)
_PIECE = 200_000  # rows that are written at once


@dataclass(frozen=True)
class Template:
    """One real row: its end and duration in seconds, and its text around `ts` and `uid`."""

    scenario: int
    end_s: float  # since the first row of its scenario
    duration_s: float
    orig_h: str
    after: str  # from orig_p on


def templates(folder: Path = LAB) -> tuple[str, list[Template]]:
    """The header that most conn.logs of these scenarios share, and their rows."""
    logs = [p.read_text(encoding="utf-8").splitlines() for p in sorted(folder.glob("*/tsv/conn.log"))]
    headers = ["\n".join(line for line in log if line.startswith("#") and "#close" not in line) for log in logs]
    fields = [next(line for line in log if line.startswith("#fields")) for log in logs]
    common = max(sorted(set(fields)), key=fields.count)
    found: list[Template] = []
    for number, (log, held) in enumerate(zip(logs, fields, strict=True)):
        rows = [line.split("\t") for line in log if line and not line.startswith("#")]
        if held != common or not rows:
            continue
        at = common.split("\t")[1:].index("duration")
        first = min(float(r[0]) for r in rows)
        for row in rows:
            duration = 0.0 if row[at] == "-" else float(row[at])
            end = float(row[0]) + duration - first
            found.append(Template(number, end, duration, row[2], "\t".join(row[3:])))
    return headers[fields.index(common)] + "\n", found


def lines(rows: int, *, hours: float = 1.0, networks: int = 1, start_s: int = START_S, seed: int = 1) -> Iterator[str]:
    """Rows as texts, in pieces: each copy of a scenario lies at its own place in the span and keeps its shape.

    A copy's rows have uids of their own. `networks`: how many /24 the clients of the copies lie in; with 1, addresses
    stay as they are.
    """
    _, real = templates()
    span_s = hours * HOUR_S
    copies = -(-rows // len(real))
    shifts = np.random.default_rng(seed).uniform(0, span_s, copies)
    ends = np.array([t.end_s for t in real])
    placed = (shifts[:, None] + ends[None, :]) % span_s  # what would end after the span ends at its beginning
    order = np.argsort(placed, axis=None, kind="stable")[:rows]
    placed = placed.ravel()
    pick = random.Random(seed)
    for start in range(0, rows, _PIECE):
        chosen = order[start : start + _PIECE]
        uids = _UID[np.frombuffer(pick.randbytes(len(chosen) * 17), np.uint8) % 62].tobytes().decode()
        written = []
        for n, at in enumerate(chosen.tolist()):
            copy, row = divmod(at, len(real))
            known = real[row]
            ts = start_s + placed[at] - known.duration_s
            client = _moved(known.orig_h, copy % networks)
            written.append(f"{ts:.6f}\tC{uids[n * 17 : n * 17 + 17]}\t{client}\t{known.after}\n")
        yield "".join(written)


def _moved(address: str, network: int) -> str:
    if not network or "." not in address:
        return address
    head, _, host = address.rpartition(".")
    first, second, _ = head.split(".")
    return f"{first}.{(int(second) + network // 256) % 256}.{network % 256}.{host}"


def write(path: Path, rows: int, *, hours: float = 1.0, networks: int = 1) -> Path:
    """A conn.log as Zeek closes it."""
    header, _ = templates()
    with path.open("w", encoding="utf-8") as file:
        file.write(header)
        for piece in lines(rows, hours=hours, networks=networks):
            file.write(piece)
        file.write("#close\t2026-11-22-01-00-00\n")
    return path
