"""A log in this run: where its contents lie, how far they are read, and what is handed on of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .names import LogName
from .reader import GzipReader, Reader
from .state import HEAD_BYTES, TAIL_BYTES, LogState, digest, head_of


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one log; `log` as before them (its position is where they begin), `end` as after them.

    `end.context` is as before: what the decoder makes of it goes into what is committed and into `LogFile.context`.
    `cut`: it is a piece of a line that is too long, and the line goes on.
    `numbers`: of logs that come as messages, the number of each line's message, by which bad lines are told. `refused`:
    messages that are no lines at all (number, contents, reason). `beside`: chunks of other logs that were read with it.
    """

    log: LogState
    data: bytes
    end: LogState
    cut: bool = False
    numbers: Sequence[int] | None = None
    refused: Sequence[tuple[int, bytes, str]] = ()
    beside: Sequence[tuple[LogFile, Chunk]] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """What was written and can no longer be read: `bytes` is the least that is gone, None where unknown.

    `messages`: the same in messages, of a log that comes as such; 0 where unknown. `log`: the id of the one whose file
    is gone for good, which is done with that and is not to be missed again by a later start.
    """

    sensor: str
    name: str
    path: str
    bytes: int | None
    messages: int | None = None
    log: str = ""


@dataclass(eq=False, slots=True)
class Place:
    """A file as last seen, and the log that it holds (none: not known yet, or no log).

    `spent`: it holds nothing beyond the log's position. `asleep`: not to be read (older than wanted, or unknown).
    """

    sensor: str
    path: str
    kind: LogName
    given: bool
    device: int = 0
    inode: int = 0
    size: int = 0
    mtime_ns: int = 0
    changed_s: float = 0.0
    gz: bool = False
    log: LogFile | None = None
    spent: bool = False
    asleep: bool = False

    @property
    def when_us(self) -> int:
        """When its rows begin: by its name, else its mtime."""
        return self.mtime_ns // 1000 if self.kind.start_us is None else self.kind.start_us


@dataclass(eq=False, slots=True)
class LogFile:
    """One log: one sequence of lines, wherever they lie. `state` is as after the last chunk that was handed on.

    `reader` is the open file that it is read from and `at` its place, None once that has no name any more. `ready`: a
    line lies at the position; `last`: one without newline. `searched`: up to where no whole line is, as the file was
    when it had `size` bytes; -1 where that is not known. `together`: the logs (itself too) that share a position: what
    is read of them becomes durable at once.
    """

    state: LogState
    places: list[Place] = field(default_factory=list)
    reader: Reader | None = None
    at: Place | None = None
    head: bytes = b""
    tail: bytes = b""
    ready: bool = False
    last: bool = False
    size: int = -1
    searched: int = -1
    changed_s: float = 0.0
    reaches: int = 0  # a lower bound of its length, once the place where it was read is gone
    together: Sequence[LogFile] = ()

    @property
    def sensor(self) -> str:
        return self.state.sensor

    @property
    def name(self) -> str:
        return self.state.name

    @property
    def node(self) -> str:
        return self.state.node

    @property
    def path(self) -> Path:
        place = self.at or (self.places[0] if self.places else None)
        return Path(place.path if place else self.state.path)

    @property
    def live(self) -> bool:
        """Whether a sensor may still write it: its name is a live log's."""
        place = self.at or (self.places[0] if self.places else None)
        return place is not None and not place.kind.rotated

    @property
    def gz(self) -> bool:
        return self.reader is not None and self.reader.gz

    @property
    def unread(self) -> bool:
        """Whether a line of it is known to wait."""
        return self.ready

    @property
    def lag_bytes(self) -> int:
        """What lies unread on disk, as far as it is known (of a gzip file that is not yet open, its size)."""
        if isinstance(self.reader, GzipReader):
            return self.reader.lag()
        if self.reader is not None:
            return max(0, self.reader.length() - self.state.position)
        return max((self._left(p) for p in self.places if not p.spent), default=0)

    def _left(self, place: Place) -> int:
        return place.size if place.gz else max(0, place.size - self.state.position)

    @property
    def context(self) -> str:
        """The decoder's at the position; to be set once a chunk is decoded."""
        return self.state.context

    @context.setter
    def context(self, context: str) -> None:
        self.state = replace(self.state, context=sys.intern(context))

    def grow_head(self, head: bytes) -> None:
        """Takes a longer head that begins like its own."""
        if len(head) > self.state.head_len:
            self.state = replace(self.state, head_hash=digest(head), head_len=len(head))
        self.head = head[: self.state.head_len]

    def resume(self, reader: Reader) -> bool | None:
        """Takes up reading there: True where what was read lies before the position, None where it ends earlier."""
        position, length = self.state.position, self.state.tail_len
        tail = reader.peek(position - length, length)
        if len(tail) < length:
            return None
        if length and digest(tail) != self.state.tail_hash:
            return False
        self.tail = tail
        return True

    def rewind(self, reader: Reader) -> None:
        """Goes back to the end of a file that ends before the position, and on from there."""
        length = reader.length()
        self.tail = reader.peek(max(0, length - TAIL_BYTES), TAIL_BYTES)
        self.state = replace(self.state, position=length, tail_hash=digest(self.tail), tail_len=len(self.tail))
        self.ready, self.size, self.searched, self.reaches = False, length, -1, length

    def advance(self, data: bytes) -> Chunk:
        """Moves on behind `data`, which was read at the position."""
        before = self.state
        if self.at is not None and self.reader is not None:
            before = replace(before, path=self.at.path, device=self.reader.device, inode=self.reader.inode)
        unknown = before.head_len - before.position  # head bytes that lie in data
        if before.head_len < HEAD_BYTES and 0 <= unknown < len(data):
            self.state = before
            self.grow_head(head_of(self.head + data[unknown : unknown + HEAD_BYTES - len(self.head)], whole=True))
            grown, length = self.state.head_hash, self.state.head_len
        else:
            grown, length = before.head_hash, before.head_len
        self.tail = data[-TAIL_BYTES:] if len(data) >= TAIL_BYTES else (self.tail + data)[-TAIL_BYTES:]
        self.state = replace(
            before,
            head_hash=grown,
            head_len=length,
            position=before.position + len(data),
            tail_hash=digest(self.tail),
            tail_len=len(self.tail),
            done=False,
        )
        self.ready = self.last = False
        self.searched = -1
        return Chunk(before, data, self.state)
