"""What is wanted of the files: from when on archives are read, and which log a file is that was named by itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from . import names
from .logfile import Place
from .names import LogName
from .state import LogState

_PATH = re.compile(rb"^#path[\t ,]+([\w.-]+)|\"_path\" ?: ?\"([\w.-]+)\"", re.MULTILINE)


def end_us(place: Place) -> int:
    """When a file's rows end: by its name, else its mtime."""
    return place.mtime_ns // 1000 if place.kind.end_us is None else place.kind.end_us


def is_archive(place: Place) -> bool:
    return place.kind.rotated and not place.given


def floor_us(
    places: Iterable[Place],
    known: Sequence[LogState],
    tables: Collection[str],
    *,
    since_us: int | None,
    back_us: int | None,
) -> int | None:
    """From when on a sensor's archives are read; None: all.

    A state that knows logs begins where it began: with the oldest archive that it knows, as far as names say times.
    """
    if since_us is None and back_us is None:
        return None
    if known:
        paths = [Path(state.path) for state in known]
        kinds = [names.parse(p.name, tables, folder=p.parent.name) for p in paths]
        begun = [k.start_us for k in kinds if k and k.rotated and k.start_us is not None]
        return min(begun, default=since_us)
    ends = [end_us(p) for p in places if is_archive(p)]
    back = [max(ends) - back_us] if ends and back_us is not None else []
    return max([*back, *([] if since_us is None else [since_us])], default=None)


def kind_of(path: str, head: bytes, tables: Collection[str]) -> LogName | None:
    """What a file is that was named by itself: by `#path`, else by its name, else by JSON's `_path`, else EVE."""
    parsed = names.parse(Path(path).name, tables, folder=Path(path).parent.name)
    match = _PATH.search(head)
    if parsed and (match is None or match[1] is None):
        return parsed  # zeek's open_conn says "_path": "conn", so there the name wins
    said = names.parse(f"{(match[1] or match[2]).decode()}.log", tables) if match else None
    if said is None:
        eve = head.lstrip().startswith(b"{") and b'"event_type"' in head
        return parsed or (LogName("eve") if eve else None)
    return parsed if parsed and parsed.name == said.name else said
