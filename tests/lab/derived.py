"""Captures for the tests from those that were recorded: shrunk, doubled, with holes, spread over hours.

cd tests && python3 -m lab.derived FROM_DIR TO_DIR [SCENARIO...]   reads FROM_DIR/SCENARIO.pcap (or .pcap.gz)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .edits import byte_probes, double, head, holes, spread
from .pcaps import Packet, read, write
from .shrink import blank, hush

IPERF = 5201
Edit = Callable[[list[Packet]], list[Packet]]


def same(packets: list[Packet]) -> list[Packet]:
    return packets


def shrunk(packets: list[Packet]) -> list[Packet]:
    return blank(packets, IPERF)


def ten_minutes(packets: list[Packet]) -> list[Packet]:
    return head(hush(packets), 600)


# what is written: what it is made from, and how; all else is written as it was recorded
RECIPES: dict[str, tuple[str, Edit]] = {
    **{name: (name, shrunk) for name in ("loss_0", "loss_5", "loss_20", "loss_download_20")},
    **{name: (name, hush) for name in ("benign_hour", "benign_tls", "dga_nxdomain", "exfil_small", "multistage")},
    "loss_0_span": ("loss_0", lambda packets: double(shrunk(packets))),
    "loss_20_span": ("loss_20", lambda packets: double(shrunk(packets))),
    "loss_20_v6_span": ("loss_20_v6", double),
    "loss_0_holes": ("loss_0", lambda packets: holes(shrunk(packets))),
    "loss_20_holes": ("loss_20", lambda packets: holes(shrunk(packets))),
    "loss_0_v6_holes": ("loss_0_v6", holes),
    "benign_span": ("benign_hour", lambda packets: double(ten_minutes(packets))),
    "benign_holes": ("benign_hour", lambda packets: holes(ten_minutes(packets))),
    "keepalive_byte": ("keepalive", byte_probes),
    "latency_9h": ("latency", lambda packets: spread(packets, 180)),
}


def source(folder: Path, name: str) -> Path:
    """The capture of a scenario. Raises FileNotFoundError if there is none."""
    for path in (folder / f"{name}.pcap", folder / f"{name}.pcap.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{folder}/{name}.pcap: not there; record it with: python3 -m lab.lab run {name}")


def main(given: Sequence[str]) -> None:
    origin, target, *names = given
    for name in names or RECIPES:
        base, edit = RECIPES.get(name, (name, same))
        write(Path(target) / f"{name}.pcap.gz", edit(read(source(Path(origin), base))))


if __name__ == "__main__":
    main(sys.argv[1:])
