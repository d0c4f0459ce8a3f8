"""Writes a capture into a sensor's standard input: decompressed, cut after whole packets, counted."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .magic import GZIP
from .records import Records

CHUNK_BYTES = 2**20
Progress = Callable[[int, int], None]  # bytes of the file that are read, and its size


@dataclass(frozen=True)
class Fed:
    """`problem`: why not all of the capture was read, "" where it was."""

    packets: int
    problem: str = ""


def feed(capture: Path, out: IO[bytes], progress: Progress = lambda done, size: None) -> Fed:
    """Writes all whole packets; ends early where `out` takes no more. Raises OSError where the file cannot be read."""
    records, problem = Records(), ""
    with capture.open("rb") as file:
        size = capture.stat().st_size
        chunks = _chunks(file)
        try:
            for chunk in chunks:
                if not _write(out, records.take(chunk)):
                    return Fed(records.packets, f"its sensor stopped reading at packet {records.packets:,}")
                if records.damaged:
                    break
                progress(file.tell(), size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            cut = isinstance(error, EOFError)
            problem = "it ends in the middle of its gzip stream" if cut else f"its gzip stream is damaged ({error})"
    if records.damaged:
        problem = f"it is damaged after packet {records.packets:,}"
    elif not problem and records.left:
        problem = f"it is cut off after packet {records.packets:,}"
    return Fed(records.packets, problem)


def _chunks(file: io.BufferedReader) -> Iterator[bytes]:
    """The decompressed contents; what lies before the end of a cut gzip stream comes before the error."""
    packed = file.peek(2)[:2] == GZIP
    source = gzip.GzipFile(fileobj=file) if packed else file
    while chunk := source.read1(CHUNK_BYTES):
        yield chunk


def _write(out: IO[bytes], data: bytes) -> bool:
    try:
        out.write(data)
    except BrokenPipeError:
        return False
    return True
