"""Reads one open file, plain or gzip, from any (decompressed) offset on, as far as it is written."""

from __future__ import annotations

import os
import stat
import zlib
from abc import ABC, abstractmethod

import numpy as np

from .state import HEAD_BYTES

GZIP_MAGIC = b"\x1f\x8b"
BLOCK_BYTES = 256 * 1024
SEARCH_BYTES = 64 * 1024
LINE_BYTES = 4 * 2**20  # a longer line is handed on in pieces of this length
LINES = 100_000  # that are handed on at a time, at most: shorter than any log's own would be very many


class Reader(ABC):
    """An open file. Offsets are of its contents, decompressed; the file may grow at any time.

    `ended`: nothing can follow any more. `error`: why its contents end early ("" where they do not).
    """

    gz = False
    ended = False
    error = ""

    def __init__(self, fd: int, path: str) -> None:
        self.fd, self.path = fd, path
        info = os.fstat(fd)
        self.device, self.inode = info.st_dev, info.st_ino
        self._first = os.pread(fd, HEAD_BYTES, 0)

    @abstractmethod
    def peek(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset` on; fewer where the contents end, for now or for good."""

    def length(self) -> int:
        """Bytes of the file as it lies on disk."""
        return os.fstat(self.fd).st_size

    def intact(self) -> bool:
        """Whether it still begins as it did: false once it was truncated and written anew."""
        first = os.pread(self.fd, HEAD_BYTES, 0)
        if not first.startswith(self._first):
            return False
        self._first = first
        return True

    def find_line(self, offset: int, searched: int) -> tuple[bool, int]:
        """Whether a whole line lies at `offset`, and up to where none ends (`searched`: so far known)."""
        seen, size = max(0, searched - offset), SEARCH_BYTES
        while True:
            data = self.peek(offset, seen + size)
            if data.find(b"\n", seen) >= 0 or len(data) > LINE_BYTES:
                return True, offset
            if len(data) < seen + size:
                return False, offset + len(data)
            seen, size = len(data), size * 4

    def lines(self, offset: int, limit: int, *, last: bool) -> bytes:
        """Whole lines from `offset` on, about `limit` bytes and at least one line; `last`: the end counts as one.

        Of a line over LINE_BYTES as much as that, or its end.
        """
        data = self.peek(offset, max(1, limit))
        cut = data.rfind(b"\n") + 1
        if cut:
            return data[: _upto(data, cut)]
        size = max(limit, SEARCH_BYTES)
        while True:
            more = self.peek(offset, min(size, LINE_BYTES + 1))
            cut = more.find(b"\n", len(data)) + 1
            if cut:
                return more[:cut]
            if len(more) > LINE_BYTES:
                return more[:LINE_BYTES]
            if len(more) < size:
                return more if last else b""
            data, size = more, size * 4

    def is_cut(self, data: bytes, end: int) -> bool:
        """Whether the line that these bytes before `end` end in goes on there."""
        return len(data) >= LINE_BYTES and not data.endswith(b"\n") and bool(self.peek(end, 1))

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


def _upto(data: bytes, cut: int) -> int:
    """Where the lines end that are handed on of those before `cut`."""
    if data.count(b"\n") <= LINES:
        return cut
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    return int(ends[LINES - 1]) + 1


class PlainReader(Reader):
    """A file as it is."""

    def peek(self, offset: int, size: int) -> bytes:
        return os.pread(self.fd, size, offset)


class GzipReader(Reader):
    """A gzip file of one or several members, decompressed as a stream that waits where it is not yet written on."""

    gz = True

    def __init__(self, fd: int, path: str) -> None:
        super().__init__(fd, path)
        self._rewind()

    def _rewind(self) -> None:
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._read = 0  # compressed bytes taken
        self._input = b""
        self._start = 0  # offset of the buffer's first byte
        self._buffer = bytearray()
        self.ended, self.error = False, ""

    def peek(self, offset: int, size: int) -> bytes:
        if offset < self._start:
            self._rewind()
        while True:
            behind = min(offset - self._start, len(self._buffer))
            if behind > 0:
                del self._buffer[:behind]
                self._start += behind
            if self._start == offset and len(self._buffer) >= size:
                break
            piece = self._more()
            if not piece:
                break
            self._buffer += piece
        return bytes(memoryview(self._buffer)[:size]) if self._start == offset else b""

    def intact(self) -> bool:
        return self.length() >= self._read and super().intact()

    def lag(self) -> int:
        """Compressed bytes that are not read yet, and decompressed ones that wait."""
        return max(0, self.length() - self._read) + len(self._buffer)

    def trailer(self) -> int:
        """The length that its last member gives, modulo 2**32: the contents' where there is just one."""
        size = self.length()
        return int.from_bytes(os.pread(self.fd, 4, size - 4), "little") if size >= 18 else -1

    def _more(self) -> bytes:
        """The next decompressed bytes; empty at the end, for now or for good."""
        while not self.error:
            if self._inflate.eof and not self._next_member():
                return b""
            if not self._input:
                self._input = os.pread(self.fd, BLOCK_BYTES, self._read)
                self._read += len(self._input)
            dry = not self._input  # then there may be output that the last call had no room for
            try:
                piece = self._inflate.decompress(self._input, 4 * BLOCK_BYTES)
            except zlib.error as error:
                self.error = f"its gzip stream is damaged ({error})"
                return b""
            self._input = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if piece or (dry and not self._inflate.eof):
                return piece
        return b""

    def _next_member(self) -> bool:
        if len(self._input) < len(GZIP_MAGIC):
            block = os.pread(self.fd, BLOCK_BYTES, self._read)
            self._read += len(block)
            self._input += block
        self.ended = not self._input.startswith(GZIP_MAGIC)  # the end, or padding
        if self.ended and self._input.strip(b"\0"):
            self.error = "what follows its gzip stream is none"
        if not self.ended:
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return not self.ended


def open_reader(path: str) -> Reader | None:
    """Opens a file by what it begins with; None where it is no regular file; raises OSError."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 (opening a pipe would wait for its writer)
        return None
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        gz = os.pread(fd, 2, 0) == GZIP_MAGIC
        return GzipReader(fd, path) if gz else PlainReader(fd, path)
    except BaseException:
        os.close(fd)
        raise
