"""What decoding gives: tables in the canonical schema, the lines that could not be read, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

LINE_KEPT = 4096  # bytes of a bad line that are kept


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no row: `offset` is its first byte's in the decompressed log, `line` its first 4 KiB."""

    offset: int
    line: bytes
    reason: str


@dataclass(frozen=True)
class Decoded:
    """`tables` hold rows in line order, in the schema of `TABLES`, and none that is empty.

    `context` is handed in with the next chunk of the same log. `lines` counts good and bad ones, `ignored` those that
    are no rows: comments, blank lines, EVE events of types that no table takes.
    """

    tables: Mapping[str, pa.Table]
    bad: Sequence[BadLine]
    context: str
    lines: int
    ignored: int


@dataclass(frozen=True)
class Part:
    """Rows of one table with the numbers of the lines that they come from; columns that are not here are null."""

    table: str
    source: str
    numbers: pa.Array  # int64
    columns: Mapping[str, pa.Array]
