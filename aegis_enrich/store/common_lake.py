"""The common lake: committed segments of many sensors, and a manifest that says which of its files count.

    <lake>/<sensor>/manifest/<date>.<state>.jsonl      a line a segment of that UTC date which comes from this state
    <lake>/<sensor>/<table>/<date>/<state>.<id>.parquet

A manifest file is put whole, under a temporary name and renamed (an object store puts whole objects), after the
segments that it names. So a day's rows change all at once, also where small segments have become one; what no manifest
names does not exist. A derived table's hour is there where a segment holds rows of it, else it is computed anew; it
is left out where other states have rows of the sensor in that hour, too. docs/lake.md has the keys of a line.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import StateError
from .lake import Segment

MANIFEST = "manifest"
_KEYS = ("id", "state", "number", "table", "sensor", "source", "file", "rows", "bytes", "min_us", "max_us", "hours")


def sensor_folder(sensor: str) -> str:
    """A sensor's folder below the lake; characters that a file's name may not have are %-encoded."""
    return quote(sensor, safe="-_ ").replace(".", "%2E") or "%"


def file_of(segment: Segment, state: str = "") -> str:
    """Where a segment of a state lies below its sensor's folder."""
    return f"{segment.table}/{date_of(segment)}/{f'{state}.' if state else ''}{segment.id}.parquet"


def manifest_of(sensor: str, date: str, state: str) -> str:
    """Where a state's manifest of a sensor's day lies below the lake."""
    return f"{sensor_folder(sensor)}/{MANIFEST}/{date}.{state}.jsonl"


def date_of(segment: Segment) -> str:
    """The UTC date under which it lies in the lake and is named in the manifest."""
    return segment.path.parent.name


def line(segment: Segment, state: str = "") -> str:
    """A segment as a line of its day's manifest."""
    s = segment
    names = (s.id, state, s.number, s.table, s.sensor, s.source, file_of(s, state))
    values = (*names, s.rows, s.bytes, s.min_us, s.max_us, list(s.hours))
    told = dict(zip(_KEYS, values, strict=True)) | {"derived": s.derived}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def lines(segments: Iterable[Segment], state: str = "") -> str:
    """A day's manifest, always in the same order."""
    ordered = sorted(segments, key=lambda s: (s.table, s.min_us, s.id))
    return "".join(f"{line(segment, state)}\n" for segment in ordered)


def read_lines(text: str, folder: Path, *, where: str) -> list[tuple[str, Segment]]:
    """The segments of a day's manifest, each with the state that it comes from; raises StateError.

    `folder`: the sensor's, which their files lie below.
    """
    found = []
    for number, told in enumerate(text.splitlines(), 1):
        try:
            line = json.loads(told)
            found.append((str(line.get("state", "")), _segment(folder, line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"is no segment ({type(error).__name__}: {error}); ship that sensor's day again"
            raise StateError(what, where=f"{where}:{number}") from error
    return found


def is_common(root: Path) -> bool:
    """Whether a folder is a common lake."""
    return any(root.glob(f"*/{MANIFEST}/*.jsonl"))


def segments(root: Path) -> list[Segment]:
    """The segments that the manifests of all sensors name; raises StateError for a line that is none."""
    found: list[tuple[str, Segment]] = []
    for path in sorted(root.glob(f"*/{MANIFEST}/*.jsonl")):
        found += read_lines(path.read_text(encoding="utf-8"), path.parent.parent, where=str(path))
    return whole(found)


def whole(found: Sequence[tuple[str, Segment]]) -> list[Segment]:
    """The segments of several states, without hours of derived tables that no state has whole.

    Where a Kafka partition went from one `watch` to another, each has a part of the sensor's hour.
    """
    states: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for state, segment in found:
        for hour in segment.hours if not segment.derived else ():
            states[segment.sensor, hour].add(state)
    return [
        s
        for state, s in found
        if not s.derived or all(states.get((s.sensor, hour), {state}) == {state} for hour in s.hours)
    ]


def _segment(folder: Path, told: dict[str, Any]) -> Segment:
    return Segment(
        id=str(told["id"]),
        table=str(told["table"]),
        sensor=str(told["sensor"]),
        source=str(told["source"]),
        path=folder / str(told["file"]),
        rows=int(told["rows"]),
        bytes=int(told["bytes"]),
        min_us=int(told["min_us"]),
        max_us=int(told["max_us"]),
        hours=tuple(int(hour) for hour in told["hours"]),
        derived=bool(told["derived"]),
        number=int(told.get("number", 0)),
    )
