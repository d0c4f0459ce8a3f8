"""One chunk of one log to tables: each line goes to the reader of its kind, under the header then in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .assemble import assemble
from .eve import decode_eve
from .header import Header
from .lines import BLANK, COMMENT, DATA, HEADER, JSON, Lines, Numbers, without_bom
from .long_line import LongLine
from .result import LINE_KEPT, BadLine, Decoded, Part
from .tsv import decode_tsv
from .zeek_json import decode_json

EVE = "eve"

Kinds = npt.NDArray[np.uint8]


def decode(name: str, data: bytes, *, offset: int, context: str, sensor: str, cut: bool = False) -> Decoded:
    """`data`, whole lines of the log `name` (a name of TABLES, or "eve") from its byte `offset` on, as tables.

    `context` is what the chunk before gave ("" at the start of a log): with it, tables do not depend on where a log is
    cut. The format is each line's own: a line that begins with `{` is JSON, any other stands under the `#fields` in
    force. What a column holds that does not read as its type makes the line bad, and the line only; a time that is not
    finite or outside the years 1 to 9999 is null (`ts`: 2 to 9998, else the line is bad), an interval over a hundred
    years, too.
    `cut`: `data` is a piece of a line too long to be read, which goes on in the next chunk and at its end is a bad one.
    """
    header, _, begun = context.partition("\n")
    long = LongLine.from_context(begun) or (LongLine(offset) if cut else None)
    if long is None:
        return _decoded(name, data, offset, header, sensor)
    if cut:
        return Decoded({}, [], f"{header}\n{long.with_piece(data).to_context()}", 0, 0)
    end = data.find(b"\n") + 1 or len(data)
    after = _decoded(name, data[end:], offset + end, header, sensor)
    return replace(after, bad=[long.with_piece(data[:end]).as_bad(), *after.bad], lines=after.lines + 1)


def _decoded(name: str, data: bytes, offset: int, context: str, sensor: str) -> Decoded:
    lines = Lines(without_bom(data))
    kinds = lines.kinds()
    reasons: dict[int, str] = {}
    parts: list[Part] = []
    ignored = int(np.count_nonzero((kinds == BLANK) | (kinds == COMMENT) | (kinds == HEADER)))
    spans, header = _spans(lines, kinds, Header.from_context(context))
    if name == EVE:
        rows = np.flatnonzero((kinds == JSON) | (kinds == DATA))
        found, skipped = decode_eve(lines, rows, reasons)
        parts.extend(found)
        ignored += skipped
    else:
        json_rows = np.flatnonzero(kinds == JSON)
        if len(json_rows):
            parts.extend(filter(None, [decode_json(name, lines, json_rows, reasons)]))
        for rows, in_force in spans:
            parts.extend(filter(None, [decode_tsv(name, lines, rows, in_force, reasons)]))
    tables = assemble(parts, sensor, reasons)
    bad = _bad_lines(data, offset, reasons)
    return Decoded(tables, bad, header.to_context(), len(lines) - ignored, ignored)


def _spans(lines: Lines, kinds: Kinds, header: Header) -> tuple[Sequence[tuple[Numbers, Header]], Header]:
    """The numbers of the lines under each header, and the header at the end."""
    rows = np.flatnonzero(kinds == DATA)
    changes: list[tuple[int, Header]] = [(0, header)]
    for number in np.flatnonzero((kinds == COMMENT) | (kinds == HEADER)).tolist():
        changed = header.bare(lines[number]) if kinds[number] == HEADER else header.after(lines[number])
        if changed != header:
            header = changed
            changes.append((number + 1, header))
    if not len(rows):
        return [], header
    cuts = np.searchsorted(rows, [start for start, _ in changes[1:]])
    spans = zip(np.split(rows, cuts), (h for _, h in changes), strict=True)
    return [(span, in_force) for span, in_force in spans if len(span)], header


def _bad_lines(data: bytes, offset: int, reasons: dict[int, str]) -> list[BadLine]:
    if not reasons:
        return []
    lines = Lines(data)
    return [
        BadLine(offset + int(lines.starts[n]), lines[n][:LINE_KEPT].rstrip(b"\r\n"), reasons[n])
        for n in sorted(reasons)
    ]
