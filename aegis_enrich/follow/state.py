"""A log as it was read so far: what finds it again under another path, another inode, or compressed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

HEAD_BYTES = 4096
TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class LogState:
    """Positions are decompressed bytes. `head_hash` is of the first `head_len` bytes, `tail_hash` of those before it.

    `device` and `inode` are a shortcut only. `context` is the decoder's at `position`. `done`: read to its end.
    """

    id: str
    sensor: str
    name: str
    node: str = ""
    head_hash: str = ""
    head_len: int = 0
    position: int = 0
    tail_hash: str = ""
    tail_len: int = 0
    path: str = ""
    device: int = 0
    inode: int = 0
    context: str = ""
    done: bool = False


def digest(data: bytes) -> str:
    """The hash that heads and tails are known by."""
    return hashlib.sha256(data).hexdigest()


def head_of(data: bytes, *, whole: bool = False) -> bytes:
    """What identifies a log among its first bytes: whole lines, data lines among them; empty before the first.

    A header may be longer than what is looked at, and then is what identifies it. `whole`: `data` is all that there
    will be, so that a last line without its newline counts.
    """
    head = data[:HEAD_BYTES]
    if len(head) < HEAD_BYTES and not whole:
        head = head[: head.rfind(b"\n") + 1]
    if len(head) == HEAD_BYTES:
        return head
    lines = head.split(b"\n")
    return head if any(line and not line.startswith(b"#") for line in lines) else b""
