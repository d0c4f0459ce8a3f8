"""The lines of a chunk: where each starts, what kind it is, and their bytes made safe for the parsers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

_BOM = b"\xef\xbb\xbf"
_LEADING_BOM = re.compile(rb"(?m)^\xef\xbb\xbf")
_NO_UTF8 = re.compile("[\udc80-\udcff]")

BLANK, COMMENT, JSON, HEADER, DATA = range(5)

_KINDS = np.full(256, DATA, np.uint8)
_KINDS[ord("\n")] = BLANK
_KINDS[ord("#")] = COMMENT
_KINDS[ord("{")] = JSON

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lines:
    """`data` cut at line feeds; the last line may lack its own."""

    data: bytes

    @cached_property
    def _array(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(self.data, np.uint8)

    @cached_property
    def ends(self) -> Numbers:
        """Where each line ends, line feed included."""
        ends = np.flatnonzero(self._array == ord("\n")) + 1
        if self.data and (not len(ends) or ends[-1] != len(self.data)):
            ends = np.append(ends, len(self.data))
        return ends.astype(np.int64, copy=False)

    @cached_property
    def starts(self) -> Numbers:
        return np.concatenate([np.zeros(1, np.int64), self.ends[:-1]])[: len(self.ends)]

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number: int) -> bytes:
        return self.data[self.starts[number] : self.ends[number]]

    def kinds(self) -> npt.NDArray[np.uint8]:
        """BLANK, COMMENT, JSON, HEADER (a bare line of names that begins with `ts`) or DATA, of each line."""
        first = self._array[self.starts]
        kinds = _KINDS[first]
        for number in np.flatnonzero((first == ord(" ")) | (first == ord("\t")) | (first == ord("\r"))).tolist():
            rest = self[number].lstrip(b" \t\r\n")
            kinds[number] = _KINDS[rest[0]] if rest else BLANK
        for number in np.flatnonzero(first == ord("t")).tolist():
            if self[number].split(b"\t", 1)[0].rstrip() == b"ts":
                kinds[number] = HEADER
        return kinds

    def select(self, numbers: Numbers) -> Lines:
        """Those lines (numbers rise); no copy where they are all."""
        if len(numbers) == len(self):
            return self
        if len(numbers) and len(numbers) == numbers[-1] - numbers[0] + 1:
            return Lines(self.data[self.starts[numbers[0]] : self.ends[numbers[-1]]])
        chosen = np.zeros(len(self), np.bool_)
        chosen[numbers] = True
        kept = self._array[np.repeat(chosen, self.ends - self.starts)].tobytes()
        return Lines(kept)


def without_bom(data: bytes) -> bytes:
    """Byte order marks at the start of lines taken away (files are concatenated, too)."""
    return data if data.isascii() or _BOM not in data else _LEADING_BOM.sub(b"", data)


def escape_invalid(data: bytes, prefix: str) -> bytes:
    """Bytes that are no UTF-8 as `prefix` and two hex digits; the number of lines stays."""
    if data.isascii():
        return data
    text = data.decode("utf-8", "surrogateescape")
    if not _NO_UTF8.search(text):
        return data
    return _NO_UTF8.sub(lambda m: f"{prefix}{ord(m[0]) - 0xDC00:02x}", text).encode()
