"""`make chaos`: kills, a seed each round, and a last line that says what was lost or doubled."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from chaos.campaign import Broken, Round, Setting
from chaos.compare import Found
from chaos.faults import small_disk
from chaos.node import VERSION, Node, node
from chaos.processes import Nursery
from elasticsearch_server import Unavailable

from aegis_plugins.sinks.elasticsearch import Elasticsearch

ROUND_KILLS = 200  # spread over one feed
HOURS_FEWEST, HOURS_MOST, KILLS_PER_HOUR = 3.0, 8.0, 25
DISK_MB = 512


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    given = arguments()
    try:
        with node(given.es) as own, contextlib.closing(Nursery()) as nursery:
            return rounds(given, own, nursery)
    except Unavailable as error:
        say(f"no Elasticsearch {VERSION}: {error}; name one that is there with --es URL")
        return 1


def rounds(given: argparse.Namespace, own: Node, nursery: Nursery) -> int:
    """All of them, and the last line; the exit code."""
    began_s, kills, found = time.monotonic(), 0, Found()
    for number in range(-(-given.count // ROUND_KILLS)):
        seed, wanted = given.seed + number, min(ROUND_KILLS, given.count - number * ROUND_KILLS)
        one, killed = play(own, nursery, seed, wanted, given.keep)
        kills += killed
        found.add(one)
        for line in one.said:
            say(f"seed {seed}: {line}")
        if not one.good:
            say(f"repeat it with: make chaos COUNT={wanted} SEED={seed}")
    say(f"{time.monotonic() - began_s:.0f} s")
    others = f", {found.differ} changed or broken" if found.differ else ""
    say(f"{kills} kills: {found.lost} lost, {found.doubled} doubled{others}")
    return 0 if found.good else 1


def play(own: Node, nursery: Nursery, seed: int, kills: int, keep: Path | None) -> tuple[Found, int]:
    """One round: what it found, and how many kills there were."""
    with place(keep, seed) as root, small_disk(root / "disk", DISK_MB) as disk:
        if not disk.bounded:
            say(disk.why)
        own.server.forget_alerts()
        Elasticsearch.setup(own.server.settings())
        hours = min(HOURS_MOST, max(HOURS_FEWEST, kills / KILLS_PER_HOUR))
        one = Round(Setting(root, disk, own), seed, kills, hours, say, nursery)
        found = Found()
        try:
            found = one.run()
        except Broken as error:
            found.must(False, str(error))
        say(f"seed {seed}: {one.summary}")
        for what, counted in (("kills", one.killed), ("faults", one.faults), ("proxy", one.cuts)):
            say(f"  {what}: " + ", ".join(f"{name} {n}" for name, n in sorted(counted.items()) if n))
        say("  logs: " + ", ".join(f"{name} {n}" for name, n in sorted(one.sensor.done.items())))
        return found, one.total


@contextlib.contextmanager
def place(keep: Path | None, seed: int) -> Iterator[Path]:
    if keep:
        (keep / f"{seed}").mkdir(parents=True)
        yield (keep / f"{seed}").resolve()
        return
    with tempfile.TemporaryDirectory(prefix="aegis-chaos-") as folder:
        yield Path(folder).resolve()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="kills, in rounds of at most 200")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next has the next")
    parser.add_argument("--es", default="", metavar="URL", help="an Elasticsearch that is there (default: its own)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave logs, state and what was said in it, by seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
