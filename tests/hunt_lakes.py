"""What tests of hunts share: alerts of a state, and a common lake of what a state holds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis_enrich.store import Store
from aegis_enrich.store.common_lake import MANIFEST, date_of, file_of, lines, sensor_folder

LAB = Path(__file__).parent / "data" / "lab"
DELIVERY = ("revision", "status")


def found(state: Path) -> dict[str, dict[str, Any]]:
    """The alerts of a state by id, without what tells how they were delivered."""
    with Store(state, read_only=True) as store:
        rows = store.query("SELECT alert_id, document, told FROM alerts WHERE status != 'withdrawn'")
    return {i: contents({**json.loads(d), "aegis": {**json.loads(d)["aegis"], **_told(t)}}) for i, d, t in rows}


def _told(text: str) -> dict[str, Any]:
    return dict(json.loads(text)) if text else {}


def contents(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "aegis": {k: v for k, v in document["aegis"].items() if k not in DELIVERY}}


def ship(state: Path, lake: Path) -> None:
    """Puts what a state has committed into a common lake, as its layout says."""
    with Store(state, read_only=True) as store:
        segments = store.living("1 = 1", ())
    days: dict[Path, list[Any]] = {}
    for segment in segments:
        folder = lake / sensor_folder(segment.sensor)
        target = folder / file_of(segment)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(segment.path, target)
        days.setdefault(folder / MANIFEST / f"{date_of(segment)}.jsonl", []).append(segment)
    for path, some in days.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines(some), encoding="utf-8")
