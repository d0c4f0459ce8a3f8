"""What a sensor's place, its load, or another system do to a capture: lists of packets in, lists out.

Each edit is a function of its packets, its figures and a seed: the same capture comes out each time.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from .pcaps import TCP, Packet, Parts, parts, sealed

FIN_SYN_RST = 0x07


def double(packets: Sequence[Packet], *, most_us: int = 40, seed: int = 1) -> list[Packet]:
    """Every frame twice, the second 1 to `most_us` later: a SPAN port that mirrors both directions of two ports.

    Where packets follow each other faster than that, the copies mix with those after them.
    """
    rng = random.Random(seed)
    both = [copy for packet in packets for copy in (packet, packet.later(rng.randint(1, most_us)))]
    return sorted(both, key=lambda p: p.ts_us)


def holes(packets: Sequence[Packet], *, share: float = 0.03, mean: float = 5.0, seed: int = 3) -> list[Packet]:
    """A `share` of the frames missing, in bursts of `mean` frames: what a sensor loses though the network did not."""
    rng = random.Random(seed)
    begin, end = share / (1 - share) / mean, 1 / mean
    kept, losing = [], False
    for packet in packets:
        losing = rng.random() >= end if losing else rng.random() < begin
        if not losing:
            kept.append(packet)
    return kept


def head(packets: Sequence[Packet], seconds: float) -> list[Packet]:
    """The packets of the first seconds."""
    return [p for p in packets if p.ts_us < packets[0].ts_us + seconds * 1_000_000]


def spread(packets: Sequence[Packet], factor: int) -> list[Packet]:
    """Flows begin `factor` times as far apart; within a flow, times between packets stay as they were.

    What is no TCP or UDP moves as a flow of one packet.
    """
    begins: dict[object, int] = {}
    moved = []
    for packet in packets:
        where = parts(packet.data)
        begin = begins.setdefault(where.flow, packet.ts_us) if where else packet.ts_us
        moved.append(packet.later((begin - packets[0].ts_us) * (factor - 1)))
    return sorted(moved, key=lambda p: p.ts_us)


def byte_probes(packets: Sequence[Packet]) -> list[Packet]:
    """Keep-alive probes carry one byte, as several systems send them; Linux, which recorded these, sends none.

    A probe is a bare ACK numbered one before the next byte of its side.
    """
    next_numbers: dict[tuple[object, ...], int] = {}
    new = []
    for packet in packets:
        where = parts(packet.data)
        if where and where.proto == TCP:
            packet = _with_byte(packet, where, next_numbers)
        new.append(packet)
    return new


def _with_byte(packet: Packet, where: Parts, next_numbers: dict[tuple[object, ...], int]) -> Packet:
    side = (where.source, where.target)
    (number,) = struct.unpack_from(">I", packet.data, where.transport + 4)
    flags, size = packet.data[where.transport + 13], where.end - where.payload
    expected = next_numbers.get(side)
    if size == 0 and not flags & FIN_SYN_RST and expected is not None and number == (expected - 1) % 2**32:
        longer = bytearray(packet.data[: where.end] + b"\0")
        at = where.ip + (2 if where.version == 4 else 4)
        struct.pack_into(">H", longer, at, int.from_bytes(longer[at : at + 2], "big") + 1)
        return Packet(packet.ts_us, sealed(bytes(longer)))
    after = (number + size + (1 if flags & 3 else 0)) % 2**32
    if expected is None or (after - expected) % 2**32 < 2**31:
        next_numbers[side] = after
    return packet
