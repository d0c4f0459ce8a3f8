"""Real logs whose values are missing, enormous, negative or of another kind: no window of any detector fails."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LAB = Path(__file__).resolve().parents[1] / "data" / "lab"
ROWS = 1500  # of a log
TIMES = ("ts", "timestamp", "start", "end")
KEPT = ("uid", "id.orig_h", "id.resp_h", "proto", "event_type", "src_ip", "dest_ip")  # which are changed less often
WHOLE = (0, 1, -1, 2**31, 2**32, 2**44, 2**53 + 1, 2**62, 2**63 - 1, -(2**63))
BROKEN = (0.0, -1.0, 1e-6, 1e9, 1e15)
TEXTS = (
    "",
    "-",
    "ü.ñ.例え",
    "a" * 300,
    "a.b.c.d.e.f.g",
    "\0x",
    "x\ny",
    "..",
    "localhost",
    "com",
    "xn--e1afmkfd.xn--p1ai",
)
TEXTS += ("192.0.2.1", "::ffff:10.0.0.1", "fe80::1", "255.255.255.255")


def absurd(chance: random.Random, value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice(WHOLE)
    if isinstance(value, float):
        return chance.choice((*BROKEN, value * 1000))
    if isinstance(value, list):
        return [] if chance.random() < 0.5 else [absurd(chance, v) for v in value] * chance.randint(1, 3)
    return chance.choice(TEXTS)


def changed(chance: random.Random, row: dict[str, Any], share: float) -> dict[str, Any]:
    """The row with so many of its values gone or absurd."""
    made: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            made[name] = changed(chance, value, share)
        elif name in TIMES or chance.random() >= (share / 4 if name in KEPT else share):
            made[name] = value
        elif chance.random() < 0.7:
            made[name] = absurd(chance, value)
    return made


def rows(path: Path) -> Iterator[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        for _, line in zip(range(ROWS), file, strict=False):
            yield json.loads(line)


@pytest.mark.parametrize(("share", "seed"), [(0.1, 1), (0.2, 2), (0.4, 3)])
@pytest.mark.parametrize("sensor", ["json", "eve.json.gz"])
def test_absurd_values(
    sensor: str, share: float, seed: int, analyze: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    chance, folders = random.Random(seed), []
    for scenario in sorted(p / sensor for p in LAB.iterdir() if (p / sensor).exists()):
        folder = tmp_path / scenario.parent.name
        folder.mkdir()
        folders.append(folder)
        for log in sorted(scenario.iterdir()) if scenario.is_dir() else [scenario]:
            text = "".join(json.dumps(changed(chance, row, share)) + "\n" for row in rows(log))
            (folder / log.name.removesuffix(".gz")).write_text(text, encoding="utf-8")
    assert len(folders) > 10
    assert analyze(*folders, bad=True) != []
