"""Which commits a segment holds: a merged one says so in its file, so that copies of its parts are known by it."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from .lake import Segment

KEY = b"aegis.holds"


def metadata(parts: Sequence[Segment]) -> dict[bytes, bytes]:
    """The Parquet metadata of a segment that is made of these: the numbers of all commits that they hold, rising."""
    numbers = sorted({number for part in parts for number in held(part.path, part.number)})
    steps = [after - before for before, after in zip([0, *numbers], numbers, strict=False)]
    return {KEY: base64.b64encode(zlib.compress(json.dumps(steps, separators=(",", ":")).encode()))}


def held(path: Path, number: int) -> Iterable[int]:
    """The numbers of the commits whose rows a segment holds; `number`: its own. Raises FileNotFoundError."""
    told = (pq.read_metadata(path).metadata or {}).get(KEY)
    if told is None:
        return (number,)
    at, numbers = 0, []
    for step in json.loads(zlib.decompress(base64.b64decode(told))):
        at += step
        numbers.append(at)
    return numbers
