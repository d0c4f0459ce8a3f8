"""Which files a folder of rules holds: its own, and those of another that it extends, such as the shipped rules."""

from __future__ import annotations

from pathlib import Path, PurePath

from ..config import shipped_rules
from .source import Source

OVERRIDES = "overrides.yml"
SHIPPED = "shipped"


def rule_files(folder: Path) -> dict[PurePath, Path]:
    """The folder's `.yml` files by their place in it, in order; and those of the folder that its overrides.yml
    `extends`, where it has none in the same place."""
    base = extended(folder)
    held = {} if base is None or not base.is_dir() else _files(base)
    return dict(sorted({**held, **_files(folder)}.items()))


def extended(folder: Path) -> Path | None:
    """The folder that this one extends: `shipped`, or a path from it; None where it extends none."""
    path = folder / OVERRIDES
    data = Source.read(path).data if path.is_file() else None
    named = data.get("extends") if isinstance(data, dict) else None
    if not isinstance(named, str):
        return None
    return shipped_rules() if named == SHIPPED else folder / Path(named).expanduser()


def _files(folder: Path) -> dict[PurePath, Path]:
    return {path.relative_to(folder): path for path in folder.rglob("*.yml")}
