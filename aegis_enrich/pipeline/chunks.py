"""What was read of a log, decoded; of logs that come as messages, bad lines are told by the number of their message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..decode import BadLine, Decoded, decode
from ..follow import Chunk, LogFile


def decode_chunk(file: LogFile, chunk: Chunk) -> Decoded:
    """The tables and bad lines of a chunk of this log."""
    if chunk.numbers is None:
        return decode(
            file.name,
            chunk.data,
            offset=chunk.log.position,
            context=chunk.log.context,
            sensor=file.sensor,
            cut=chunk.cut,
        )
    refused = [BadLine(number, line, reason) for number, line, reason in chunk.refused]
    if not chunk.data:
        return Decoded({}, refused, chunk.log.context, len(refused), 0)
    decoded = decode(file.name, chunk.data, offset=0, context=chunk.log.context, sensor=file.sensor)
    return replace(decoded, bad=[*refused, *_numbered(decoded.bad, chunk.data, chunk.numbers)])


def _numbered(bad: Sequence[BadLine], data: bytes, numbers: Sequence[int]) -> list[BadLine]:
    """Bad lines by the numbers of their messages in place of bytes; `numbers` has one for each line of `data`."""
    if not bad:
        return []
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    lines = np.searchsorted(ends, [b.offset for b in bad])
    return [replace(b, offset=int(numbers[line])) for b, line in zip(bad, lines.tolist(), strict=True)]
