"""A capture of SYNs from forged sources, written packet by packet: what a scan log must survive in bounded memory."""

from __future__ import annotations

import argparse
import random
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO

HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
RECORD = struct.Struct("<IIII")
FRAME = struct.Struct(">12sHBBHHHBBHIIHHIIBBHHH")
START_S = 1_700_000_000
TARGET = 0x0A14000A  # 10.20.0.10, or one of the addresses after it
SOURCE = 0xC6120000  # 198.18.0.0, and the addresses after it
SCANNER = 0xC0000201  # 192.0.2.1


def syn(source: int, source_port: int, target: int, port: int, number: int) -> bytes:
    """An Ethernet frame with an IPv4 SYN; its checksums are 0, so Zeek needs -C."""
    ip = (b"", 0x0800, 0x45, 0, 40, number & 0xFFFF, 0, 64, 6, 0, source, target)
    return FRAME.pack(*ip, source_port, port, number, 0, 0x50, 0x02, 1024, 0, 0)


def frames(packets: int, sources: int, hosts: int, ports: int, chance: random.Random) -> Iterator[bytes]:
    """SYNs of as many sources as said (0: a new one each) to random hosts and ports."""
    for number in range(packets):
        source = chance.getrandbits(32) if sources == 0 else SOURCE + chance.randrange(sources)
        target = TARGET + chance.randrange(hosts)
        yield syn(source, 1024 + chance.randrange(64000), target, 1 + chance.randrange(ports), number)


def with_scanner(packets: Iterator[bytes], every: int) -> Iterator[bytes]:
    """After so many packets one of a scanner, each to another host."""
    for number, frame in enumerate(packets, 1):
        yield frame
        if every and number % every == 0:
            yield syn(SCANNER, 40000, TARGET + number // every, 22, number)


def write(to: BinaryIO, packets: Iterator[bytes], rate: int) -> None:
    """A pcap of so many packets a second."""
    to.write(HEAD)
    for number, frame in enumerate(packets):
        second, rest = divmod(number, rate)
        to.write(RECORD.pack(START_S + second, rest * 1_000_000 // rate, len(frame), len(frame)) + frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=f"{__doc__} To stdout: flood.py | zeek -C -r - scan.zeek")
    parser.add_argument("--packets", type=int, default=10_000_000)
    parser.add_argument("--sources", type=int, default=0, help="distinct sources; 0: random ones (default)")
    parser.add_argument("--hosts", type=int, default=1, help="distinct targets")
    parser.add_argument("--ports", type=int, default=1, help="distinct ports")
    parser.add_argument("--scan-every", type=int, default=0, help="packets between two of a scanner; 0: there is none")
    parser.add_argument("--rate", type=int, default=10_000, help="packets a second of the capture's time")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    made = frames(given.packets, given.sources, given.hosts, given.ports, chance)
    write(sys.stdout.buffer, with_scanner(made, given.scan_every), given.rate)


if __name__ == "__main__":
    main()
