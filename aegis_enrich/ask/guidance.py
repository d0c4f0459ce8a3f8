"""What rules say of how to investigate their alerts, read from their files alone: loading them all takes a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..decide.investigate import PARTS, Investigate
from ..yaml_text import load, text_of

_OTHERS = frozenset({"sigma", "correlation", "intel"})  # folders whose files say nothing of the kind


def guidance(folder: Path) -> list[dict[str, Any]]:
    """`id` and `investigate` of each rule that has it; a file that does not check is `rules check`'s to tell of."""
    found = []
    for path in sorted(folder.rglob("*.yml")):
        if _OTHERS.isdisjoint(path.relative_to(folder).parts) and (rule := _read(path)):
            found.append(rule)
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = load(text_of(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("investigate"), dict):
        return None
    told = data["investigate"]
    parts = {part: tuple(map(str, told.get(part) or ())) for part in PARTS}
    return {"id": str(data.get("id") or ""), "investigate": Investigate(**parts)}
