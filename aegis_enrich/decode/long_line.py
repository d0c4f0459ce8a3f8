"""A line that is too long to be read: its pieces, chunk by chunk, become one dead letter that tells its length."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .result import LINE_KEPT, BadLine


@dataclass(frozen=True)
class LongLine:
    """What was read of a line: where it begins, how many bytes of it are known, and the first of them."""

    offset: int
    length: int = 0
    begin: bytes = b""

    @classmethod
    def from_context(cls, context: str) -> LongLine | None:
        if not context:
            return None
        offset, length, begin = json.loads(context)
        return cls(offset, length, begin.encode("latin-1"))

    def to_context(self) -> str:
        """JSON text of one line."""
        return json.dumps([self.offset, self.length, self.begin.decode("latin-1")])

    def with_piece(self, piece: bytes) -> LongLine:
        begin = self.begin + piece[: LINE_KEPT - len(self.begin)]
        return LongLine(self.offset, self.length + len(piece), begin)

    def as_bad(self) -> BadLine:
        return BadLine(
            self.offset, self.begin.rstrip(b"\r\n"), f"a line of {self.length:,} bytes is too long to be read"
        )
