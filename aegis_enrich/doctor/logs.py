"""The sensors' folders: can they be read, is there something to read, and does the sensor's clock agree with ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..decode import decode
from ..decode.decoder import EVE
from ..follow import Follower, LogFile
from ..plugin import MICROS
from .check import Check
from .eve import eve

HEAD_BYTES = 16_384
TAIL_BYTES = 262_144
FRESH_S = 900.0  # a file that changed longer ago tells nothing of the sensor's clock
AHEAD_S = 60.0
BEHIND_S = 7_200.0  # rows of long connections come late; the newest of all logs do not come this late


def logs(sources: Mapping[str, Sequence[Path]], now_s: float) -> Iterator[Check]:
    """What there is to read, by sensor."""
    for sensor, paths in sources.items():
        missing = [p for p in paths if not p.exists()]
        yield from (Check(sensor, "problem", f"{p}: no such file or folder; name the sensor's folder") for p in missing)
        there = [p for p in paths if p.exists()]
        if there:
            yield from _sensor(sensor, there, now_s)


def _sensor(sensor: str, paths: Sequence[Path], now_s: float) -> Iterator[Check]:
    with Follower({sensor: paths}, poll=True) as follower:
        found = follower.pending()
        for path, reason in sorted(follower.unreadable.items()):
            yield Check(sensor, "problem", f"{path}: {reason}; let the user of aegis-enrich read it")
        if follower.skipped:
            yield Check(sensor, "note", f"logs that are not read: {', '.join(sorted(follower.skipped))}")
        if not found:
            where = ", ".join(map(str, paths))
            yield Check(sensor, "problem", f"{where}: no logs yet; is the sensor running, and is this its log folder?")
            return
        live = [f for f in found if f.live]
        names = ", ".join(sorted({f.name for f in live})) or "none"
        yield Check(sensor, "ok" if live else "note", f"live logs: {names}")
        yield from _clock(sensor, live, now_s)
        for file in live:
            if file.name == EVE:
                yield from eve(sensor, file.path.name, tail(file.path, file.name))


def _clock(sensor: str, live: Sequence[LogFile], now_s: float) -> Iterator[Check]:
    """Compares the newest row of the logs that were written just now with the time of writing."""
    ahead, behind = [], []
    for file in live:
        written_s = file.path.stat().st_mtime
        newest_us = None if now_s - written_s > FRESH_S else newest(file.path, file.name)
        if newest_us is not None:
            ahead.append(newest_us / MICROS - now_s)
            behind.append(written_s - newest_us / MICROS)
    if not ahead:
        return
    if max(ahead) > AHEAD_S:
        what = f"rows are {max(ahead):,.0f} s ahead of this machine's clock"
        yield Check(sensor, "problem", f"clock skew: {what}; set the time of both (NTP), or no window closes when due")
    elif min(behind) > BEHIND_S:
        what = f"the newest row is {min(behind):,.0f} s older than the file that holds it"
        yield Check(sensor, "problem", f"clock skew: {what}; set the sensor's time (NTP)")
    else:
        yield Check(sensor, "ok", "its clock agrees with this machine's")


def newest(path: Path, name: str) -> int | None:
    """The greatest `end_ts` (µs) in the last lines of a plain log; None where there is no row."""
    ends = [pc.max(t["end_ts"].cast(pa.int64())).as_py() for t in tail(path, name).values() if t.num_rows]
    return max((e for e in ends if e is not None), default=None)


def tail(path: Path, name: str) -> Mapping[str, pa.Table]:
    """The last lines of a plain log, as tables."""
    with path.open("rb") as file:
        head = b"".join(line for line in file.read(HEAD_BYTES).splitlines(keepends=True) if line.startswith(b"#"))
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        last = file.read()
    lines = last.splitlines(keepends=True)[1 if size > TAIL_BYTES else 0 :]
    rows = b"".join(line for line in lines if line.endswith(b"\n") and not line.startswith(b"#"))
    return decode(name, head + rows, offset=0, context="", sensor="").tables
