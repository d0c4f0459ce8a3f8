"""Mutated logs through the whole program: decoding, enrichment, row rules, every detector, alerts and what is shown."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

from .corpus import EVE, LAB, Log, logs
from .lines_fuzz import case
from .mutate import TEXTS, encoded, mutated

SCENARIOS = ("multistage", "dns_tunnel", "beacon_http_60s", "scan_vertical")
SHARE = 0.05  # of a scenario's lines


def write(folder: Path, seed: int, *, lines: int = 150) -> int:
    """Logs of every kind with mutated lines, and scenarios with some; how many lines are not as they were."""
    folder.mkdir(parents=True)
    changed = 0
    for number, log in enumerate(logs()):
        given = case(seed, number, lines)
        name = "eve-made.json" if log.form == EVE else f"{log.name}.{log.form}.log"
        (folder / name).write_bytes(given.bytes())
        changed += sum(not good for good in given.good)
    rng = random.Random(f"{seed}:pipeline")
    for scenario in SCENARIOS:
        for path in [*sorted((LAB / scenario / "tsv").iterdir()), LAB / scenario / "eve.json.gz"]:
            if path.exists():
                made, some = _scenario(rng, path)
                target = folder / scenario / path.name.removesuffix(".gz")
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(made)
                changed += some
    return changed


def _scenario(rng: random.Random, path: Path) -> tuple[bytes, int]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    form = EVE if path.name.startswith("eve") else "tsv"
    found = data.splitlines()
    header = b"".join(line + b"\n" for line in found if line.startswith(b"#"))
    log = Log(path.name.split(".")[0], form, header, tuple(line for line in found if not line.startswith(b"#")))
    made, changed = [], 0
    for line in found:
        if line.startswith(b"#") or rng.random() > SHARE:
            made.append(line)
            continue
        changed += 1
        made.append(_hostile(rng, line) if form == "tsv" and rng.random() < 0.5 else mutated(rng, log, line))
    return b"\n".join(made) + b"\n", changed


def _hostile(rng: random.Random, line: bytes) -> bytes:
    """A text that somebody chose, in place of one that is there: it reads well and comes as far as the alerts."""
    fields = line.split(b"\t")
    words = [i for i, f in enumerate(fields) if f[:1].isalpha() and len(f) > 2] or [0]
    fields[rng.choice(words)] = encoded(rng.choice(TEXTS)).replace(b"\t", b" ")
    return b"\t".join(fields)
