"""Makes large logs by repeating real rows with shifted times, in the order in which Zeek would write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

LAB = Path(__file__).resolve().parent.parent / "data" / "lab"
HOUR_S = 3600
START_S = 1_795_305_600  # a full hour in November 2026
LOGS = ("conn", "dns", "ssl", "http")
UID_LENGTH = 17  # after the C
_LETTERS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)
_PIECE = 200_000  # rows that are written at once

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Template:
    """One real row: when its connection ended, and its text around `ts` and `uid`."""

    end_s: float  # since the first row of its scenario
    back_s: float  # from that end back to the row's `ts`
    uid: int  # the number of its connection among all of the scenarios
    orig_h: str
    after: str  # from orig_p on


@dataclass(frozen=True)
class _Rows:
    """The rows of one log of a scenario."""

    fields: tuple[str, ...] = ()
    header: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


@cache
def templates(log: str = "conn", folder: Path = LAB) -> tuple[str, tuple[Template, ...]]:
    """The header that most of the scenarios' logs of this name share, and their rows.

    Of those scenarios only whose conn.log has the header that most have. A row belongs to a connection by its uid, and
    one of no connection of the conn.log is left out.
    """
    conns = [_read(path / "conn.log") for path in sorted(folder.glob("*/tsv"))]
    logs = conns if log == "conn" else [_read(path / f"{log}.log") for path in sorted(folder.glob("*/tsv"))]
    fields, conn_fields = _commonest(logs), _commonest(conns)
    found: list[Template] = []
    first_uid = 0
    for conn, its in zip(conns, logs, strict=True):
        if conn.fields == conn_fields and conn.rows:
            ends = _ends(conn)
            if its.fields == fields:
                found += [_template(row, ends, first_uid) for row in its.rows if row[1] in ends]
            first_uid += len(ends)
    return next(its.header for its in logs if its.fields == fields), tuple(found)


def _template(row: tuple[str, ...], ends: dict[str, tuple[int, float, float]], first_uid: int) -> Template:
    number, end_s, since_s = ends[row[1]]
    return Template(end_s, end_s - (float(row[0]) - since_s), first_uid + number, row[2], "\t".join(row[3:]))


def _read(path: Path) -> _Rows:
    if not path.exists():
        return _Rows()
    lines = path.read_text(encoding="utf-8").splitlines()
    header = "\n".join(line for line in lines if line.startswith("#") and "#close" not in line) + "\n"
    fields = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    rows = tuple(tuple(line.split("\t")) for line in lines if line and not line.startswith("#"))
    return _Rows(tuple(fields), header, rows)


def _commonest(logs: list[_Rows]) -> tuple[str, ...]:
    held = [its.fields for its in logs if its.fields]
    return max(sorted(set(held)), key=held.count)


def _ends(conn: _Rows) -> dict[str, tuple[int, float, float]]:
    """uid to the connection's number in its scenario, when it ended since the scenario's first row, and that row."""
    at = conn.fields.index("duration")
    first_s = min(float(row[0]) for row in conn.rows)
    ends = [float(row[0]) + (0.0 if row[at] == "-" else float(row[at])) - first_s for row in conn.rows]
    return {row[1]: (n, end, first_s) for n, (row, end) in enumerate(zip(conn.rows, ends, strict=True))}


def lines(
    rows: int, *, log: str = "conn", hours: float = 1.0, networks: int = 1, start_s: float = START_S, seed: int = 1
) -> Iterator[str]:
    """Rows as texts, in pieces: each copy of the scenarios lies at its own place in the span and keeps its shape.

    `rows`: of the conn.log; another log has those of the same copies, with the same clients and uids. A copy's
    connections have uids of their own. `networks`: how many /24 the clients of the copies lie in; with 1, addresses
    stay as they are.
    """
    real, per_copy = templates(log)[1], len(templates()[1])
    ends, back, numbers = (np.array([getattr(t, name) for t in real]) for name in ("end_s", "back_s", "uid"))
    span_s = hours * HOUR_S
    shifts = np.random.default_rng(seed).uniform(0, span_s, -(-rows // per_copy))
    ended = (shifts[:, None] + ends) % span_s  # what would end after the span ends at its beginning
    began = (ended - back).ravel()
    order = np.argsort(ended if log == "conn" else began, axis=None, kind="stable")
    for start in range(0, rows if log == "conn" else len(order), _PIECE):
        chosen = order[start : min(start + _PIECE, rows) if log == "conn" else start + _PIECE]
        copy, which = np.divmod(chosen, len(real))
        uids = _uids(copy * per_copy + numbers[which], seed)
        written = []
        for n, (at, network, row) in enumerate(
            zip(chosen.tolist(), (copy % networks).tolist(), which.tolist(), strict=True)
        ):
            uid = uids[n * UID_LENGTH : (n + 1) * UID_LENGTH]
            client = _moved(real[row].orig_h, network)
            written.append(f"{start_s + began[at]:.6f}\tC{uid}\t{client}\t{real[row].after}\n")
        yield "".join(written)


def _uids(numbers: Numbers, seed: int) -> str:
    """The letters of these connections' uids, one after the other: the same of the same number, whatever the log."""
    mixed = [_mixed(numbers.astype(np.uint64) * np.uint64(2) + np.uint64(n), seed) for n in (0, 1)]
    letters = np.empty((len(numbers), UID_LENGTH), np.uint8)
    for n in range(UID_LENGTH):
        which = n // 9
        letters[:, n] = _LETTERS[mixed[which] % np.uint64(62)]
        mixed[which] //= np.uint64(62)
    return letters.tobytes().decode()


def _mixed(numbers: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea, Flood 2014): numbers that look random, the same each time."""
    z = (numbers + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _moved(address: str, network: int) -> str:
    if not network or "." not in address:
        return address
    head, _, host = address.rpartition(".")
    first, second, _ = head.split(".")
    return f"{first}.{(int(second) + network // 256) % 256}.{network % 256}.{host}"


def write(
    path: Path, rows: int, *, log: str = "conn", hours: float = 1.0, networks: int = 1, start_s: float = START_S
) -> Path:
    """A log as Zeek closes it; `rows` are those of its conn.log."""
    with path.open("w", encoding="utf-8") as file:
        file.write(templates(log)[0])
        for piece in lines(rows, log=log, hours=hours, networks=networks, start_s=start_s):
            file.write(piece)
        file.write("#close\t2026-11-22-01-00-00\n")
    return path


def write_all(folder: Path, rows: int, *, networks: int = 1) -> Path:
    """A folder with conn.log, dns.log, ssl.log and http.log of the same connections."""
    folder.mkdir(exist_ok=True)
    for log in LOGS:
        write(folder / f"{log}.log", rows, log=log, networks=networks)
    return folder
