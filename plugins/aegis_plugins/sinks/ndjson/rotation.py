"""When a file is moved aside, and how: FILE.1 is the newest, and so many are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegis_enrich.config import size_bytes

_PERIODS_S = {"hour": 3_600, "day": 86_400}


@dataclass(frozen=True)
class Rotation:
    """Moves a file aside before it would grow beyond `size` bytes, and with the first line of another hour or day."""

    size: int = 0  # 0 for never
    every_s: int = 0  # 0 for never; in UTC
    keep: int = 14

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Rotation:
        """From the settings of config.Rotate; raises ConfigError."""
        size = str(settings.get("size") or "")
        return cls(
            size_bytes(size, where="rotate.size") if size else 0,
            _PERIODS_S.get(str(settings.get("every") or ""), 0),
            int(settings.get("keep") or cls.keep),
        )

    def is_due(self, file: os.stat_result, more_bytes: int, now_s: float) -> bool:
        """Whether the file goes before so many bytes are added; an empty one stays."""
        if not file.st_size:
            return False
        if self.size and file.st_size + more_bytes > self.size:
            return True
        return bool(self.every_s) and int(file.st_mtime // self.every_s) < int(now_s // self.every_s)

    def move_aside(self, path: Path) -> None:
        """Makes room for FILE.1 up to the first number that is free, or over the oldest, then moves the file there.

        Killed anywhere, no file but the oldest is lost: the next time goes on at the gap. Raises OSError.
        """
        free = next((n for n in range(1, self.keep) if not aside(path, n).exists()), self.keep)
        for number in range(free, 1, -1):
            aside(path, number - 1).replace(aside(path, number))
        path.replace(aside(path, 1))
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
