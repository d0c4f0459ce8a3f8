"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Check:
    """`what` was seen, and what to do about it; a problem needs someone, a note may be as wanted."""

    area: str
    level: Level
    what: str
